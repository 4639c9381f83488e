//! Who has the addresses that a server would listen on. A Larder that serves there already is fine.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use larder_server::NEEDS_TLS;

use super::Verdict;
use crate::config::Config;
use crate::health::{ask, reachable};

/// How long somebody may take to say who it is.
const PATIENCE: Duration = Duration::from_secs(5);
/// INFO of one section has some hundred bytes.
const ANSWER_BYTES_MAX: usize = 16 << 10;
/// The first byte of an alert of TLS, which is what one who wants a handshake sends to others.
const TLS_ALERT: u8 = 0x15;

/// Who answers at an address.
#[derive(Debug, PartialEq, Eq)]
enum Who {
    Larder,
    /// Somebody who speaks the Redis protocol and wants a password first.
    Locked,
    Tls,
    Redis,
    Other,
}

pub(super) fn check_listen(config: &Config) -> Verdict {
    check_resp(config, config.endpoints.listen, "listen")
}

pub(super) fn check_tls_listen(config: &Config) -> Verdict {
    check_resp(config, config.tls.listen, "tls-listen")
}

fn check_resp(config: &Config, addr: Option<SocketAddr>, key: &str) -> Verdict {
    let Some(addr) = addr else {
        return Verdict::fine("it is off");
    };
    check(addr, key, || {
        let who = who(reachable(addr));
        let told = match who {
            Who::Larder => "a Larder",
            Who::Locked => "somebody who wants a password",
            Who::Tls => "somebody who wants TLS",
            Who::Redis => "a Redis",
            Who::Other => "another program",
        };
        // Whoever wants a password or TLS does not say who it is; its health is for everybody.
        let may_be = matches!(who, Who::Locked | Who::Tls);
        let http = config.endpoints.http;
        let is_larder = who == Who::Larder
            || (may_be && http.is_some_and(|addr| is_ready_page(addr, config.tls.http)));
        (told, is_larder)
    })
}

pub(super) fn check_http(config: &Config) -> Verdict {
    match config.endpoints.http {
        Some(addr) => check(addr, "http", || {
            match is_ready_page(addr, config.tls.http) {
                true => ("a Larder", true),
                false => ("another program", false),
            }
        }),
        None => Verdict::fine("it is off"),
    }
}

/// Whether the address can be listened on, and if not, whether a Larder does.
fn check(addr: SocketAddr, key: &str, who: impl FnOnce() -> (&'static str, bool)) -> Verdict {
    let port = addr.port();
    if port == 0 {
        return Verdict::fine("any port that is free");
    }
    let error = match TcpListener::bind(addr) {
        Ok(_) => return Verdict::fine(format!("{addr} is free")),
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => match who() {
            ("a Larder", true) => Verdict::fine(format!("a Larder serves on {addr}")),
            (who, true) => Verdict::fine(format!("{who}, which is a Larder, serves on {addr}")),
            (who, false) => Verdict::wrong(
                format!("{who} listens on {addr} already"),
                format!("sudo ss -ltnp 'sport = :{port}'    # who; or choose another with --{key}"),
            ),
        },
        io::ErrorKind::PermissionDenied => Verdict::wrong(
            format!("{addr}: ports below 1024 are not for every user"),
            "sudo setcap cap_net_bind_service=+ep \"$(command -v larder)\"",
        ),
        io::ErrorKind::AddrNotAvailable => Verdict::wrong(
            format!("{addr} is no address of this machine"),
            format!("ip -brief addr    # those it has; choose one with --{key}"),
        ),
        _ => Verdict::wrong(
            format!("{addr} cannot be listened on: {error}"),
            "ip -brief addr",
        ),
    }
}

/// Whether a Larder tells its health there.
fn is_ready_page(addr: SocketAddr, is_tls: bool) -> bool {
    const SAID: [&str; 4] = [
        "ready",
        "starting",
        "draining",
        "failed: a worker thread died",
    ];
    let asked = ask(reachable(addr), "/readyz", is_tls, PATIENCE);
    asked.is_ok_and(|(_, said)| SAID.contains(&&*said))
}

fn who(addr: SocketAddr) -> Who {
    match introduced(addr) {
        Ok(answer) => recognized(&answer),
        Err(_) => Who::Other,
    }
}

/// What is answered to the question who it is, as far as it comes in time.
fn introduced(addr: SocketAddr) -> io::Result<Vec<u8>> {
    let start = Instant::now();
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 1024];
    while recognized(&answer) == Who::Other && answer.len() < ANSWER_BYTES_MAX {
        let left = PATIENCE.saturating_sub(start.elapsed());
        if left.is_zero() {
            break;
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(bytes @ 1..) => answer.extend_from_slice(&buffer[..bytes]),
            Ok(0) | Err(_) => break,
        }
    }
    Ok(answer)
}

fn recognized(answer: &[u8]) -> Who {
    let has = |text: &[u8]| answer.windows(text.len()).any(|window| window == text);
    match answer {
        [TLS_ALERT, ..] => Who::Tls,
        _ if answer.starts_with(b"-NOAUTH") => Who::Locked,
        // Only a Larder says so to those who speak without TLS.
        _ if has(NEEDS_TLS.as_bytes()) => Who::Larder,
        _ if has(b"server_name:larder") => Who::Larder,
        _ if answer.starts_with(b"$") && has(b"tcp_port:") => Who::Redis,
        _ => Who::Other,
    }
}

#[cfg(test)]
mod tests;
