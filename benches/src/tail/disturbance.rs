//! What keeps a server busy.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use larder_resp::encode_command;

use crate::client::connect;

/// How long a script runs, and how long none runs after it.
const SCRIPT: Duration = Duration::from_secs(1);
/// Iterations by which the speed of scripts is found out.
const TRIAL_ITERATIONS: u64 = 5_000_000;
/// Connections a second, by all threads.
const CONNECTS: u32 = 5_000;
const CONNECT_THREADS: u32 = 4;
/// Whoever watches looks that often whether it is over.
const LOOK: Duration = Duration::from_millis(100);

/// Something that goes on beside the readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Disturbance {
    /// Nothing does.
    Nothing,
    /// A client watches all commands.
    Monitor,
    /// A client lists all keys, again and again.
    Keys,
    /// A script runs for a second, then none does.
    Script,
    /// Clients connect, say one thing and leave, 5,000 a second.
    Connects,
}

impl Disturbance {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Monitor,
        Self::Keys,
        Self::Script,
        Self::Connects,
    ];

    /// What it is, and what is counted of it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Monitor => "MONITOR: lines",
            Self::Keys => "KEYS *: replies",
            Self::Script => "EVAL of a second: scripts",
            Self::Connects => "connect, PING, close: connections",
        }
    }

    pub(super) fn threads(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Monitor | Self::Keys | Self::Script => 1,
            Self::Connects => CONNECT_THREADS,
        }
    }

    /// The script that takes a second; empty where none is run.
    pub(super) fn prepare(self, address: SocketAddr) -> Result<String> {
        if self != Self::Script {
            return Ok(String::new());
        }
        let began = Instant::now();
        eval(&mut connect(address)?, &script(TRIAL_ITERATIONS))?;
        let speed = TRIAL_ITERATIONS as f64 / began.elapsed().as_secs_f64();
        Ok(script((speed * SCRIPT.as_secs_f64()) as u64))
    }

    /// Goes on until `stop`, and counts in `done`.
    pub(super) fn go_on(
        self,
        address: SocketAddr,
        script: &str,
        stop: &AtomicBool,
        done: &AtomicU64,
    ) -> Result<()> {
        match self {
            Self::Nothing => Ok(()),
            Self::Monitor => watch(address, stop, done),
            Self::Keys => list(address, stop, done),
            Self::Script => {
                let mut stream = connect(address)?;
                while !stop.load(Ordering::Acquire) {
                    eval(&mut stream, script)?;
                    done.fetch_add(1, Ordering::Relaxed);
                    thread::sleep(SCRIPT);
                }
                Ok(())
            }
            Self::Connects => connect_often(address, stop, done),
        }
    }
}

fn script(iterations: u64) -> String {
    format!("local sum = 0 for i = 1, {iterations} do sum = sum + i end return 1")
}

fn eval(stream: &mut TcpStream, script: &str) -> Result<()> {
    let mut request = Vec::new();
    encode_command(&mut request, &[b"EVAL", script.as_bytes(), b"0"]);
    stream.write_all(&request)?;
    let mut reply = [0; 4];
    stream.read_exact(&mut reply)?;
    ensure!(
        reply == *b":1\r\n",
        "a script ends with {}",
        String::from_utf8_lossy(&reply)
    );
    Ok(())
}

fn watch(address: SocketAddr, stop: &AtomicBool, done: &AtomicU64) -> Result<()> {
    let mut stream = connect(address)?;
    stream.write_all(b"MONITOR\r\n")?;
    let mut begin = [0; 5];
    stream.read_exact(&mut begin)?;
    ensure!(begin == *b"+OK\r\n", "MONITOR is refused");
    stream.set_read_timeout(Some(LOOK))?;
    let mut buffer = vec![0; 64 << 10];
    while !stop.load(Ordering::Acquire) {
        let bytes = match stream.read(&mut buffer) {
            Ok(0) => anyhow::bail!("the server closes who watches"),
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        };
        let lines = buffer[..bytes].iter().filter(|byte| **byte == b'\n');
        done.fetch_add(lines.count() as u64, Ordering::Relaxed);
    }
    Ok(())
}

fn list(address: SocketAddr, stop: &AtomicBool, done: &AtomicU64) -> Result<()> {
    let mut stream = BufReader::with_capacity(1 << 20, connect(address)?);
    let mut line = String::new();
    while !stop.load(Ordering::Acquire) {
        stream.get_mut().write_all(b"KEYS *\r\n")?;
        line.clear();
        stream.read_line(&mut line)?;
        let count: u64 = line
            .strip_prefix('*')
            .and_then(|rest| rest.trim_end().parse().ok())
            .with_context(|| format!("KEYS gives {line:?}"))?;
        // A key has a line with its length and one with itself.
        for _ in 0..2 * count {
            stream.skip_until(b'\n')?;
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

fn connect_often(address: SocketAddr, stop: &AtomicBool, done: &AtomicU64) -> Result<()> {
    let between = Duration::from_secs(1) * CONNECT_THREADS / CONNECTS;
    let mut due = Instant::now();
    while !stop.load(Ordering::Acquire) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += between;
        let mut stream = connect(address)?;
        stream.write_all(b"PING\r\n")?;
        let mut reply = [0; 7];
        stream.read_exact(&mut reply)?;
        ensure!(reply == *b"+PONG\r\n", "PING is refused");
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}
