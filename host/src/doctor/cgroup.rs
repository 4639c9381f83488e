//! Limits of the control group that a process runs in, of version 1 or 2, its parents included.

use std::path::Path;

use super::machine::{Machine, Unreadable};

const OWN: &str = "proc/self/cgroup";
const MOUNT: &str = "sys/fs/cgroup";
/// Version 1 writes the largest number of pages for no limit.
const UNLIMITED_BYTES: u64 = 1 << 60;

/// The texts of a file in the group and in those above it, as far as there are any. `controller` names
/// the folder of version 1.
fn files(
    machine: &Machine,
    file: &str,
    controller: Option<&str>,
) -> Result<Vec<String>, Unreadable> {
    let Some(groups) = machine.read(OWN)? else {
        return Ok(Vec::new());
    };
    let own = groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let is_it = match controller {
            Some(name) => controllers.split(',').any(|found| found == name),
            None => controllers.is_empty(),
        };
        is_it.then_some(path)
    });
    let Some(own) = own else {
        return Ok(Vec::new());
    };
    let mount = match controller {
        Some(name) => Path::new(MOUNT).join(name),
        None => MOUNT.into(),
    };
    // A container that sees the paths of its host has the files of its own group at the top.
    let folders = Path::new(own.trim_start_matches('/')).ancestors();
    let mut texts = Vec::new();
    for folder in folders {
        texts.extend(machine.read(&mount.join(folder).join(file).to_string_lossy())?);
    }
    Ok(texts)
}

/// Bytes of memory that the group may use; `None` for no limit.
pub(super) fn memory_bytes(machine: &Machine) -> Result<Option<u64>, Unreadable> {
    let mut texts = files(machine, "memory.max", None)?;
    texts.extend(files(machine, "memory.limit_in_bytes", Some("memory"))?);
    let limits = texts.iter().filter_map(|text| text.parse().ok());
    Ok(limits.filter(|bytes| *bytes < UNLIMITED_BYTES).min())
}

/// Whether the group may swap nothing out.
pub(super) fn is_swapless(machine: &Machine) -> Result<bool, Unreadable> {
    let texts = files(machine, "memory.swap.max", None)?;
    Ok(texts.iter().any(|text| text == "0"))
}

/// Processors' worth of time that the group may use, in thousandths; `None` for no limit.
pub(super) fn processors_milli(machine: &Machine) -> Result<Option<u64>, Unreadable> {
    let quota = |quota: &str, period: &str| {
        let (quota, period): (u64, u64) = (quota.parse().ok()?, period.parse().ok()?);
        quota.saturating_mul(1000).checked_div(period)
    };
    let texts = files(machine, "cpu.max", None)?;
    let mut quotas: Vec<u64> = texts
        .iter()
        .filter_map(|text| text.split_once(' '))
        .filter_map(|(us, period)| quota(us, period))
        .collect();
    let us = files(machine, "cpu.cfs_quota_us", Some("cpu"))?;
    let periods = files(machine, "cpu.cfs_period_us", Some("cpu"))?;
    quotas.extend(
        us.iter()
            .zip(&periods)
            .filter_map(|(us, period)| quota(us, period)),
    );
    Ok(quotas.into_iter().min())
}

#[cfg(test)]
mod tests {
    use super::super::testing::machine;
    use super::*;

    #[test]
    fn the_narrowest_of_the_groups_counts() {
        let (_root, v2) = machine(&[
            (OWN, "0::/system.slice/larder.service\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "2000000\n"),
            (
                "sys/fs/cgroup/system.slice/larder.service/memory.max",
                "max\n",
            ),
            (
                "sys/fs/cgroup/system.slice/larder.service/memory.swap.max",
                "0\n",
            ),
            (
                "sys/fs/cgroup/system.slice/larder.service/cpu.max",
                "150000 100000\n",
            ),
            ("sys/fs/cgroup/system.slice/cpu.max", "max 100000\n"),
        ]);
        assert_eq!(memory_bytes(&v2).unwrap(), Some(2_000_000));
        assert_eq!(processors_milli(&v2).unwrap(), Some(1500));
        assert!(is_swapless(&v2).unwrap());
    }

    #[test]
    fn version_1_is_understood_and_its_numbers_without_limit() {
        let groups = "9:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n0::/docker/a\n";
        let with = |memory: &str, quota: &str| {
            let (_root, v1) = machine(&[
                (OWN, groups),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", memory),
                ("sys/fs/cgroup/cpu/docker/a/cpu.cfs_quota_us", quota),
                ("sys/fs/cgroup/cpu/docker/a/cpu.cfs_period_us", "100000\n"),
            ]);
            let memory = memory_bytes(&v1).unwrap();
            (memory, processors_milli(&v1).unwrap())
        };
        assert_eq!(with("4000000\n", "50000\n"), (Some(4_000_000), Some(500)));
        assert_eq!(with("9223372036854771712\n", "-1\n"), (None, None));
    }

    #[test]
    fn without_groups_there_is_no_limit() {
        let (_root, none) = machine(&[]);
        assert_eq!(memory_bytes(&none).unwrap(), None);
        assert_eq!(processors_milli(&none).unwrap(), None);
        assert!(!is_swapless(&none).unwrap());
    }
}
