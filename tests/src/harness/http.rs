//! As much of HTTP as it takes to ask a server how it is.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::patience::PATIENCE;

/// The answer to a request.
#[derive(Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Everything above the body.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Asks for `path`.
///
/// # Errors
/// When nobody answers, or not in HTTP.
pub fn get(addr: SocketAddr, path: &str) -> io::Result<Response> {
    get_with(addr, path, "")
}

/// As [`get`], with more headers, each a whole line.
///
/// # Errors
/// Likewise.
pub fn get_with(addr: SocketAddr, path: &str, headers: &str) -> io::Result<Response> {
    let mut stream = TcpStream::connect_timeout(&addr, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).ok_or_else(|| io::Error::other(format!("no HTTP: {answer:?}")))
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some(Response {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}
