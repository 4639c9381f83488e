use std::sync::Mutex;

use super::*;
use crate::testing::{command, config, parts_of, serve_with};

#[derive(Default)]
struct Notes(Mutex<Vec<String>>);

impl HookSink for Notes {
    fn tell(&self, event: String) {
        self.0.lock().unwrap().push(event);
    }
}

fn hook(tenant: &str, on: &[Gone], pattern: &str, target: HookTarget) -> Hook {
    Hook {
        tenant: tenant.to_owned(),
        on: on.to_vec(),
        keys: Pattern::new(pattern.as_bytes()),
        target,
    }
}

#[test]
fn who_is_told_of_what() {
    let notes = [(); 4].map(|()| Arc::<Notes>::default());
    let sink = |number: usize| HookTarget::Sink(Arc::<Notes>::clone(&notes[number]));
    let mut parts = parts_of(&["default", "other"]);
    parts.hooks = vec![
        hook("default", &[Gone::Invalidated], "a:*", sink(0)),
        hook("default", &Gone::ALL, "*", sink(1)),
        hook("default", &[Gone::Evicted, Gone::Expired], "*", sink(2)),
        hook("other", &Gone::ALL, "*", sink(3)),
        hook(
            "default",
            &[Gone::Invalidated],
            "b:*",
            HookTarget::Channel(b"gone".to_vec()),
        ),
    ];
    let server = serve_with(config(), parts);
    let mut listener = server.connect();
    let subscribed = "*3\r\n$9\r\nsubscribe\r\n$4\r\ngone\r\n:1\r\n";
    listener.ask(command(&[b"SUBSCRIBE", b"gone"]), subscribed);
    let mut client = server.connect();
    for key in [&b"a:1"[..], b"b:\xff", b"c"] {
        client.ask(command(&[b"SET", key, b"v"]), "+OK\r\n");
    }
    client.ask(command(&[b"DEL", b"c"]), ":1\r\n");
    for prefix in [b"a", b"b"] {
        client.ask(
            command(&[b"CACHE.INVALIDATE", b"PREFIX", prefix]),
            "+OK\r\n",
        );
    }
    let a = "{\"event\":\"invalidate\",\"db\":0,\"key\":\"a:1\"}";
    let b = "{\"event\":\"invalidate\",\"db\":0,\"key\":{\"base64\":\"Yjr/\"}}";
    let told = notes
        .each_ref()
        .map(|notes| notes.0.lock().unwrap().clone());
    let expected: [&[&str]; 4] = [&[a], &[a, b], &[], &[]];
    assert_eq!(told, expected);
    let message = format!(
        "*3\r\n$7\r\nmessage\r\n$4\r\ngone\r\n${}\r\n{b}\r\n",
        b.len()
    );
    listener.expect(message);
}
