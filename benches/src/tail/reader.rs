//! A connection that asks for a key now and then.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hdrhistogram::Histogram;
use larder_resp::encode_command;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Options;
use crate::client::{connect, key};
use crate::store::VALUE_BYTES;

/// The longest latency that is told from longer ones, in microseconds: a minute.
const LATENCY_US_MAX: u64 = 60_000_000;

/// Latencies in microseconds, to three digits.
pub(super) fn histogram() -> Result<Histogram<u64>> {
    Ok(Histogram::new_with_max(LATENCY_US_MAX, 3)?)
}

/// Reads one key at a time at a steady rate for `time`. A request that was due while the one before was
/// not answered yet counts from then: who comes to a server that stalls waits, whether asked or not.
pub(super) fn read(
    address: SocketAddr,
    number: u32,
    options: &Options,
    time: Duration,
) -> Result<Histogram<u64>> {
    let mut stream = connect(address)?;
    let mut random = StdRng::seed_from_u64(u64::from(number));
    let mut latencies = histogram()?;
    let expected = format!("${VALUE_BYTES}\r\n");
    let mut reply = vec![0; expected.len() + VALUE_BYTES + 2];
    let mut request = Vec::new();
    let began = Instant::now();
    let between = Duration::from_secs(1) / options.rate;
    // Not all at the same moment.
    let mut due = began + between * number / options.readers;
    while due < began + time {
        let now = Instant::now();
        let sent = if now < due {
            thread::sleep(due - now);
            Instant::now()
        } else {
            due
        };
        request.clear();
        let key = key(random.random_range(0..options.keys));
        encode_command(&mut request, &[b"GET", key.as_bytes()]);
        stream.write_all(&request)?;
        stream.read_exact(&mut reply)?;
        ensure!(
            reply.starts_with(expected.as_bytes()),
            "GET {key} gives {}",
            String::from_utf8_lossy(&reply)
        );
        let micros = u64::try_from(sent.elapsed().as_micros()).unwrap_or(LATENCY_US_MAX);
        latencies.record(micros.min(LATENCY_US_MAX))?;
        due += between;
    }
    Ok(latencies)
}
