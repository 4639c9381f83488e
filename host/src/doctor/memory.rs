//! The memory that a server may come to hold, against what the machine and its control group have.

use super::machine::Machine;
use super::{Judged, Verdict, cgroup};
use crate::assemble::index_bytes_max;
use crate::config::{ByteSize, Config, DiskLevel};

const PATH: &str = "proc/meminfo";
/// What the process takes for itself.
const OWN_BYTES: u64 = 32 << 20;
/// The least that a server can be set to.
const LEAST_BYTES: u64 = larder_engine::MEMORY_BYTES_MIN;

pub(super) fn check(machine: &Machine, config: &Config) -> Judged {
    let ram = machine_bytes(machine)?;
    let group = cgroup::memory_bytes(machine)?;
    let (limit, whose) = match group {
        Some(group) if group < ram => (group, "the control group"),
        _ => (ram, "the machine"),
    };
    let memory = config.store.memory;
    let buffers = config.limits.client_buffers_max;
    let disk = config.store.below.as_ref().and_then(|below| below.disk);
    let below = disk.map(|disk| below_bytes(&disk, memory));
    let needed = own_bytes(memory) + below.unwrap_or(0) + buffers.bytes();
    let for_level = below.map_or(String::new(), |below| {
        format!(", {} MiB for finding what is on disk", below >> 20)
    });
    let told = format!(
        "memory = {memory}{for_level} and {buffers} for clients' buffers may come to {} MiB, {whose} has {} MiB",
        needed >> 20,
        limit >> 20
    );
    if needed <= limit {
        return Ok(Verdict::fine(told));
    }
    let buffers = ByteSize::mib((buffers.bytes().min(limit / 4) >> 20).max(1));
    let room = limit.saturating_sub(buffers.bytes());
    let with_level = disk.and_then(|disk| {
        largest(
            |memory| own_bytes(memory) + below_bytes(&disk, memory),
            room,
        )
    });
    let none = if below.is_some() && with_level.is_none() {
        " --l2 none"
    } else {
        ""
    };
    let memory = with_level.or_else(|| largest(own_bytes, room));
    let memory = memory.unwrap_or(ByteSize::new(LEAST_BYTES));
    Ok(Verdict::wrong(
        format!("{told}: the kernel will end the server"),
        format!("larder serve --memory {memory} --limits-client-buffers-max {buffers}{none}"),
    ))
}

/// What the process takes with so much memory.
fn own_bytes(memory: ByteSize) -> u64 {
    memory.bytes() / 100 * 115 + OWN_BYTES
}

/// What a second level takes beside.
fn below_bytes(disk: &DiskLevel, memory: ByteSize) -> u64 {
    index_bytes_max(memory) + disk.guarded.queue_bytes_max
}

/// The largest memory, in whole mebibytes, with which no more than `room` bytes are needed.
fn largest(needed: impl Fn(ByteSize) -> u64, room: u64) -> Option<ByteSize> {
    let (mut fits, mut exceeds) = (LEAST_BYTES >> 20, (room >> 20) + 1);
    if needed(ByteSize::mib(fits)) > room {
        return None;
    }
    while fits + 1 < exceeds {
        let middle = fits.midpoint(exceeds);
        match needed(ByteSize::mib(middle)) <= room {
            true => fits = middle,
            false => exceeds = middle,
        }
    }
    Some(ByteSize::mib(fits))
}

/// All the memory of the machine.
fn machine_bytes(machine: &Machine) -> Result<u64, super::Unreadable> {
    let text = machine.expect(PATH)?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok());
    let kib: u64 = kib.ok_or_else(|| Machine::unknown(PATH, "it tells no MemTotal"))?;
    Ok(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_unknown, assert_wrong, config, machine};
    use super::*;

    /// Without a second level.
    fn check_with(ram_mib: u64, group_mib: Option<u64>, memory: &str) -> Judged {
        let ram = format!("MemTotal:   {} kB\nMemFree: 1 kB\n", ram_mib << 10);
        let group = group_mib.map_or("max".to_owned(), |mib| (mib << 20).to_string());
        let (_root, machine) = machine(&[
            (PATH, &ram),
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/memory.max", &group),
        ]);
        check(&machine, &config(&[("memory", memory), ("l2", "none")]))
    }

    #[test]
    fn all_that_a_server_may_hold_has_to_fit() {
        assert_fine(check_with(4096, None, "1GiB"), "the machine has 4096 MiB");
        assert_fine(
            check_with(4096, Some(2048), "1GiB"),
            "the control group has 2048",
        );
        let mend = "larder serve --memory 644MiB --limits-client-buffers-max 256MiB";
        assert_wrong(
            check_with(4096, Some(1029), "1GiB"),
            "may come to 1465 MiB",
            mend,
        );
        assert_wrong(
            check_with(1024, None, "1GiB"),
            "the machine has 1024 MiB",
            "640MiB",
        );
    }

    #[test]
    fn what_is_proposed_would_be_found_fine() {
        for limit_mib in [64, 90, 200, 513, 4000] {
            let (_root, machine) = machine(&[(PATH, &format!("MemTotal: {} kB", limit_mib << 10))]);
            for l2 in ["none", "disk"] {
                let judged = check(&machine, &config(&[("memory", "8GiB"), ("l2", l2)]));
                let Ok(Verdict::Wrong { mend, .. }) = judged else {
                    panic!("{limit_mib} MiB suffice for 8 GiB");
                };
                let words: Vec<&str> = mend.split(' ').collect();
                let config = config(&[
                    ("memory", words[3]),
                    ("limits.client_buffers_max", words[5]),
                    ("l2", words.get(7).unwrap_or(&l2)),
                ]);
                assert_fine(check(&machine, &config), "may come to");
            }
        }
    }

    #[test]
    fn what_finds_the_entries_on_disk_counts() {
        let (_root, machine) = machine(&[(PATH, "MemTotal: 1572864 kB")]);
        let config = config(&[("memory", "1GiB"), ("l2", "disk")]);
        assert_wrong(
            check(&machine, &config),
            "528 MiB for finding what is on disk",
            "larder serve --memory",
        );
    }

    #[test]
    fn a_machine_that_does_not_tell_is_unknown() {
        let (_root, machine) = machine(&[(PATH, "MemFree: 1 kB\n")]);
        assert_unknown(check(&machine, &config(&[])), "no MemTotal");
    }
}
