//! The blocks that a server sends of a recording.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use larder_engine::recording::{HEAD_BYTES, Head, RECORDED_BYTES};
use larder_resp::{Limits, Peek, encode_command, peek};

use crate::address::Socket;

/// How long a read waits, so that whoever asks can look at other things too.
const WAIT: Duration = Duration::from_millis(100);
const READ_BYTES: usize = 64 << 10;
/// Bytes of a block; the server makes far shorter ones.
const BLOCK_BYTES_MAX: usize = 1 << 20;

/// A connection that a server sends a recording through.
pub(super) struct Blocks {
    socket: Socket,
    received: Vec<u8>,
    /// Bytes of `received` that were given out.
    given: usize,
    buffer: Box<[u8]>,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<'a> {
    /// How the recording stands, and the next of it.
    Block {
        head: Head,
        records: &'a [[u8; RECORDED_BYTES]],
    },
    /// Nothing within a moment.
    Nothing,
    /// The server does not record, and why.
    Refusal(String),
    /// The server has closed the connection.
    End,
}

impl Blocks {
    /// Sends the order.
    pub(super) fn order(mut socket: Socket, order: &[&str]) -> io::Result<Self> {
        let args: Vec<_> = order.iter().map(|arg| arg.as_bytes()).collect();
        let mut request = Vec::new();
        encode_command(&mut request, &args);
        socket.write_all(&request)?;
        socket.set_timeout(WAIT)?;
        Ok(Self {
            socket,
            received: Vec::new(),
            given: 0,
            buffer: vec![0; READ_BYTES].into(),
        })
    }

    /// Tells the server that nothing more is wanted: it sends what it has, and closes.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.socket.close_sending()
    }

    /// The next block, or what there is instead.
    ///
    /// # Errors
    /// When the connection is lost, or something else than blocks comes.
    pub(super) fn next(&mut self) -> io::Result<Came<'_>> {
        self.received.drain(..std::mem::take(&mut self.given));
        loop {
            match peek(&self.received, &Limits::default()).map_err(io::Error::other)? {
                Peek::Bulk { len, start, end } => {
                    self.given = len;
                    return block(&self.received[start..end]);
                }
                Peek::Error { len } => {
                    let text = String::from_utf8_lossy(&self.received[1..len]);
                    let text = text.trim_end().trim_start_matches("ERR ").to_owned();
                    self.given = len;
                    return Ok(Came::Refusal(text));
                }
                Peek::Incomplete if self.received.len() <= BLOCK_BYTES_MAX => {}
                _ => return Err(other()),
            }
            match self.socket.read(&mut self.buffer) {
                Ok(0) => return Ok(Came::End),
                Ok(bytes) => self.received.extend_from_slice(&self.buffer[..bytes]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Ok(Came::Nothing),
                Err(error) => return Err(error),
            }
        }
    }
}

fn block(bytes: &[u8]) -> io::Result<Came<'_>> {
    let (head, records) = bytes.split_first_chunk::<HEAD_BYTES>().ok_or_else(other)?;
    match records.as_chunks() {
        (records, []) => Ok(Came::Block {
            head: Head::from_bytes(head),
            records,
        }),
        _ => Err(other()),
    }
}

fn other() -> io::Error {
    io::Error::other("what comes is no recording; is it a Larder of this version?")
}

/// Systems differ in how they name it.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use larder_engine::recording::Threshold;

    use super::*;

    fn pair() -> (Blocks, UnixStream) {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let blocks = Blocks::order(Socket::Unix(ours), &["CACHE.RECORD"]).unwrap();
        let mut order = [0; 23];
        theirs.read_exact(&mut order).unwrap();
        assert_eq!(&order, b"*1\r\n$12\r\nCACHE.RECORD\r\n");
        (blocks, theirs)
    }

    #[test]
    fn blocks_come_one_by_one_whatever_the_pieces() {
        let head = Head {
            threshold: Threshold(5),
            lost: 1,
            time_ms: 2,
        };
        let records = [[1; RECORDED_BYTES], [2; RECORDED_BYTES]];
        let mut sent = b"$24\r\n".to_vec();
        sent.extend(head.to_bytes());
        sent.extend(b"\r\n$72\r\n");
        sent.extend(head.to_bytes());
        sent.extend(records.as_flattened());
        sent.extend(b"\r\n");
        let (mut blocks, mut theirs) = pair();
        let (first, second) = sent.split_at(50);
        theirs.write_all(first).unwrap();
        let none = Came::Block { head, records: &[] };
        assert_eq!(blocks.next().unwrap(), none);
        assert_eq!(blocks.next().unwrap(), Came::Nothing);
        theirs.write_all(second).unwrap();
        let both = Came::Block {
            head,
            records: &records,
        };
        assert_eq!(blocks.next().unwrap(), both);
        drop(theirs);
        assert_eq!(blocks.next().unwrap(), Came::End);
    }

    #[test]
    fn refusals_and_nonsense_are_told_apart() {
        let (mut blocks, mut theirs) = pair();
        theirs.write_all(b"-ERR unknown command\r\n").unwrap();
        let refusal = Came::Refusal("unknown command".to_owned());
        assert_eq!(blocks.next().unwrap(), refusal);
        for nonsense in [&b"+OK\r\n"[..], b"$3\r\nabc\r\n", b"$25\r\n", b"$-1\r\n"] {
            let (mut blocks, mut theirs) = pair();
            theirs.write_all(nonsense).unwrap();
            if nonsense == b"$25\r\n" {
                theirs.write_all(&[0; 25]).unwrap();
                theirs.write_all(b"\r\n").unwrap();
            }
            let error = blocks.next().unwrap_err().to_string();
            assert!(error.contains("no recording"), "{error}");
        }
    }
}
