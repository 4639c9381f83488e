mod pki;

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use tokio_rustls::rustls::SupportedProtocolVersion;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::*;
use crate::ServerConfig;
use crate::testing::{Client, Server, bulk, command, eventually, serve};
use pki::{Authority, Files, TlsClient, connect, plain};

fn localhost() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A server on those files; TLS for HTTP too.
fn served(tls: TlsConfig) -> Server {
    served_with(tls, |_| {})
}

fn served_with(tls: TlsConfig, tweak: impl FnOnce(&mut ServerConfig)) -> Server {
    serve(|config| {
        config.http = Some(localhost());
        config.tls = Some(TlsConfig { http: true, ..tls });
        tweak(config);
    })
}

impl Server {
    fn tls(&self) -> SocketAddr {
        self.running.tls_addr().unwrap()
    }

    fn totals(&self) -> TlsTotals {
        self.shared.totals().tls
    }

    /// A look at the files, as is taken once a second.
    fn look(&self) {
        let tls = self.shared.tls.get().unwrap();
        tls.look(&mut tls.looked.lock().unwrap());
    }
}

/// The whole answer to a request over HTTPS.
fn get(client: &mut TlsClient, path: &str) -> String {
    client.send(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ));
    String::from_utf8(client.rest()).unwrap()
}

fn speaks(version: &'static SupportedProtocolVersion) {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served(files.config());
    let mut client = connect(server.tls(), authority.client_of(None, &[version]));
    client.ask("PING\r\n", "+PONG\r\n");
    // More than any buffer on the way has room for, in both directions.
    let value: Vec<u8> = (0..4_000_000_u32).map(|at| (at % 251) as u8).collect();
    client.ask(command(&[b"SET", b"big", &value]), "+OK\r\n");
    client.ask(command(&[b"GET", b"big"]), bulk(&value));
    // Requests that are sent before any reply is taken.
    const TIMES: usize = 16;
    client.send(command(&[b"GET", b"big"]).repeat(TIMES));
    for _ in 0..TIMES {
        client.expect(bulk(&value));
    }
    let small = command(&[b"INCR", b"n"]).repeat(10_000);
    let replies: Vec<u8> = (1..=10_000)
        .flat_map(|n| format!(":{n}\r\n").into_bytes())
        .collect();
    client.ask(small, replies);
    // `rest` wants the end to be said within TLS.
    client.send("QUIT\r\n");
    assert_eq!(client.rest(), b"+OK\r\n");
    drop(client);
    assert_eq!(server.totals().done, 1);
    eventually(|| server.shared.buffers.used_bytes() == 0);
}

#[test]
fn version_1_2_carries_any_request_and_reply() {
    speaks(&TLS12);
}

#[test]
fn version_1_3_carries_any_request_and_reply() {
    speaks(&TLS13);
}

#[test]
fn the_plain_port_can_be_left_out() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served_with(files.config(), |config| {
        config.listen = None;
        config.threads = 2;
    });
    assert_eq!(server.running.resp_addr(), None);
    let mut client = connect(server.tls(), authority.client(None));
    client.ask(
        command(&[b"CONFIG", b"GET", b"port"]),
        "*2\r\n$4\r\nport\r\n$1\r\n0\r\n",
    );
    let port = server.tls().port().to_string();
    let told = [&b"*2\r\n"[..], &bulk(b"tls-port"), &bulk(port.as_bytes())].concat();
    client.ask(command(&[b"CONFIG", b"GET", b"tls-port"]), told);
}

#[test]
fn a_client_that_closes_without_a_word_has_closed() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served(files.config());
    let mut client = connect(server.tls(), authority.client(None));
    client.ask("PING\r\n", "+PONG\r\n");
    let used = server.shared.buffers.used_bytes();
    assert_eq!(
        used,
        TlsStream::OPEN_BYTES as u64,
        "what TLS holds is paid for"
    );
    client
        .stream
        .sock
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    assert_eq!(client.rest(), b"", "and is answered with an end within TLS");
    eventually(|| server.shared.totals().connections == 0);
}

#[test]
fn who_speaks_without_tls_is_told_so_and_turned_away() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served(files.config());
    let mut client = Client {
        stream: plain(server.tls()),
    };
    client.send("PING\r\n");
    assert_eq!(client.rest(), format!("-{NEEDS_TLS}\r\n").into_bytes());
    let mut browser = Client {
        stream: plain(server.running.http_addr().unwrap()),
    };
    browser.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let answer = String::from_utf8(browser.rest()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{answer}"
    );
    assert_eq!(server.totals().plaintext, 2);
    // And the other way round.
    let mut lost = connect(server.running.resp_addr().unwrap(), authority.client(None));
    assert!(lost.stream.write_all(b"PING\r\n").is_err());
    assert_eq!(server.shared.totals().protocol_errors, 1);
}

#[test]
fn a_handshake_that_does_not_end_is_cut_off() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served_with(files.config(), |config| {
        config.request_timeout = Duration::from_millis(100);
    });
    let mut silent = plain(server.tls());
    let mut begun = plain(server.tls());
    begun.write_all(&[0x16, 3, 1, 2, 0]).unwrap();
    for stream in [&mut silent, &mut begun] {
        let end = stream.read(&mut [0]);
        assert!(matches!(end, Ok(0)), "{end:?}");
    }
    eventually(|| server.totals().unfinished == 2);
    assert_eq!(server.shared.totals().timed_out, 2);
    eventually(|| server.shared.buffers.used_bytes() == 0);
}

#[test]
fn a_server_that_drains_waits_for_no_handshake() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served_with(files.config(), |config| {
        config.drain_timeout = Duration::from_secs(600);
    });
    let mut client = connect(server.tls(), authority.client(None));
    client.ask("PING\r\n", "+PONG\r\n");
    let _silent = plain(server.tls());
    eventually(|| server.shared.totals().connections == 2);
    assert_eq!(server.drain().cut_off, 0);
    assert_eq!(client.rest(), b"", "the end is said within TLS");
}

/// What PING comes to with that certificate.
fn ping(
    server: &Server,
    authority: &Authority,
    own: Option<&pki::Issued>,
) -> Result<(), ErrorKind> {
    let mut client = connect(server.tls(), authority.client(own));
    let mut pong = [0; 7];
    let asked = client.stream.write_all(b"PING\r\n");
    asked.map_err(|error| error.kind())?;
    let read = client.stream.read_exact(&mut pong);
    read.map_err(|error| error.kind())
}

#[test]
fn clients_show_certificates_where_they_are_asked_for() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let files = Files::new(&authority.issue());
    let (own, foreign) = (authority.issue(), stranger.issue());
    for (client_auth, without_is_fine) in
        [(ClientAuth::Optional, true), (ClientAuth::Required, false)]
    {
        let server = served(files.asking(&authority, client_auth));
        assert_eq!(ping(&server, &authority, Some(&own)), Ok(()));
        assert!(ping(&server, &authority, Some(&foreign)).is_err());
        assert_eq!(ping(&server, &authority, None).is_ok(), without_is_fine);
        let failed = if without_is_fine { 1 } else { 2 };
        eventually(|| server.totals().failed == failed);
    }
}

#[test]
fn over_http_only_health_is_for_clients_without_a_certificate_that_is_required() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served(files.asking(&authority, ClientAuth::Required));
    let own = authority.issue();
    for (path, own, status) in [
        ("/healthz", None, 200),
        ("/readyz", None, 200),
        ("/v1/stats", None, 403),
        ("/metrics", None, 403),
        ("/", None, 403),
        ("/v1/stats", Some(&own), 200),
        ("/metrics", Some(&own), 200),
    ] {
        let addr = server.running.http_addr().unwrap();
        let answer = get(&mut connect(addr, authority.client(own)), path);
        let expected = format!("HTTP/1.1 {status} ");
        assert!(answer.starts_with(&expected), "{path}: {answer}");
    }
}

/// Whether a new connection trusts that authority's certificate.
fn trusts(server: &Server, authority: &Authority) -> bool {
    ping(server, authority, None).is_ok()
}

#[test]
fn new_files_are_taken_once_they_are_settled_and_fit() {
    let (old, new) = (Authority::new(), Authority::new());
    let files = Files::new(&old.issue());
    let server = served(files.config());
    let mut first = connect(server.tls(), old.client(None));
    first.ask("PING\r\n", "+PONG\r\n");
    server.look();
    let issued = new.issue();
    files.write("cert.pem", &issued.cert);
    server.look();
    assert_eq!(
        server.totals().reloads_refused,
        0,
        "seen once, it may still change"
    );
    server.look();
    server.look();
    assert_eq!(
        server.totals().reloads_refused,
        1,
        "refused once, not at each look"
    );
    assert!(
        trusts(&server, &old),
        "what was there before stays in force"
    );
    files.write("key.pem", &issued.key);
    server.look();
    assert!(trusts(&server, &old));
    server.look();
    assert_eq!(
        (server.totals().reloads, server.totals().reloads_refused),
        (1, 1)
    );
    assert!(trusts(&server, &new) && !trusts(&server, &old));
    first.ask("PING\r\n", "+PONG\r\n");
    // A file that is gone is refused, too, and one that comes back as it was is nothing new.
    std::fs::rename(files.path("key.pem"), files.path("away")).unwrap();
    server.look();
    server.look();
    assert_eq!(server.totals().reloads_refused, 2);
    std::fs::rename(files.path("away"), files.path("key.pem")).unwrap();
    server.look();
    server.look();
    assert!(trusts(&server, &new));
}

#[test]
fn files_are_looked_at_once_a_second() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let tls = Tls::new(files.config(), || 0).unwrap();
    files.write("cert.pem", "");
    for (now_ns, refused) in [
        (999_999_999, 0),
        (1_000_000_000, 0),
        (1_500_000_000, 0),
        (2_000_000_000, 1),
    ] {
        tls.look_in_time(now_ns);
        assert_eq!(tls.totals().reloads_refused, refused, "{now_ns}");
    }
}

#[test]
fn wrong_files_are_told_by_key_path_and_what_to_do() {
    let authority = Authority::new();
    let (issued, other) = (authority.issue(), authority.issue());
    let encrypted =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let endless = "-----BEGIN CERTIFICATE-----\nAAAA\n";
    let long = "x".repeat((1 << 20) + 1);
    for (name, text, key, says) in [
        ("cert.pem", "", "tls.cert", "holds no certificate"),
        ("cert.pem", garbage, "tls.cert", "is no X.509 certificate"),
        ("cert.pem", endless, "tls.cert", "is no PEM"),
        ("cert.pem", &long, "tls.cert", "longer than 1 MiB"),
        ("key.pem", "", "tls.key", "holds no private key"),
        ("key.pem", &issued.cert, "tls.key", "holds no private key"),
        ("key.pem", encrypted, "tls.key", "openssl pkey"),
        (
            "key.pem",
            &other.key,
            "tls.key",
            "does not belong to the first certificate",
        ),
        ("ca.pem", "", "tls.client_ca", "holds no certificate"),
        ("ca.pem", garbage, "tls.client_ca", "is refused"),
    ] {
        let files = Files::new(&issued);
        let config = files.asking(&authority, ClientAuth::Optional);
        assert!(check_tls(&config).is_ok());
        files.write(name, text);
        let error = check_tls(&config).unwrap_err();
        assert_eq!((error.key, &error.path), (key, &files.path(name)));
        assert!(error.why.contains(says), "{error}");
        std::fs::remove_file(files.path(name)).unwrap();
        let error = check_tls(&config).unwrap_err();
        assert_eq!(error.key, key);
        assert!(error.why.contains("cannot be read"), "{error}");
        std::fs::create_dir(files.path(name)).unwrap();
        let error = check_tls(&config).unwrap_err();
        assert!(error.why.contains("is no file"), "{error}");
    }
}

#[test]
fn handshakes_that_find_no_room_are_turned_away_and_who_says_nothing_takes_none() {
    let authority = Authority::new();
    let files = Files::new(&authority.issue());
    let server = served_with(files.config(), |config| {
        // For those who have not signed in this makes one handshake and a half.
        config.client_buffers_bytes_max = 12 * TlsStream::GREETING_BYTES;
    });
    let used = || server.shared.buffers.used_bytes();
    let silent: Vec<_> = (0..8).map(|_| plain(server.tls())).collect();
    eventually(|| server.shared.totals().connections == 8);
    assert_eq!(used(), 0);
    let mut first = connect(server.tls(), authority.client(None));
    first.ask("PING\r\n", "+PONG\r\n");
    assert_eq!(used(), TlsStream::OPEN_BYTES as u64);
    // One that does not go on is cut off soon, as it is crowded: another takes its place.
    let is_refused = (0..20).any(|_| {
        let mut begun = plain(server.tls());
        begun.write_all(&[0x16, 3, 1, 2, 0]).unwrap();
        ping(&server, &authority, None).is_err()
    });
    assert!(is_refused && server.totals().crowded > 0);
    first.ask("PING\r\n", "+PONG\r\n");
    eventually(|| used() == TlsStream::OPEN_BYTES as u64);
    assert_eq!(ping(&server, &authority, None), Ok(()));
    drop(silent);
}
