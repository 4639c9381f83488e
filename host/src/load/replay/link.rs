//! A blocking connection that requests are written to and replies read from in turn.

use std::io::{self, ErrorKind, Read, Write};

use crate::address::Socket;
use crate::load::REPLY_TIMEOUT;
use crate::load::reply::{self, Reply};

const READ_BYTES: usize = 64 * 1024;

pub(super) struct Link {
    socket: Socket,
    /// Read and not yet used up: from `at` on.
    incoming: Vec<u8>,
    at: usize,
    scratch: Box<[u8]>,
}

impl Link {
    pub(super) fn new(socket: Socket) -> io::Result<Self> {
        socket.set_timeout(REPLY_TIMEOUT)?;
        Ok(Self {
            socket,
            incoming: Vec::new(),
            at: 0,
            scratch: vec![0; READ_BYTES].into(),
        })
    }

    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).map_err(explain)
    }

    /// Awaits the next reply and hands it to `take`.
    pub(super) fn receive<R>(&mut self, take: impl FnOnce(Reply<'_>) -> R) -> io::Result<R> {
        loop {
            let read = reply::read(&self.incoming[self.at..]).map_err(io::Error::other)?;
            if let Some((reply, len)) = read {
                self.at += len;
                return Ok(take(reply));
            }
            self.incoming.drain(..self.at);
            self.at = 0;
            let read = match self.socket.read(&mut self.scratch) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.map_err(explain)?,
            };
            if read == 0 {
                return Err(io::Error::other("the server closed the connection"));
            }
            self.incoming.extend_from_slice(&self.scratch[..read]);
        }
    }
}

/// The system words a time-out as if one could try again.
fn explain(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock {
        let seconds = REPLY_TIMEOUT.as_secs();
        io::Error::new(
            ErrorKind::TimedOut,
            format!("no progress within {seconds} seconds"),
        )
    } else {
        error
    }
}
