//! An HTTP server that values are loaded from, or that is told of events.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::patience::PATIENCE;

/// An origin on a free port of the loopback address. It answers all requests alike, as it was told last.
pub struct Origin {
    addr: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    /// Head and body of an answer; without one connections are closed.
    answer: Option<Vec<u8>>,
    is_held: bool,
    /// Requests that are answered with 503 before.
    refused: usize,
    /// The heads of all requests.
    requests: Vec<String>,
    /// Their bodies.
    bodies: Vec<String>,
    is_over: bool,
}

impl Origin {
    /// One that answers 200 with this value.
    ///
    /// # Panics
    /// When no port can be had.
    pub fn start(value: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port can be had");
        let origin = Self {
            addr: listener.local_addr().expect("it is bound"),
            state: Arc::default(),
        };
        origin.answer("200 OK", "", value);
        let state = Arc::clone(&origin.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.now().is_over {
                    break;
                }
                let state = Arc::clone(&state);
                // Whoever asks may go at any time.
                thread::spawn(move || stream.and_then(|stream| serve(&state, stream)));
            }
        });
        origin
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Answers so from now on; `headers` are whole lines.
    pub fn answer(&self, status: &str, headers: &str, body: &str) {
        let answer = answer_of(status, headers, body);
        self.state.change(|now| now.answer = Some(answer));
    }

    /// Closes connections without an answer from now on.
    pub fn break_down(&self) {
        self.state.change(|now| now.answer = None);
    }

    /// Answers so many requests with 503, those that follow as before.
    pub fn refuse(&self, times: usize) {
        self.state.change(|now| now.refused = times);
    }

    /// Has requests wait for their answers, or no longer.
    pub fn hold(&self, is_held: bool) {
        self.state.change(|now| now.is_held = is_held);
    }

    /// The heads of the requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.state.now().requests.clone()
    }

    /// The bodies of the requests so far.
    pub fn bodies(&self) -> Vec<String> {
        self.state.now().bodies.clone()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.state.change(|now| {
            now.is_over = true;
            now.is_held = false;
        });
        // Has the thread look; it ends with the process otherwise.
        let _ = TcpStream::connect(self.addr);
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
}

fn answer_of(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let close = "connection: close";
    format!("HTTP/1.1 {status}\r\n{close}\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
        .into_bytes()
}

fn serve(state: &State, mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let bytes = length.map_or(Ok(0), str::parse).map_err(io::Error::other)?;
    let mut body = vec![0; bytes];
    reader.read_exact(&mut body)?;
    let mut now = state.now();
    now.requests.push(head);
    now.bodies.push(String::from_utf8_lossy(&body).into_owned());
    // As it was when it was asked.
    let answer = match now.refused {
        0 => now.answer.clone(),
        _ => Some(answer_of("503 Service Unavailable", "", "")),
    };
    now.refused = now.refused.saturating_sub(1);
    while now.is_held {
        now = state
            .changed
            .wait(now)
            .unwrap_or_else(PoisonError::into_inner);
    }
    drop(now);
    match answer {
        Some(answer) => stream.write_all(&answer),
        None => Ok(()),
    }
}
