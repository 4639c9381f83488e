use larder_resp::{ArgsBuf, Version};

use super::*;
use crate::testing::{config, parts, session};

fn short(args: &[&[u8]]) -> Vec<String> {
    let buffer: ArgsBuf = args.iter().copied().collect();
    let short = shorten(buffer.args(), false);
    let texts = short.iter().map(|arg| arg.escape_ascii().to_string());
    texts.collect()
}

#[test]
fn arguments_are_shortened_as_redis_does() {
    let long = [b'x'; 130];
    let head = "x".repeat(128);
    assert_eq!(
        short(&[b"SET", &long[..128], &long]),
        [
            "SET".to_owned(),
            head.clone(),
            format!("{head}... (2 more bytes)")
        ]
    );
    let many = [&b"k"[..]; 40];
    let shown = short(&many);
    assert_eq!((shown.len(), &*shown[31]), (32, "... (9 more arguments)"));
    assert_eq!(short(&many[..32]).len(), 32);
}

#[test]
fn passwords_are_not_kept() {
    assert_eq!(short(&[b"auth", b"secret"]), ["auth", "(redacted)"]);
    let hello: [&[u8]; 5] = [b"HELLO", b"3", b"AUTH", b"me", b"secret"];
    assert!(!short(&hello).contains(&"secret".to_owned()));
}

#[test]
fn secret_values_are_not_kept() {
    let set: [&[u8]; 5] = [b"cache.set", b"k", b"v", b"Security", b"high"];
    let hidden = "(redacted)";
    assert_eq!(short(&set), ["cache.set", "k", hidden, hidden, hidden]);
    assert_eq!(short(&set[..3]), ["cache.set", "k", "v"]);
}

#[test]
fn a_tenant_s_log_is_bounded_and_ids_go_on() {
    let shared = Shared::new(config(), parts());
    let session = session(&shared, Version::V2);
    for took_us in 0..200 {
        add(&shared, &session, 1, took_us, Vec::new());
    }
    let ids = |log: &VecDeque<Entry>| (log.front().map(|e| e.id), log.back().map(|e| e.id));
    let mut log = of(&shared, &session.tenant);
    assert_eq!((log.len(), ids(&log)), (128, (Some(72), Some(199))));
    log.clear();
    drop(log);
    add(&shared, &session, 1, 7, Vec::new());
    let log = of(&shared, &session.tenant);
    assert_eq!((log.len(), log[0].id, log[0].took_us), (1, 200, 7));
}
