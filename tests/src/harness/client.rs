//! A blocking client of the Redis protocol, for tests: simple, and sure of every byte.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;

use larder_resp::{Limits, Value, decode, encode_command};

use super::patience::PATIENCE;

/// Replies of any length that a server may send.
const LIMITS: Limits = Limits {
    bulk_bytes_max: 512 << 20,
    args_max: 1 << 24,
    inline_bytes_max: 1 << 20,
    request_bytes_max: 1 << 30,
};

/// One connection.
pub struct Client {
    stream: Box<dyn Stream>,
    received: Vec<u8>,
    /// Where in `received` the next reply starts.
    at: usize,
}

trait Stream: Read + Write + Send {}

impl<S: Read + Write + Send> Stream for S {}

impl Client {
    /// Connects over TCP.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect(addr: SocketAddr) -> Self {
        match TcpStream::connect_timeout(&addr, PATIENCE) {
            Ok(stream) => Self::over(stream),
            Err(error) => panic!("cannot connect to {addr}: {error}"),
        }
    }

    /// Speaks over a connection that is there.
    ///
    /// # Panics
    /// When the system gives it no time limit.
    pub fn over(stream: TcpStream) -> Self {
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a time limit can be set");
        stream
            .set_write_timeout(Some(PATIENCE))
            .expect("a time limit can be set");
        stream.set_nodelay(true).expect("delays can be turned off");
        Self {
            stream: Box::new(stream),
            received: Vec::new(),
            at: 0,
        }
    }

    /// Connects to a Unix socket.
    ///
    /// # Panics
    /// When nobody listens.
    #[track_caller]
    pub fn connect_unix(path: &Path) -> Self {
        let connected = UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        match connected {
            Ok(stream) => Self {
                stream: Box::new(stream),
                received: Vec::new(),
                at: 0,
            },
            Err(error) => panic!("cannot connect to {}: {error}", path.display()),
        }
    }

    /// Sends one request and awaits its reply.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        let replies = self.pipeline(&[args]);
        replies
            .into_iter()
            .next()
            .expect("as many replies as requests")
    }

    /// Sends requests in one piece and awaits their replies. The replies have to fit into the
    /// buffers of the system, as they are not read before all is sent.
    ///
    /// # Panics
    /// When a reply is missing.
    #[track_caller]
    pub fn pipeline<R: AsRef<[A]>, A: AsRef<[u8]>>(&mut self, requests: &[R]) -> Vec<Value> {
        let mut bytes = Vec::new();
        for request in requests {
            let args: Vec<&[u8]> = request.as_ref().iter().map(AsRef::as_ref).collect();
            encode_command(&mut bytes, &args);
        }
        if let Err(error) = self.send(&bytes) {
            panic!("the server takes no request: {error}");
        }
        let count = requests.len();
        let mut replies = Vec::with_capacity(count);
        for number in 0..count {
            match self.receive() {
                Some(reply) => replies.push(reply),
                None => panic!("the connection ended before reply {number} of {count}"),
            }
        }
        replies
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is lost, or the server does not take them in time.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next reply; `None` when the server has closed the connection.
    ///
    /// # Panics
    /// When none comes in time, or what comes is no reply.
    #[track_caller]
    pub fn receive(&mut self) -> Option<Value> {
        loop {
            let unread = &self.received[self.at..];
            match decode(unread, &LIMITS) {
                Ok(Some((value, bytes))) => {
                    self.at += bytes;
                    return Some(value);
                }
                Ok(None) => {}
                Err(error) => panic!("no reply: {error}: {:?}", unread.escape_ascii().to_string()),
            }
            if !self.read() {
                let rest = &self.received[self.at..];
                let shown = rest.escape_ascii();
                assert!(
                    rest.is_empty(),
                    "the connection ended within a reply: {shown}"
                );
                return None;
            }
        }
    }

    /// Reads once; false at the end.
    #[track_caller]
    fn read(&mut self) -> bool {
        self.received.drain(..std::mem::take(&mut self.at));
        let mut buffer = [0; 64 << 10];
        match self.stream.read(&mut buffer) {
            Ok(bytes) => {
                self.received.extend_from_slice(&buffer[..bytes]);
                bytes > 0
            }
            Err(error) if is_end(&error) => false,
            Err(error) => panic!("no reply came: {error}"),
        }
    }
}

/// A server that drops a connection with unread input resets it.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
