//! `larder health`: is the server ready? For health checks of containers, which have no other program
//! to ask with.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Args;

use crate::config::{self, Sources};
use crate::load::duration;
use crate::tls;

/// An answer has some two hundred bytes, a page of metrics some hundred thousand.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

const EXAMPLES: &str = "\
Examples:
  larder health                          ask the server that the settings describe
  larder health --http 127.0.0.1:8379 --timeout 1s
  larder health --http 10.0.0.7:8379 --tls
  larder health --config larder.toml

Exit codes: 0 ready; 1 not ready, or there is no answer in time; 2 wrong command line or settings.";

/// Ask a server whether it is ready, and say so by the exit code
///
/// Asks for /readyz over HTTP, for as long as --timeout at most. Over TLS any certificate will do, as
/// nothing is told to the server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    whom: WhomArgs,
}

/// Whom to ask over HTTP.
#[derive(Debug, Args)]
pub(crate) struct WhomArgs {
    /// Where the server serves HTTP; what the settings say if left out
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Ask over TLS; what the settings say if --http is left out
    #[arg(long, requires = "http")]
    tls: bool,
    /// The configuration file of the server, in TOML
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How long to wait for the answer
    #[arg(long, value_name = "TIME", default_value = "3s", value_parser = duration)]
    timeout: Duration,
}

impl HealthArgs {
    /// Asks, and prints the answer.
    ///
    /// # Errors
    /// When the settings are wrong, or serve no HTTP.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        match self.whom.find()?.ask("/readyz") {
            Ok((200, said)) => {
                println!("{said}");
                Ok(ExitCode::SUCCESS)
            }
            Ok((_, said)) => {
                eprintln!("not ready: {said}");
                Ok(ExitCode::FAILURE)
            }
            Err(error) => {
                eprintln!("no answer: {error:#}");
                Ok(ExitCode::FAILURE)
            }
        }
    }
}

impl WhomArgs {
    /// The server that is meant.
    ///
    /// # Errors
    /// When the settings are wrong, or serve no HTTP.
    pub(crate) fn find(self) -> anyhow::Result<Whom> {
        let (addr, is_tls) = match self.http {
            Some(addr) => (addr, self.tls),
            None => configured(self.config)?,
        };
        Ok(Whom {
            addr: reachable(addr),
            is_tls,
            timeout: self.timeout,
        })
    }
}

/// A server that can be asked over HTTP.
pub(crate) struct Whom {
    addr: SocketAddr,
    is_tls: bool,
    timeout: Duration,
}

impl Whom {
    /// The status and the text of the answer to a request for `path`.
    ///
    /// # Errors
    /// When there is none in time, or it is no HTTP.
    pub(crate) fn ask(&self, path: &str) -> anyhow::Result<(u16, String)> {
        ask(self.addr, path, self.is_tls, self.timeout)
    }
}

/// Where the server serves HTTP by file and environment, and whether over TLS.
fn configured(file: Option<PathBuf>) -> anyhow::Result<(SocketAddr, bool)> {
    let sources = Sources {
        file,
        environment: std::env::vars_os().collect(),
        ..Sources::default()
    };
    let config = config::load(sources)?.config;
    let http = config.endpoints.http;
    let http = http.context("the settings serve no HTTP (http = \"none\"), so nobody can ask")?;
    Ok((http, config.tls.http))
}

/// The address under which this machine reaches a server that listens on all of its addresses.
pub(crate) fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// The status and the text of the answer to a request for `path`.
///
/// # Errors
/// When there is none within `timeout`, all in all, or it is no HTTP.
pub(crate) fn ask(
    addr: SocketAddr,
    path: &str,
    is_tls: bool,
    timeout: Duration,
) -> anyhow::Result<(u16, String)> {
    let socket = Timed {
        ends: Instant::now() + timeout,
        stream: TcpStream::connect_timeout(&addr, timeout)
            .with_context(|| format!("nobody listens on {addr}"))?,
    };
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    let answer = match is_tls {
        false => exchange(socket, &request),
        true => {
            let config = tls::trusting_anyone()?;
            tls::open(config, &addr.ip().to_string(), socket)
                .and_then(|socket| exchange(socket, &request))
        }
    };
    let answer = answer.map_err(|error| {
        let why = match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => {
                format!("{addr} has not answered within {timeout:?}")
            }
            _ if is_tls => format!("{addr} gives no answer over TLS"),
            _ => format!("{addr} gives no answer"),
        };
        anyhow::Error::from(error).context(why)
    })?;
    if answer.len() as u64 > ANSWER_BYTES_MAX {
        bail!("{addr} answers without end");
    }
    parse(&String::from_utf8_lossy(&answer)).with_context(|| format!("{addr} speaks no HTTP"))
}

/// All that is answered until the other side closes, or too much of it.
fn exchange(mut socket: impl Read + Write, request: &str) -> io::Result<Vec<u8>> {
    socket.write_all(request.as_bytes())?;
    socket.flush()?;
    let mut answer = Vec::new();
    socket.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut answer)?;
    Ok(answer)
}

/// A connection that nobody is waited for on beyond a moment, however many reads it takes.
struct Timed {
    stream: TcpStream,
    ends: Instant,
}

impl Timed {
    fn left(&self) -> io::Result<Duration> {
        let left = self.ends.saturating_duration_since(Instant::now());
        match left.is_zero() {
            true => Err(io::ErrorKind::TimedOut.into()),
            false => Ok(left),
        }
    }
}

impl Read for Timed {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(out)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    Some((status, body.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    /// Asks somebody who answers one connection with `answer`.
    fn asked(answer: &'static [u8]) -> Result<(u16, String), String> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let bytes = stream.read(&mut request).unwrap();
            assert!(request[..bytes].starts_with(b"GET /readyz HTTP/1.1\r\n"));
            stream.write_all(answer).unwrap();
        });
        let patience = Duration::from_secs(60);
        let outcome = ask(addr, "/readyz", false, patience).map_err(|error| format!("{error:#}"));
        answering.join().unwrap();
        outcome
    }

    #[test]
    fn status_and_text_are_told_and_what_is_no_http_is_refused() {
        let ready = asked(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nready\n");
        assert_eq!(ready, Ok((200, "ready".into())));
        let draining = asked(b"HTTP/1.1 503 Busy\r\n\r\ndraining\n");
        assert_eq!(draining, Ok((503, "draining".into())));
        let other = asked(b"-ERR unknown command\r\n").unwrap_err();
        assert!(other.ends_with("speaks no HTTP"), "{other}");
    }

    #[test]
    fn who_does_not_answer_is_waited_for_only_so_long() {
        // The system takes the connection, and nobody ever reads from it.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let silent = ask(addr, "/readyz", false, Duration::from_millis(50)).unwrap_err();
        let said = format!("{silent:#}");
        assert!(said.contains("has not answered within 50ms"), "{said}");
    }

    #[test]
    fn a_server_that_listens_everywhere_is_reached_on_this_machine() {
        let check = |addr: &str, expected: &str| {
            assert_eq!(reachable(addr.parse().unwrap()), expected.parse().unwrap());
        };
        check("0.0.0.0:8379", "127.0.0.1:8379");
        check("[::]:8379", "[::1]:8379");
        check("10.0.0.7:1", "10.0.0.7:1");
    }
}
