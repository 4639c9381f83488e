//! A connection that writes many keys at a time and checks each reply.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use larder_resp::encode_command;

use crate::servers::{Protocol, Server};

/// Commands written before their replies are read.
const PIPELINE: u64 = 256;
/// Lines of an answer that are looked at.
const ANSWER_LINES_MAX: usize = 1_000;
/// A server that says nothing for so long is stuck.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Values written, all of one size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values {
    pub(crate) bytes: usize,
    /// Whether keys expire, hours later and each at another second.
    pub(crate) expiring: bool,
}

/// The key with this number, as redis-benchmark writes it: 16 bytes.
pub(crate) fn key(number: u64) -> String {
    format!("key:{number:012}")
}

/// Writes the keys with these numbers.
///
/// # Errors
/// When the server refuses one, or the connection breaks.
pub(crate) fn load(server: &Server, keys: Range<u64>, values: Values) -> Result<()> {
    let mut stream = connect(server.address())?;
    let value = vec![b'v'; values.bytes];
    let done: &[u8] = match server.protocol() {
        Protocol::Resp => b"+OK\r\n",
        Protocol::Memcached => b"STORED\r\n",
    };
    let (mut out, mut replies) = (Vec::new(), Vec::new());
    let mut next = keys.start;
    while next < keys.end {
        let end = keys.end.min(next + PIPELINE);
        out.clear();
        for number in next..end {
            let seconds = values.expiring.then_some(7200 + number % 86_400);
            write(server.protocol(), &mut out, &key(number), &value, seconds);
        }
        stream.write_all(&out)?;
        replies.resize((end - next) as usize * done.len(), 0);
        stream.read_exact(&mut replies)?;
        if let Some(at) = replies.chunks(done.len()).position(|reply| reply != done) {
            let rest = String::from_utf8_lossy(&replies[at * done.len()..]);
            bail!(
                "a write is refused: {}",
                rest.lines().next().unwrap_or_default()
            );
        }
        next = end;
    }
    Ok(())
}

fn write(protocol: Protocol, out: &mut Vec<u8>, key: &str, value: &[u8], seconds: Option<u64>) {
    let text = seconds.map(|seconds| seconds.to_string());
    match (protocol, text) {
        (Protocol::Resp, None) => encode_command(out, &[b"SET", key.as_bytes(), value]),
        (Protocol::Resp, Some(seconds)) => {
            encode_command(
                out,
                &[b"SET", key.as_bytes(), value, b"EX", seconds.as_bytes()],
            );
        }
        (Protocol::Memcached, seconds) => {
            let seconds = seconds.as_deref().unwrap_or("0");
            out.extend_from_slice(format!("set {key} 0 {seconds} {}\r\n", value.len()).as_bytes());
            out.extend_from_slice(value);
            out.extend_from_slice(b"\r\n");
        }
    }
}

/// Entries resident.
///
/// # Errors
/// When the connection breaks or the server does not say.
pub(crate) fn entries(server: &Server) -> Result<u64> {
    let (command, name) = match server.protocol() {
        Protocol::Resp => ("DBSIZE", ":"),
        Protocol::Memcached => ("stats", "STAT curr_items "),
    };
    figures(server, command, [name]).map(|[entries]| entries)
}

/// Reads that found their key and reads that did not, as a server of the Redis protocol counts them.
///
/// # Errors
/// When the connection breaks or the server does not say.
pub(crate) fn hits_and_misses(server: &Server) -> Result<[u64; 2]> {
    figures(server, "INFO stats", ["keyspace_hits:", "keyspace_misses:"])
}

/// Of what Larder fetched before anybody asked for it, how much was used, and how much wasted.
///
/// # Errors
/// When the connection breaks or the server does not say.
pub(crate) fn ahead(server: &Server) -> Result<[u64; 2]> {
    let names = ["prediction_used:", "prediction_wasted:"];
    figures(server, "INFO prediction", names)
}

/// The numbers behind these beginnings of lines in the answer to a command, which come in this order.
fn figures<const N: usize>(server: &Server, command: &str, names: [&str; N]) -> Result<[u64; N]> {
    let mut stream = connect(server.address())?;
    stream.write_all(format!("{command}\r\n").as_bytes())?;
    let mut lines = BufReader::new(stream).lines().take(ANSWER_LINES_MAX);
    let mut found = [0; N];
    for (name, found) in names.into_iter().zip(&mut found) {
        *found = loop {
            let line = lines
                .next()
                .with_context(|| format!("no '{name}' after {command}"))??;
            if let Some(number) = line.strip_prefix(name) {
                break number
                    .parse()
                    .with_context(|| format!("'{line}' after {command}"))?;
            }
        };
    }
    Ok(found)
}

/// A connection that gives up on a server that says nothing.
///
/// # Errors
/// When nobody listens.
pub(crate) fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(address).with_context(|| format!("cannot reach {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.set_write_timeout(Some(SILENCE_MAX))?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_write_what_was_asked() {
        let check = |protocol, seconds, expected: &str| {
            let mut out = Vec::new();
            write(protocol, &mut out, &key(12), b"vv", seconds);
            assert_eq!(out, expected.as_bytes());
        };
        let set = "SET\r\n$16\r\nkey:000000000012\r\n$2\r\nvv\r\n";
        check(Protocol::Resp, None, &format!("*3\r\n$3\r\n{set}"));
        let expiring = format!("*5\r\n$3\r\n{set}$2\r\nEX\r\n$2\r\n60\r\n");
        check(Protocol::Resp, Some(60), &expiring);
        check(
            Protocol::Memcached,
            None,
            "set key:000000000012 0 0 2\r\nvv\r\n",
        );
        check(
            Protocol::Memcached,
            Some(60),
            "set key:000000000012 0 60 2\r\nvv\r\n",
        );
    }
}
