//! Resident memory of a full server while the sizes of values shift.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::client::{Values, load};
use crate::report::{Cell, Table};
use crate::servers::{Kind, Server};
use crate::store::KEY_BYTES;

/// Sizes of values, one phase each.
const PHASES: [usize; 3] = [100, 1_000, 100];
/// Bytes of keys and values that a phase writes, in multiples of the memory.
const BEYOND: u64 = 3;
const LOOK: Duration = Duration::from_millis(10);

/// One phase of one server.
#[derive(Debug, Clone)]
pub struct Row {
    /// The server.
    pub server: String,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// Keys written.
    pub keys: u64,
    /// The most that was resident meanwhile.
    pub resident_bytes_max: u64,
}

/// Fills each server beyond its memory with values of 100 B, of 1,000 B and of 100 B again.
///
/// # Errors
/// When a server cannot be started or breaks.
pub fn run(kinds: &[Kind], memory_mib: u64) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for kind in kinds {
        let server = Server::start(kind, Some(memory_mib))?;
        let mut next = 0;
        for value_bytes in PHASES {
            let keys = BEYOND * (memory_mib << 20) / (KEY_BYTES + value_bytes) as u64;
            let values = Values {
                bytes: value_bytes,
                expiring: false,
            };
            let write = || load(&server, next..next + keys, values);
            let resident_bytes_max = resident_max(&server, write)?;
            rows.push(Row {
                server: kind.name(),
                value_bytes,
                keys,
                resident_bytes_max,
            });
            next += keys;
        }
    }
    Ok(rows)
}

/// The rows as a table.
pub fn table(rows: &[Row], memory_mib: u64) -> Table {
    let cells = |row: &Row| {
        vec![
            Cell::text(&row.server),
            Cell::Number(row.value_bytes as f64, 0),
            Cell::Number(row.keys as f64, 0),
            Cell::Number(row.resident_bytes_max as f64 / f64::from(1 << 20), 1),
            Cell::Number(row.resident_bytes_max as f64 / (memory_mib << 20) as f64, 3),
        ]
    };
    Table {
        title: format!(
            "Shifting sizes: {memory_mib} MiB, {BEYOND} times as much written in each phase, every key new"
        ),
        columns: &[
            "server",
            "value B",
            "keys",
            "resident MiB, most",
            "of memory",
        ],
        rows: rows.iter().map(cells).collect(),
    }
}

/// The most that is resident while `work` goes on.
fn resident_max(server: &Server, work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let (most, done) = (
        AtomicU64::new(server.resident_bytes()?),
        AtomicBool::new(false),
    );
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let now = server.resident_bytes().unwrap_or(0);
                most.fetch_max(now, Ordering::Relaxed);
                thread::sleep(LOOK);
            }
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        worked
    })?;
    Ok(most.into_inner())
}
