//! What load generators need to know of a reply.

use std::fmt;

use larder_resp::{Limits, Peek, ProtocolError, peek};

/// One reply, borrowed from the bytes that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// A null: no such key.
    Absent,
    /// A string.
    Value(&'a [u8]),
    /// `+OK`.
    Ok,
    /// How many keys a DEL of one key removed.
    Removed,
    /// An error, its sign and line end left out.
    Error(&'a [u8]),
    /// What no command of the load generators is answered with.
    Other(&'a [u8]),
}

impl fmt::Display for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("a null"),
            Self::Value(value) => write!(f, "{} bytes, {}", value.len(), excerpt(value)),
            Self::Ok => f.write_str("+OK"),
            Self::Removed => f.write_str("a number of keys"),
            Self::Error(text) | Self::Other(text) => f.write_str(&excerpt(text)),
        }
    }
}

/// The reply that `input` starts with, and its length; `None` while it is incomplete.
pub(super) fn read(input: &[u8]) -> Result<Option<(Reply<'_>, usize)>, ProtocolError> {
    Ok(Some(match peek(input, &Limits::default())? {
        Peek::Incomplete => return Ok(None),
        Peek::Null { len } => (Reply::Absent, len),
        Peek::Bulk { len, start, end } => (Reply::Value(&input[start..end]), len),
        Peek::Error { len } => (Reply::Error(input[1..len].trim_ascii_end()), len),
        Peek::Other { len } => (other(&input[..len]), len),
    }))
}

fn other(bytes: &[u8]) -> Reply<'_> {
    match bytes {
        b"+OK\r\n" => Reply::Ok,
        b":0\r\n" | b":1\r\n" => Reply::Removed,
        _ => Reply::Other(bytes),
    }
}

/// `bytes` for a message: printable, and not too long.
fn excerpt(bytes: &[u8]) -> String {
    const BYTES_MAX: usize = 120;
    let shown = bytes[..bytes.len().min(BYTES_MAX)].escape_ascii();
    let more = if bytes.len() > BYTES_MAX { "..." } else { "" };
    format!("{shown}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_told_apart() {
        let check = |input: &[u8], expected| {
            assert_eq!(read(input).unwrap(), Some((expected, input.len())));
        };
        check(b"$-1\r\n", Reply::Absent);
        check(b"_\r\n", Reply::Absent);
        check(b"$3\r\nabc\r\n", Reply::Value(b"abc"));
        check(b"+OK\r\n", Reply::Ok);
        check(b":1\r\n", Reply::Removed);
        check(b":2\r\n", Reply::Other(b":2\r\n"));
        check(b"+QUEUED\r\n", Reply::Other(b"+QUEUED\r\n"));
        check(b"-ERR no\r\n", Reply::Error(b"ERR no"));
        assert_eq!(read(b"$3\r\nab").unwrap(), None);
        assert!(read(b"?").is_err());
    }

    #[test]
    fn messages_are_short_and_printable() {
        assert_eq!(Reply::Other(b"+a\r\n").to_string(), "+a\\r\\n");
        assert_eq!(Reply::Error(&[b'x'; 1_000]).to_string().len(), 123);
    }
}
