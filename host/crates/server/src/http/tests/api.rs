//! What the API does with values, and what it refuses.

use larder_engine::decision::{Kinds, QuestionParts};
use larder_engine::{Decider, Deciders, Verdict};
use serde_json::json;

use super::*;
use crate::KeyspaceEvents;
use crate::testing::{bulk, command, serve_with};

const JSON: &str = "Content-Type: application/json";

#[test]
fn values_go_in_and_out_with_what_was_said_of_them() {
    let server = server();
    let path = "/v1/keys/a%2Fb%00%FF?db=3";
    let head = [
        "Larder-Ttl-Ms: 60000",
        "Larder-Type: json",
        "Larder-Tags: x,y%2C",
        "Larder-Cost-Ms: 12",
        "Larder-Attributes: user=7",
    ];
    let put = ask(&server, "PUT", path, &head, b"hello");
    assert_eq!((put.status, put.text()), (201, String::new()));
    assert_eq!(ask(&server, "PUT", path, &head, b"hello").status, 204);
    let get = ask(&server, "GET", path, &[], b"");
    assert_eq!((get.status, &*get.text()), (200, "hello"));
    assert_eq!(put.header("etag"), get.header("etag"));
    for (name, value) in [
        ("content-type", "application/octet-stream"),
        ("x-content-type-options", "nosniff"),
        ("larder-ttl-ms", "60000"),
        ("larder-type", "json"),
        ("larder-tags", "x,y%2C"),
        ("larder-cost-ms", "12"),
        ("larder-attributes", "user=7"),
        ("larder-priority", "0"),
    ] {
        assert_eq!(get.header(name), Some(value), "{name}");
    }
    let head = ask(&server, "HEAD", path, &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some("5"));

    let mut client = server.connect();
    client.ask(command(&[b"SELECT", b"3"]), "+OK\r\n");
    client.ask(command(&[b"GET", b"a/b\0\xff"]), bulk(b"hello"));
    assert_eq!(
        ask(&server, "GET", "/v1/keys/a%2Fb%00%FF", &[], b"").status,
        404
    );
    assert_eq!(ask(&server, "DELETE", path, &[], b"").status, 204);
    client.ask(command(&[b"GET", b"a/b\0\xff"]), "$-1\r\n");
    assert_eq!(ask(&server, "DELETE", path, &[], b"").status, 404);
}

#[test]
fn conditions_and_ranges_are_those_of_http() {
    let server = server();
    let path = "/v1/keys/k";
    let check = |method, head: &[&str], body: &[u8], status| {
        let response = ask(&server, method, path, head, body);
        assert_eq!(
            response.status,
            status,
            "{method} {head:?}: {}",
            response.text()
        );
        response
    };
    check("PUT", &["If-Match: *"], b"0123456789", 412);
    let first = check("PUT", &["If-None-Match: *"], b"0123456789", 201);
    check("PUT", &["If-None-Match: *"], b"other", 412);
    let tag = first.header("etag").expect("a tag").to_owned();
    let (same, other) = (format!("If-Match: {tag}"), "If-Match: \"0000000000000000\"");
    check("GET", &[&format!("If-None-Match: {tag}")], b"", 304);
    let part = check("GET", &["Range: bytes=2-4"], b"", 206);
    assert_eq!(&*part.text(), "234");
    assert_eq!(part.header("content-range"), Some("bytes 2-4/10"));
    check("DELETE", &["If-None-Match: *"], b"", 412);
    check("DELETE", &[&format!("If-None-Match: {tag}")], b"", 412);
    check("GET", &[&format!("If-Match: W/{tag}")], b"", 412);
    let none = check("GET", &["Range: bytes=10-"], b"", 416);
    assert_eq!(none.header("content-range"), Some("bytes */10"));
    check("PUT", &[other], b"x", 412);
    check("DELETE", &[other], b"", 412);
    assert_eq!(check("GET", &[], b"", 200).text(), "0123456789");
    check("PUT", &[&same], b"x", 204);
    check("DELETE", &[&same], b"", 412);
    check("DELETE", &["If-Match: *"], b"", 204);
    check("DELETE", &["If-Match: *"], b"", 412);
}

/// Method, address, header lines, body; and the status that it gets.
type Refused<'a> = (&'a str, &'a str, &'a [&'a str], &'a [u8], u16);

const REFUSED: [Refused<'_>; 20] = [
    ("GET", "/v1/keys/none", &[], b"", 404),
    ("GET", "/v1/keys/k?db=16", &[], b"", 400),
    ("GET", "/v1/keys/k?dbs=1", &[], b"", 400),
    ("GET", "/v1/keys/%zz", &[], b"", 400),
    ("GET", "/nowhere", &[], b"", 404),
    ("POST", "/v1/keys/k", &[], b"", 405),
    ("PUT", "/v1/keys/k?ttl_ms=0", &[], b"", 400),
    (
        "PUT",
        "/v1/keys/k?ttl_ms=1",
        &["Larder-Ttl-Ms: 1"],
        b"",
        400,
    ),
    ("DELETE", "/v1/keys", &[], b"", 400),
    ("POST", "/v1/batch/get", &[], b"{\"keys\":[]}", 415),
    ("POST", "/v1/batch/get", &[JSON], b"{", 400),
    ("POST", "/v1/batch/get", &[JSON], b"[]", 400),
    ("POST", "/v1/batch/get", &[JSON], b"{\"keys\":[1]}", 400),
    (
        "POST",
        "/v1/batch/get",
        &[JSON],
        b"{\"keys\":[],\"x\":1}",
        400,
    ),
    ("POST", "/v1/policies/none/enable", &[], b"", 404),
    ("POST", "/v1/policies/reload", &[], b"", 409),
    ("GET", "/v1/tenants/none", &[], b"", 404),
    (
        "PUT",
        "/v1/keys/k",
        &["Origin: http://a.example"],
        b"x",
        403,
    ),
    (
        "PUT",
        "/v1/keys/k",
        &["Sec-Fetch-Site: cross-site"],
        b"x",
        403,
    ),
    ("GET", "/v1/stats", &["Host: a.example"], b"", 421),
];

#[track_caller]
fn check_refused(server: &Server, (method, path, head, body, status): Refused<'_>) {
    let response = ask(server, method, path, head, body);
    let text = response.text();
    assert_eq!(response.status, status, "{method} {path}: {text}");
    let kind = response.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{method} {path}");
    let problem = response.json();
    assert_eq!(problem["status"], status, "{problem}");
    let detail = problem["detail"].as_str().unwrap_or_default();
    assert!(detail.len() > 10, "{problem}");
}

#[test]
fn refusals_say_why_in_a_sentence() {
    let server = server();
    for refused in REFUSED {
        check_refused(&server, refused);
    }
    let own = ["Origin: http://localhost", "Sec-Fetch-Site: same-origin"];
    assert_eq!(ask(&server, "PUT", "/v1/keys/k", &own, b"x").status, 201);
    assert_eq!(server.shared.totals().http.refused, 3);
}

#[test]
fn values_that_are_too_large_are_refused() {
    // An eighth of 64 MiB is what an entry may take.
    let large = vec![b'x'; 9 << 20];
    check_refused(&server(), ("PUT", "/v1/keys/k", &[], &large, 413));
    let strict = serve(|config| {
        config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.proto_bulk_bytes_max = 1024;
    });
    check_refused(&strict, ("PUT", "/v1/keys/k", &[], &large[..1025], 413));
    let response = ask(&strict, "PUT", "/v1/keys/k", &[], &large[..1024]);
    assert_eq!(response.status, 201);
}

#[test]
fn batches_carry_text_and_bytes() {
    let server = server();
    let post = |path, page: serde_json::Value| {
        let response = ask(&server, "POST", path, &[JSON], page.to_string().as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    };
    let bytes = json!({ "base64": "/wA=" });
    let items = json!([
        { "key": "a", "value": "text", "ttl_ms": 5000, "stale_ms": 7, "type": "t", "tags": ["x"], "attributes": [["n", "v"]] },
        { "key": bytes, "value": bytes, "stale_ms": 7 },
        { "key": "large", "value": "x".repeat(9 << 20) },
    ]);
    let written = post("/v1/batch/set", json!({ "db": 2, "items": items }));
    assert_eq!(written["stored"], 2);
    assert_eq!(written["items"][0], json!({ "key": "a", "stored": true }));
    assert_eq!(written["items"][2]["stored"], false);
    let got = post(
        "/v1/batch/get",
        json!({ "db": 2, "keys": ["a", bytes, "none"] }),
    );
    assert_eq!(
        got["items"][0],
        json!({
            "key": "a", "found": true, "value": "text", "etag": got["items"][0]["etag"],
            "ttl_ms": 5000, "stale_ms": 7, "type": "t", "tags": ["x"], "cost_ms": null,
            "attributes": [["n", "v"]], "security": null, "priority": 0,
        })
    );
    assert_eq!(got["items"][1]["value"], bytes);
    assert_eq!(got["items"][2], json!({ "key": "none", "found": false }));
    let one = ask(&server, "GET", "/v1/keys/%FF%00?db=2", &[], b"");
    assert_eq!(one.body, b"\xff\0");
    assert_eq!(one.header("etag"), got["items"][1]["etag"].as_str());
    assert_eq!(
        ask(&server, "DELETE", "/v1/keys?db=2", &[], b"").status,
        204
    );
    assert_eq!(ask(&server, "GET", "/v1/keys/a?db=2", &[], b"").status, 404);

    let many: Vec<_> = (0..1001).collect();
    let page = json!({ "keys": many }).to_string();
    let response = ask(&server, "POST", "/v1/batch/get", &[JSON], page.as_bytes());
    assert_eq!(response.status, 413);
}

#[test]
fn secrets_of_a_batch_are_marked_and_told_of() {
    let secret = json!({ "items": [{ "key": "k", "value": "v", "security": "high" }] }).to_string();
    let set = |server: &Server, page: &str| {
        ask(server, "POST", "/v1/batch/set", &[JSON], page.as_bytes())
    };
    let refused = set(&server(), &secret).json();
    assert_eq!(refused["stored"], 0);
    let detail = refused["items"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("needs a key ring"), "{detail}");
    let server = serve(|config| {
        config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.seals = true;
    });
    assert_eq!(set(&server, &secret).json()["stored"], 1);
    let page = json!({ "keys": ["k"] }).to_string();
    let got = ask(&server, "POST", "/v1/batch/get", &[JSON], page.as_bytes()).json();
    assert_eq!(got["items"][0]["security"], "high");
    let one = ask(&server, "GET", "/v1/keys/k", &[], b"");
    assert_eq!(one.header("larder-security"), Some("high"));
    for (level, status) in [("\"low\"", 400), ("1", 400), ("null", 200)] {
        let page = format!(r#"{{"items":[{{"key":"k","value":"v","security":{level}}}]}}"#);
        assert_eq!(set(&server, &page).status, status, "{level}");
    }
}

#[test]
fn figures_are_of_this_moment() {
    let server = server();
    ask(&server, "PUT", "/v1/keys/k", &["Larder-Type: t"], b"x");
    ask(&server, "GET", "/v1/keys/k", &[], b"");
    ask(&server, "GET", "/v1/keys/none", &[], b"");
    let stats = ask(&server, "GET", "/v1/stats", &[], b"").json();
    let tenant = &stats["tenants"][0];
    for (name, value) in [("hits", 1), ("misses", 1), ("inserts", 1), ("entries", 1)] {
        assert_eq!(tenant[name], value, "{name}");
    }
    assert_eq!(stats["http"]["responses"], 3);
    let one = ask(&server, "GET", "/v1/tenants/default", &[], b"").json();
    assert_eq!(
        (&one["name"], &one["eviction"]),
        (&json!("default"), &json!("s3-fifo"))
    );
    let told = ask(&server, "GET", "/v1/explain/k", &[], b"").json();
    assert_eq!(
        (&told["resident"], &told["type"]),
        (&json!("yes"), &json!("t"))
    );
    let told = ask(&server, "GET", "/v1/explain/none", &[], b"").json();
    assert_eq!(told["resident"], "no");
}

#[test]
fn a_key_that_is_not_there_is_told_as_missing() {
    let server = serve(|config| {
        config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.keyspace_events = KeyspaceEvents::parse("Em").unwrap();
    });
    let mut listener = server.connect();
    listener.ask(
        "SUBSCRIBE __keyevent@1__:keymiss\r\n",
        "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@1__:keymiss\r\n:1\r\n",
    );
    ask(&server, "PUT", "/v1/keys/there?db=1", &[], b"x");
    for key in ["there", "none"] {
        ask(&server, "GET", &format!("/v1/keys/{key}?db=1"), &[], b"");
    }
    let channel = "$7\r\nmessage\r\n$22\r\n__keyevent@1__:keymiss\r\n";
    listener.expect(format!("*3\r\n{channel}$4\r\nnone\r\n"));
}

#[test]
fn bodies_are_paid_for_from_the_buffers_of_all_clients() {
    let server = serve(|config| {
        config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.client_buffers_bytes_max = 1 << 20;
    });
    let refused = ask(&server, "PUT", "/v1/keys/k", &[], &vec![b'x'; 2 << 20]);
    assert_eq!(
        (refused.status, refused.header("retry-after")),
        (503, Some("1"))
    );
    // Many small values of JSON take more than their text.
    let nodes = format!("{{\"keys\":[{}0]}}", "0,".repeat(100_000));
    let refused = ask(&server, "POST", "/v1/batch/get", &[JSON], nodes.as_bytes());
    assert_eq!(refused.status, 503);
    assert_eq!(ask(&server, "PUT", "/v1/keys/k", &[], b"x").status, 201);
    assert_eq!(ask(&server, "GET", "/v1/keys/k", &[], b"").text(), "x");
    assert_eq!(server.shared.totals().buffers_bytes, 0, "all is given back");
}

/// Lets in what has the tag of the thread that it is asked on, for that many milliseconds.
struct ByThread;

impl Deciders for ByThread {
    fn decider(&self, thread: usize) -> Box<dyn Decider> {
        Box::new(OnThread(thread))
    }
}

struct OnThread(usize);

impl Decider for OnThread {
    fn has_a_say(&self, _tenant: usize) -> bool {
        true
    }

    fn decide(&mut self, _: usize, question: &QuestionParts<'_>, _: Kinds) -> Verdict {
        Verdict {
            keep: question.tags.contains(&self.0.to_string().as_bytes()),
            ttl_ms: Some(self.0 as u64 * 1000),
            priority: 9,
            is_secret: false,
        }
    }
}

#[test]
fn policies_decide_on_a_thread_of_its_own() {
    let mut config = config();
    config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.threads = 2;
    let parts = crate::Parts {
        deciders: Arc::new(ByThread),
        ..parts()
    };
    let server = serve_with(config, parts);
    // The workers are threads 0 and 1. What is refused is answered like any other value.
    for (path, status) in [("/v1/keys/k?tags=2", 200), ("/v1/keys/k?tags=1", 404)] {
        let put = ask(&server, "PUT", path, &[], b"x");
        assert!([201, 204].contains(&put.status), "{}", put.text());
        let get = ask(&server, "GET", "/v1/keys/k", &[], b"");
        assert_eq!(get.status, status, "{path}");
        if status == 200 {
            assert_eq!(get.header("larder-ttl-ms"), Some("2000"));
            assert_eq!(get.header("larder-priority"), Some("9"));
        }
    }
}

#[test]
fn a_batch_is_bounded_by_what_it_is_written_as() {
    let server = serve(|config| {
        config.http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        config.output_bytes_max = 8_000;
    });
    assert_eq!(
        ask(&server, "PUT", "/v1/keys/a", &[], &[0; 1_000]).status,
        201
    );
    let get = |keys: &[&str]| {
        let body = json!({ "keys": keys }).to_string();
        ask(&server, "POST", "/v1/batch/get", &[JSON], body.as_bytes())
    };
    let one = get(&["a", "none"]);
    let items: serde_json::Value = serde_json::from_str(&one.text()).expect("JSON");
    assert_eq!(items["items"][0]["value"], "\0".repeat(1_000));
    assert_eq!(items["items"][1]["found"], false);
    assert_eq!(get(&["a", "a"]).status, 413, "each byte is written as six");
}

#[test]
fn addresses_and_heads_that_are_none_are_told_so() {
    let server = server();
    for path in ["/v1/policies/%ff", "/v1/tenants/%ff"] {
        let response = ask(&server, "GET", path, &[], b"");
        let kind = response.header("content-type");
        assert_eq!(
            (response.status, kind),
            (400, Some("application/problem+json")),
            "{path}"
        );
    }
    assert_eq!(
        ask(
            &server,
            "GET",
            "/v1/stats",
            &["Host: localhost\r\nHost: evil"],
            b""
        )
        .status,
        400
    );
}

#[test]
fn a_request_that_was_begun_is_answered_by_a_server_that_drains() {
    let server = server();
    let addr = server.running.http_addr().expect("HTTP is on");
    let mut stream = connect(&server);
    let head = "PUT /v1/keys/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n";
    stream
        .write_all(format!("{head}ab").as_bytes())
        .expect("it is connected");
    // Behind it, an answer to another shows that the head was read.
    ask(&server, "GET", "/healthz", &[], b"");
    let draining = std::thread::spawn(move || server.drain());
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(addr).is_ok() && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    stream.write_all(b"cd").expect("it is connected");
    let mut response = Vec::new();
    stream
        .read_to_end(&mut response)
        .expect("the server closes");
    let response = String::from_utf8_lossy(&response);
    assert!(response.starts_with("HTTP/1.1 201 "), "{response}");
    assert_eq!(draining.join().expect("it drains").cut_off, 0);
}

#[test]
fn without_users_browsers_come_by_address() {
    let server = serve(|config| config.http = Some(SocketAddr::from(([0, 0, 0, 0], 0))));
    let status = |head: &[&str]| ask(&server, "GET", "/v1/stats", head, b"").status;
    let (browser, name) = ("User-Agent: Mozilla/5.0", "Host: evil.example:8379");
    assert_eq!(status(&[browser, name]), 421);
    assert_eq!(status(&["Origin: http://evil.example:8379", name]), 421);
    assert_eq!(status(&["User-Agent: curl/8", name]), 200);
    assert_eq!(status(&[browser, "Host: 192.168.0.7:8379"]), 200);
}
