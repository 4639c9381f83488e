//! Many values that go at once.

use super::*;
use crate::testing::command;

const JSON: &str = "Content-Type: application/json";

#[test]
fn values_go_by_their_tags_their_prefix_or_all_of_them() {
    let server = server();
    let mut client = server.connect();
    for (key, tag) in [("a", "red"), ("b", "\u{ff}"), ("c", "blue")] {
        let set: [&[u8]; 6] = [
            b"CACHE.SET",
            key.as_bytes(),
            b"v",
            b"TAGS",
            b"1",
            tag.as_bytes(),
        ];
        client.ask(command(&set), "+OK\r\n");
    }
    let post = |body: &str| {
        let reply = ask(&server, "POST", "/v1/invalidate", &[JSON], body.as_bytes());
        (reply.status, reply.text())
    };
    let done = (204, String::new());
    assert_eq!(post("{\"tags\": [\"red\", {\"base64\": \"w78=\"}]}"), done);
    client.ask(command(&[b"EXISTS", b"a", b"b"]), ":0\r\n");
    client.ask(command(&[b"EXISTS", b"c"]), ":1\r\n");
    for wrong in [
        "{}",
        "{\"tags\": []}",
        "{\"tags\": \"blue\"}",
        "{\"tags\": [1]}",
        "{\"tenant\": false}",
        "{\"prefix\": 1}",
        "{\"prefix\": \"c\", \"db\": 16}",
        "{\"tenant\": true, \"tags\": [\"blue\"]}",
        "{\"keys\": [\"c\"]}",
    ] {
        assert_eq!(post(wrong).0, 400, "{wrong}");
    }
    client.ask(command(&[b"EXISTS", b"c"]), ":1\r\n");
    client.ask(command(&[b"SET", b"c:1", b"v"]), "+OK\r\n");
    assert_eq!(post("{\"prefix\": \"c:\", \"db\": 1}"), done);
    client.ask(command(&[b"EXISTS", b"c", b"c:1"]), ":2\r\n");
    assert_eq!(post("{\"prefix\": \"c:\"}"), done);
    client.ask(command(&[b"EXISTS", b"c", b"c:1"]), ":1\r\n");
    client.ask(command(&[b"CACHE.INVALIDATE", b"PREFIX", b"d"]), "+OK\r\n");
    assert_eq!(post("{\"tenant\": true}"), done);
    client.ask(command(&[b"EXISTS", b"c"]), ":0\r\n");
    assert_eq!(
        ask(&server, "POST", "/v1/invalidate", &[], b"{}").status,
        415
    );
}
