//! A TCP proxy that a test has delay, lose, cut and close what goes between a client and a server.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// What is passed on at once.
const PIECE_BYTES: usize = 16 << 10;

/// A proxy on a free port of the loopback address, to one server. Ends when dropped, and all its connections with it.
pub struct Proxy {
    addr: SocketAddr,
    state: Arc<State>,
}

/// What becomes of what is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Passage {
    /// It arrives.
    #[default]
    Open,
    /// It arrives later.
    Slow(Duration),
    /// It waits until this changes.
    Held,
    /// It never arrives, and nobody is told.
    Lost,
    /// Nothing is accepted any more: who connects is cut off at once.
    Refused,
}

#[derive(Default)]
struct State {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    passage: Passage,
    /// Both ends of each connection.
    connections: Vec<[TcpStream; 2]>,
    accepted: u64,
    lost_bytes: u64,
    is_over: bool,
}

impl Proxy {
    /// One before the server at `to`.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
        let proxy = Self {
            addr: listener.local_addr().expect("it is bound"),
            state: Arc::default(),
        };
        let state = Arc::clone(&proxy.state);
        thread::spawn(move || {
            for client in listener.incoming() {
                if state.now().is_over {
                    break;
                }
                // Who cannot be connected is cut off.
                let _ = client.and_then(|client| connect(&state, client, to));
            }
        });
        proxy
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What becomes of what is sent from now on, on all connections.
    pub fn pass(&self, passage: Passage) {
        self.state.change(|now| now.passage = passage);
    }

    /// Ends all connections at once, both ways.
    pub fn cut(&self) {
        self.state.change(Now::cut);
    }

    /// Has all clients of now see their connection end, while what they send still arrives.
    pub fn half_close(&self) {
        self.state.change(|now| {
            for [client, _] in &now.connections {
                // It may have gone.
                let _ = client.shutdown(Shutdown::Write);
            }
        });
    }

    /// Bytes that did not arrive so far.
    pub fn lost_bytes(&self) -> u64 {
        self.state.now().lost_bytes
    }

    /// Connections that were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.state.now().accepted
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.state.change(|now| {
            now.is_over = true;
            now.cut();
        });
        // Has the thread look; it ends with the process otherwise.
        let _ = TcpStream::connect(self.addr);
    }
}

impl Now {
    fn cut(&mut self) {
        for end in self.connections.drain(..).flatten() {
            // It may have gone.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Now)) {
        change(&mut self.now());
        self.changed.notify_all();
    }

    /// Waits until what was sent may go on. Whether it arrives.
    fn let_pass(&self) -> bool {
        let mut now = self.now();
        loop {
            match now.passage {
                _ if now.is_over => return false,
                Passage::Open => return true,
                Passage::Lost | Passage::Refused => return false,
                Passage::Held => {
                    let changed = self.changed.wait(now);
                    now = changed.unwrap_or_else(PoisonError::into_inner);
                }
                Passage::Slow(delay) => {
                    drop(now);
                    // To be late is what is asked for.
                    thread::sleep(delay);
                    return true;
                }
            }
        }
    }
}

fn connect(state: &Arc<State>, client: TcpStream, to: SocketAddr) -> io::Result<()> {
    let mut now = state.now();
    now.accepted += 1;
    if now.passage == Passage::Refused {
        return client.shutdown(Shutdown::Both);
    }
    let server = TcpStream::connect(to)?;
    now.connections
        .push([client.try_clone()?, server.try_clone()?]);
    drop(now);
    let ways = [(client.try_clone()?, server.try_clone()?), (server, client)];
    for (from, to) in ways {
        let state = Arc::clone(state);
        // Either end may go at any time.
        thread::spawn(move || pass_on(&state, from, to).unwrap_or(()));
    }
    Ok(())
}

fn pass_on(state: &State, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let bytes = from.read(&mut piece)?;
        if bytes == 0 {
            return to.shutdown(Shutdown::Write);
        }
        match state.let_pass() {
            true => to.write_all(&piece[..bytes])?,
            false => state.change(|now| now.lost_bytes += bytes as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::{PATIENCE, eventually};

    /// A server that answers what it is sent with the same, and the proxy before it.
    fn echo() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut copy = stream.try_clone().unwrap();
                thread::spawn(move || io::copy(&mut stream, &mut copy));
            }
        });
        Proxy::start(addr)
    }

    fn client(proxy: &Proxy) -> TcpStream {
        let client = TcpStream::connect(proxy.addr()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    #[track_caller]
    fn receives(client: &mut TcpStream, expected: &[u8]) {
        let mut received = vec![0; expected.len()];
        client.read_exact(&mut received).unwrap();
        assert_eq!(received, expected);
    }

    /// Whether the connection has ended, one way or the other.
    fn has_ended(client: &mut TcpStream) -> bool {
        matches!(client.read(&mut [0]), Ok(0) | Err(_))
    }

    #[test]
    fn what_is_sent_arrives_late_or_never_as_told() {
        let proxy = echo();
        let mut client = client(&proxy);
        client.write_all(b"one").unwrap();
        receives(&mut client, b"one");
        proxy.pass(Passage::Slow(Duration::from_millis(1)));
        client.write_all(b"two").unwrap();
        receives(&mut client, b"two");
        proxy.pass(Passage::Held);
        client.write_all(b"three").unwrap();
        let soon = Some(Duration::from_millis(20));
        client.set_read_timeout(soon).unwrap();
        assert!(client.read(&mut [0]).is_err(), "it is held");
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        proxy.pass(Passage::Open);
        receives(&mut client, b"three");
        proxy.pass(Passage::Lost);
        client.write_all(b"four").unwrap();
        eventually("it is lost", || (proxy.lost_bytes() == 4).then_some(()));
        proxy.pass(Passage::Open);
        client.write_all(b"five").unwrap();
        receives(&mut client, b"five");
        assert_eq!(proxy.accepted(), 1);
    }

    #[test]
    fn connections_are_cut_refused_and_half_closed() {
        let proxy = echo();
        let mut cut = client(&proxy);
        cut.write_all(b"here").unwrap();
        receives(&mut cut, b"here");
        proxy.cut();
        assert!(has_ended(&mut cut));
        let mut half = client(&proxy);
        half.write_all(b"here").unwrap();
        receives(&mut half, b"here");
        proxy.half_close();
        assert!(has_ended(&mut half));
        proxy.pass(Passage::Refused);
        assert!(has_ended(&mut client(&proxy)));
        proxy.pass(Passage::Open);
        let mut again = client(&proxy);
        again.write_all(b"back").unwrap();
        receives(&mut again, b"back");
        assert_eq!(proxy.accepted(), 4);
    }
}
