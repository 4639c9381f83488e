//! Users over HTTP: the same as over the Redis protocol.

use std::net::SocketAddr;

use super::ask;
use crate::UserConfig;
use crate::testing::{Server, command, serve};

const OK: &str = "+OK\r\n";

/// With an administrator who needs a password and a reader of some keys.
fn server() -> Server {
    let root = UserConfig {
        name: "root".into(),
        tenant: "default".into(),
        is_admin: true,
        rules: Some("+@all ~* &*".into()),
        ..UserConfig::default()
    };
    let server = serve(|config| {
        config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.users = vec![root];
    });
    let mut client = server.connect();
    client.ask("AUTH root any\r\n", OK);
    client.ask("SET book:1 x\r\n", OK);
    let reader: [&[u8]; 7] = [
        b"ACL",
        b"SETUSER",
        b"reader",
        b"on",
        b">book",
        b"+get",
        b"%R~book:*",
    ];
    client.ask(command(&reader), OK);
    client.ask("ACL SETUSER root resetpass >secret\r\n", OK);
    server
}

#[test]
fn requests_need_a_user_and_do_what_the_user_may() {
    let server = server();
    let reader = "Authorization: Bearer reader:book";
    let root = "Authorization: Basic cm9vdDpzZWNyZXQ=";
    let status = |method, path, head: &[&str]| ask(&server, method, path, head, b"v").status;
    for (method, path) in [
        ("GET", "/v1/keys/book:1"),
        ("PUT", "/v1/keys/book:1"),
        ("DELETE", "/v1/keys/book:1"),
        ("GET", "/v1/stats"),
        ("GET", "/v1/policies"),
    ] {
        let response = ask(&server, method, path, &[], b"");
        assert_eq!(response.status, 401, "{method} {path}");
        let challenge = response.header("www-authenticate").unwrap_or_default();
        assert!(challenge.starts_with("Basic "), "{challenge}");
    }
    assert_eq!(status("GET", "/healthz", &[]), 200);
    assert_eq!(
        status(
            "GET",
            "/v1/keys/book:1",
            &["Authorization: Bearer reader:no"]
        ),
        401
    );
    assert_eq!(
        status("GET", "/v1/keys/book:1", &["Authorization: Digest x"]),
        401
    );
    assert_eq!(status("GET", "/v1/keys/book:1", &[reader]), 200);
    assert_eq!(status("GET", "/v1/keys/other", &[reader]), 403);
    assert_eq!(status("PUT", "/v1/keys/book:1", &[reader]), 403);
    assert_eq!(status("POST", "/v1/policies/reload", &[reader]), 403);
    assert_eq!(status("PUT", "/v1/keys/book:1", &[root]), 204);
    assert_eq!(status("GET", "/v1/stats", &[root]), 200);
    assert_eq!(server.shared.totals().users.failures, 1);
}
