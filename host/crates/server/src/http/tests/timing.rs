//! The slow log and the times of commands.

use serde_json::json;

use super::*;
use crate::UserConfig;
use crate::testing::{command, parts_of, serve_with};

const OK: &str = "+OK\r\n";

#[test]
fn what_took_long_is_told_to_its_tenant_and_to_administrators() {
    let user = |name: &str, tenant: &str, is_admin| UserConfig {
        name: name.into(),
        tenant: tenant.into(),
        is_admin,
        rules: None,
        password_hashes: Vec::new(),
    };
    let mut config = config();
    config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.users = vec![user("root", "a", true), user("bob", "b", false)];
    let server = serve_with(config, parts_of(&["a", "b"]));
    let mut root = server.connect();
    root.ask("AUTH root any\r\n", OK);
    root.ask("CONFIG SET slowlog-log-slower-than 0\r\n", OK);
    root.ask(command(&[b"SET", b"of a", b"\xff"]), OK);
    let mut bob = server.connect();
    bob.ask("AUTH bob any\r\n", OK);
    bob.ask("SET of:b x\r\n", OK);

    let (as_root, as_bob) = (
        "Authorization: Bearer root:any",
        "Authorization: Bearer bob:any",
    );
    let log = |path, who: &str| ask(&server, "GET", path, &[who], b"");
    let own = log("/v1/slowlog", as_root).json();
    assert_eq!(own["tenant"], "a");
    assert_eq!(
        own["entries"][0]["args"],
        json!(["SET", "of a", { "base64": "/w==" }])
    );
    let of_b = log("/v1/slowlog?tenant=b", as_root).json();
    assert_eq!(of_b, log("/v1/slowlog", as_bob).json());
    assert_eq!(of_b["entries"][0]["args"], json!(["SET", "of:b", "x"]));
    assert_eq!(
        of_b["entries"][1]["args"],
        json!(["AUTH", "(redacted)", "(redacted)"])
    );
    for path in ["/v1/slowlog?tenant=a", "/v1/slowlog?tenant=none"] {
        assert_eq!(log(path, as_bob).status, 404, "{path}");
    }
    root.ask("ACL SETUSER bob -slowlog|get -latency|histogram\r\n", OK);
    for path in ["/v1/slowlog", "/v1/latency"] {
        assert_eq!(log(path, as_bob).status, 403, "{path}");
    }
}

#[test]
fn commands_and_events_are_told_with_their_times() {
    let server = server();
    let mut client = server.connect();
    client.ask("SET k x\r\n", OK);
    client.ask("SET k x\r\n", OK);
    client.ask(
        "INCR k\r\n",
        "-ERR value is not an integer or out of range\r\n",
    );
    server
        .shared
        .latency
        .add(crate::latency::Event::Maintenance, 7_000, 9_000_000);
    let told = ask(&server, "GET", "/v1/latency", &[], b"").json();
    let commands = told["commands"].as_array().expect("a list");
    let of = |name: &str| {
        commands
            .iter()
            .find(|row| row["name"] == name)
            .expect("a row")
    };
    assert_eq!(
        (&of("set")["calls"], &of("incr")["failed"]),
        (&json!(2), &json!(1))
    );
    assert!(of("set")["p99_us"].is_number());
    let maintenance = json!({
        "event": "maintenance", "ms_max": 9, "samples": [{ "at_s": 7, "ms": 9 }],
    });
    assert_eq!(told["events"][2], maintenance);
}
