//! What keeps a tier, or a server, from its beginning: one sentence each.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::thread;
use std::time::Duration;

use e2e::harness::{PATIENCE, Process, Redis, Server, free_address};
use larder_resp::{Limits, Parsed, RequestParser};
use larder_tiers::conformance::{key, put};
use larder_tiers::redis::RedisOptions;

use super::{Asked, open, options};
use crate::tls::Files;

/// Why it does not open.
#[track_caller]
fn refused(options: &RedisOptions) -> String {
    let text = open(options).err().expect("it does not open").to_string();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(!text.contains("secret"), "{text}");
    text
}

#[test]
fn a_wrong_password_or_none_is_refused() {
    let test = "a_wrong_password_or_none_is_refused";
    let Some(redis) = Redis::start_with(test, &["--requirepass", "secret:@/%"]) else {
        return;
    };
    let addr = redis.addr();
    for url in [
        format!("redis://{addr}"),
        format!("redis://:not-the-secret@{addr}"),
    ] {
        let text = refused(&options(&url, "p"));
        assert!(text.contains("refuses user or password"), "{text}");
    }
    let tier = Asked::open(&options(
        &format!("redis://:secret%3A%40%2F%25@{addr}"),
        "p",
    ));
    tier.wrote(&[put("k", "v")]);
    let given = RedisOptions {
        password: Some("secret:@/%".to_owned().into()),
        ..options(&format!("redis://default@{addr}"), "p")
    };
    assert_eq!(Asked::open(&given).value(&key("k")), Some(b"v".to_vec()));
}

#[test]
fn a_user_who_may_tell_nobody_is_refused_where_servers_are_to_tell_each_other() {
    let test = "a_user_who_may_tell_nobody_is_refused_where_servers_are_to_tell_each_other";
    let Some(redis) = Redis::start(test) else {
        return;
    };
    let mute = ["ACL", "SETUSER", "mute", "on", ">secret", "~*", "+@all"];
    assert_eq!(redis.client().call(&mute), crate::values::ok());
    let alone = options(&format!("redis://mute:secret@{}", redis.addr()), "p");
    let shared = RedisOptions {
        hearing: Some(PATIENCE),
        // It is refused though it may begin without Redis.
        is_required: false,
        ..alone.clone()
    };
    let text = refused(&shared);
    assert!(
        text.contains("channel p:0:m") && text.contains("&p:0:m") && text.contains("share"),
        "{text}"
    );
    let tier = Asked::open(&alone);
    tier.wrote(&[put("k", "v")]);
    assert_eq!(tier.value(&key("k")), Some(b"v".to_vec()));
}

/// A server that knows two commands, or one where it is so old.
fn old_redis(version: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || serve_old(&mut stream, version));
        }
    });
    addr
}

fn serve_old(stream: &mut TcpStream, version: &str) {
    let mut parser = RequestParser::new(Limits::default());
    let (mut input, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(bytes @ 1..) = stream.read(&mut chunk) {
        input.extend_from_slice(&chunk[..bytes]);
        while let Ok(Parsed::Request { args, consumed }) = parser.parse(&input) {
            let info = format!("redis_version:{version}\r\n");
            let is = |name: &[u8]| args[0].eq_ignore_ascii_case(name);
            let reply = match () {
                () if is(b"INFO") => format!("${}\r\n{info}\r\n", info.len()),
                () if is(b"HELLO") && !version.starts_with('5') => "%0\r\n".to_owned(),
                () => "-ERR unknown command\r\n".to_owned(),
            };
            input.drain(..consumed);
            if stream.write_all(reply.as_bytes()).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_redis_that_is_too_old_is_refused_in_one_sentence() {
    for (version, told) in [
        ("5.0.14", Some("5 or earlier")),
        ("6.0.16", Some("6.0.16")),
        ("6.2.0", None),
    ] {
        let text = refused(&options(
            &format!("redis-cluster://{}", old_redis(version)),
            "p",
        ));
        let expected = match told {
            Some(told) => format!("is version {told}; version 6.2 or later is needed"),
            None => "say redis://".to_owned(),
        };
        assert!(text.ends_with(&expected), "{text}");
    }
}

#[test]
fn one_redis_and_a_cluster_are_not_taken_for_each_other() {
    let test = "one_redis_and_a_cluster_are_not_taken_for_each_other";
    let Some(single) = Redis::start(test) else {
        return;
    };
    // By itself it takes a port so far above its own that there may be none.
    let bus = free_address().port().to_string();
    let args = ["--cluster-enabled", "yes", "--cluster-port", &bus];
    let node = Redis::start_with(test, &args).unwrap();
    let text = refused(&options(&format!("redis-cluster://{}", single.addr()), "p"));
    assert!(
        text.contains("is no cluster") && text.ends_with("say redis://"),
        "{text}"
    );
    let text = refused(&options(&format!("redis://{}", node.addr()), "p"));
    assert!(
        text.ends_with("is a node of a cluster; say redis-cluster://"),
        "{text}"
    );
    let text = refused(&options(&format!("redis-cluster://{}", node.addr()), "p"));
    assert!(text.contains("has no slots yet; join its nodes"), "{text}");
}

#[test]
fn tls_is_spoken_with_whom_the_authority_vouches_for() {
    let files = Files::new();
    let path = |name: &str| files.shown(name);
    let test = "tls_is_spoken_with_whom_the_authority_vouches_for";
    let (cert, key_file, ca) = (path("cert"), path("key"), path("ca"));
    let args = [
        "--tls-cert-file",
        &cert,
        "--tls-key-file",
        &key_file,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
    ];
    let start = |asks: &'static str| Redis::start_with(test, &[&args[..], &[asks]].concat());
    let Some(redis) = start("no") else {
        return;
    };
    let trusting = |ca: &Files| RedisOptions {
        tls_ca: Some(fs::read(ca.shown("ca")).unwrap()),
        ..options(&format!("rediss://{}", redis.addr()), "p")
    };
    let tier = Asked::open(&trusting(&files));
    tier.wrote(&[put("k", "v")]);
    assert_eq!(tier.value(&key("k")), Some(b"v".to_vec()));
    let text = refused(&trusting(&Files::new()));
    assert!(
        text.contains("certificate") && text.contains("tls_ca"),
        "{text}"
    );
    let text = refused(&RedisOptions {
        tls_ca: Some(b"no certificate".to_vec()),
        ..trusting(&files)
    });
    assert!(
        text.contains("there is no certificate in the file"),
        "{text}"
    );
    let asking = start("yes").unwrap();
    let text = refused(&RedisOptions {
        address: format!("rediss://{}", asking.addr()).parse().unwrap(),
        ..trusting(&files)
    });
    assert!(text.contains("asks for a certificate"), "{text}");
    let plain = Redis::start(test).unwrap();
    let text = refused(&RedisOptions {
        address: format!("rediss://{}", plain.addr()).parse().unwrap(),
        timeout: Duration::from_secs(5),
        ..trusting(&files)
    });
    assert!(text.contains("TLS"), "{text}");
    let text = refused(&options(&format!("redis://{}", redis.addr()), "p"));
    assert!(text.contains("say rediss://"), "{text}");
}

/// A server that answers as those of the web do.
#[test]
fn what_does_not_speak_the_protocol_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 512]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let text = refused(&options(&format!("redis://{addr}"), "p"));
    let expected = "what answers there does not speak the protocol of Redis";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn a_server_whose_redis_is_away_starts_unless_it_is_required() {
    let addr = free_address();
    let url = format!("redis://user:secret@{addr}");
    let folder = tempfile::tempdir().unwrap();
    let command = |flags: &[&str]| -> Command {
        let all = [&["--l2", &url], flags].concat();
        Server::command(&all, folder.path())
    };
    let mut process = Process::start(&mut command(&["--l2-required"]));
    let status = process.wait(PATIENCE).expect("it ends");
    let said = process.finished(status).stderr;
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!("redis://user:***@{addr} cannot be reached")),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    let server = Server::start(&["--l2", &url]);
    let mut client = server.client();
    assert_eq!(client.call(&["SET", "k", "v"]), crate::values::ok());
    assert_eq!(client.call(&["GET", "k"]), crate::values::bulk("v"));
    assert!(server.metric("larder_tier_write_errors_total") >= 1.0);
    let said = server.process().said("cannot be reached");
    assert!(!said.contains("secret"), "{said}");
}
