//! What the operating system counts of the process.

use larder_observe::{Snapshot, metrics as m};
use larder_server::process::{ProcessStat, open_files, open_files_max};
use larder_server::{Resident, Shared};

use crate::memory;

/// Leaves out what the system does not tell.
pub(super) fn add(snapshot: &mut Snapshot, shared: &Shared) {
    let started = shared.started_ms as f64 / 1000.0;
    snapshot.set_float(&m::PROCESS_START, &[], started);
    if let Some(Resident { bytes, .. }) = memory::resident() {
        snapshot.set(&m::RESIDENT_BYTES, &[], bytes);
        snapshot.set(&m::PROCESS_RESIDENT, &[], bytes);
    }
    if let Some(stat) = ProcessStat::read() {
        let cpu_seconds = stat.user_seconds + stat.system_seconds;
        snapshot.set_float(&m::PROCESS_CPU, &[], cpu_seconds);
        snapshot.set(&m::PROCESS_VIRTUAL, &[], stat.virtual_bytes);
        snapshot.set(&m::PROCESS_THREADS, &[], stat.threads);
    }
    let files = [
        (m::PROCESS_FDS, open_files()),
        (m::PROCESS_FDS_MAX, open_files_max()),
    ];
    for (metric, count) in files {
        if let Some(count) = count {
            snapshot.set(&metric, &[], count);
        }
    }
}
