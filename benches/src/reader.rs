//! A connection that asks for one key at a time.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use hdrhistogram::Histogram;
use larder_resp::encode_command;

use crate::client::{connect, key};

/// The longest latency that is told from longer ones, in microseconds: a minute.
const LATENCY_US_MAX: u64 = 60_000_000;
/// Of the reply that there is nothing, `$-1`.
const REPLY_BYTES_MIN: usize = 5;

/// How long is read, and how often.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Before the first request, so that not all come at the same moment.
    pub(crate) first: Duration,
    /// Between two requests; zero: each is sent when the one before was answered.
    pub(crate) between: Duration,
    pub(crate) time: Duration,
}

impl Pace {
    /// `rate` requests a second by each of `readers`, of which this is the one with that number; at a rate of 0 as many as
    /// are answered.
    pub(crate) fn of(rate: u32, (number, readers): (u32, u32), time: Duration) -> Self {
        let between = match rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) / rate,
        };
        Self {
            first: between * number / readers,
            between,
            time,
        }
    }
}

/// Latencies in microseconds, to three digits.
fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LATENCY_US_MAX, 3)?)
}

/// Reads the keys with these numbers, whose values have `value_bytes`. A request that was due while the one before was not
/// answered yet counts from then: who comes to a server that stalls waits, whether asked or not.
pub(crate) fn read(
    address: SocketAddr,
    keys: impl Iterator<Item = u64>,
    value_bytes: usize,
    pace: Pace,
) -> Result<Histogram<u64>> {
    let mut stream = connect(address)?;
    let mut latencies = histogram()?;
    let expected = format!("${value_bytes}\r\n");
    let mut reply = vec![0; expected.len() + value_bytes + 2];
    let mut request = Vec::new();
    let began = Instant::now();
    let mut due = began + pace.first;
    for number in keys {
        if due >= began + pace.time {
            break;
        }
        let now = Instant::now();
        let sent = if now < due {
            thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        request.clear();
        let key = key(number);
        encode_command(&mut request, &[b"GET", key.as_bytes()]);
        stream.write_all(&request)?;
        // No more than the shortest of all replies has, until it is known that it is a longer one.
        stream.read_exact(&mut reply[..REPLY_BYTES_MIN])?;
        ensure!(
            expected.as_bytes().starts_with(&reply[..REPLY_BYTES_MIN]),
            "GET {key} gives {}",
            String::from_utf8_lossy(&reply[..REPLY_BYTES_MIN])
        );
        stream.read_exact(&mut reply[REPLY_BYTES_MIN..])?;
        let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(LATENCY_US_MAX);
        latencies.record(micros.min(LATENCY_US_MAX))?;
        due = match pace.between.is_zero() {
            true => Instant::now(),
            false => due + pace.between,
        };
    }
    Ok(latencies)
}

/// The latencies of all who read, each in a thread of its own.
pub(crate) fn all_of<'s>(
    reading: impl IntoIterator<Item = ScopedJoinHandle<'s, Result<Histogram<u64>>>>,
) -> Result<Histogram<u64>> {
    let mut all = histogram()?;
    for thread in reading {
        all.add(joined(thread)?)?;
    }
    Ok(all)
}

/// What a thread came to.
pub(crate) fn joined<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    let panicked = |_| Err(anyhow!("a thread of the benchmark panicked"));
    thread.join().unwrap_or_else(panicked)
}
