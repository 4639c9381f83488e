use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use super::*;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(90);

/// Answers requests with these, one after the other, and hands on what was asked: the head in small letters, and the body.
fn listen(answers: &'static [&'static str]) -> (Uri, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let (asked, asks) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream);
            let (mut head, mut bytes) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim_end().to_ascii_lowercase();
                if line.is_empty() {
                    break;
                }
                if let Some(length) = line.strip_prefix("content-length: ") {
                    bytes = length.parse().unwrap();
                }
                head += &format!("{line}\n");
            }
            let mut body = vec![0; bytes];
            reader.read_exact(&mut body).unwrap();
            let close = "Content-Length: 0\r\nConnection: close\r\n\r\n";
            let answer = format!("HTTP/1.1 {answer}\r\n{close}");
            reader.get_mut().write_all(answer.as_bytes()).unwrap();
            asked
                .send((head, String::from_utf8(body).unwrap()))
                .unwrap();
        }
    });
    (url.parse().unwrap(), asks)
}

fn start(url: Uri) -> Arc<Webhook> {
    let client = HttpClient::start("hooks", false).unwrap();
    let options = WebhookOptions {
        tenant: "a".to_owned(),
        url,
        secret: Some(b"secret".to_vec()),
        clock: || 17,
        pause: Duration::from_millis(1),
    };
    Webhook::start(&client, options)
}

fn until(hook: &Webhook, is_so: impl Fn(WebhookFigures) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so(hook.figures()) {
        assert!(Instant::now() < deadline, "{:?}", hook.figures());
        thread::yield_now();
    }
}

#[test]
fn a_batch_is_sealed_and_sent_until_it_is_taken() {
    let (url, asks) = listen(&["500 No", "302 Found", "204 Done"]);
    let hook = start(url);
    hook.tell("{}".to_owned());
    let mut sent = Vec::new();
    for _ in 0..3 {
        sent.push(asks.recv_timeout(PATIENCE).unwrap());
    }
    let (head, body) = &sent[0];
    assert_eq!(body, "{\"tenant\":\"a\",\"events\":[{}]}");
    assert!(head.starts_with("post /hook http/1.1\n"), "{head}");
    for line in [
        "content-type: application/json\n".to_owned(),
        "larder-timestamp: 17\n".to_owned(),
        format!("larder-signature: {}\n", signature(b"secret", "17", body)),
    ] {
        assert!(head.contains(&line), "{line} in {head}");
    }
    assert!(sent.iter().all(|(_, other)| other == body));
    until(&hook, |figures| figures.sent == 1);
    let expected = WebhookFigures {
        sent: 1,
        failures: 2,
        ..WebhookFigures::default()
    };
    assert_eq!(hook.figures(), expected);
}

#[test]
fn what_is_never_taken_is_given_up_and_what_follows_is_sent() {
    let (url, asks) = listen(&[
        "503 No", "503 No", "503 No", "503 No", "503 No", "503 No", "200 OK",
    ]);
    let hook = start(url);
    hook.tell("{}".to_owned());
    for _ in 0..ATTEMPTS_MAX {
        asks.recv_timeout(PATIENCE).unwrap();
    }
    until(&hook, |figures| figures.dropped == 1);
    hook.tell("{\"n\":2}".to_owned());
    let (_, body) = asks.recv_timeout(PATIENCE).unwrap();
    assert!(body.contains("[{\"n\":2}]"), "{body}");
    until(&hook, |figures| figures.sent == 1);
    assert_eq!(hook.figures().waiting_bytes, 0);
}

#[test]
fn what_finds_no_room_is_dropped() {
    // Nobody takes what was sent, so what comes behind it waits.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let hook = start(url.parse().unwrap());
    let event = "x".repeat(1 << 20);
    for _ in 0..12 {
        hook.tell(event.clone());
    }
    let figures = hook.figures();
    assert!(figures.waiting_bytes <= WAITING_BYTES_MAX);
    assert_eq!(figures.dropped, 12 - 7);
}

#[test]
fn the_seal_is_hmac_sha256_of_time_and_body() {
    let body = body("a", &["{}".to_owned(), "{}".to_owned()]);
    assert_eq!(
        signature(b"secret", "17", &body),
        "1e7222c56cd1eebc06b338f769b3ccd273b228e35c4003e2baec1dbe5bd645d0"
    );
}
