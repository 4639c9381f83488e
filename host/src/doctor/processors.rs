//! Worker threads that share a processor wait for each other.

use super::machine::{Machine, Unreadable};
use super::{Judged, Verdict, cgroup};
use crate::config::Config;

const PATH: &str = "proc/self/status";

pub(super) fn check(machine: &Machine, config: &Config) -> Judged {
    let allowed = allowed(machine)?;
    let quota_milli = cgroup::processors_milli(machine)?;
    let usable = quota_milli.map_or(allowed, |milli| allowed.min(milli / 1000).max(1));
    let told = match quota_milli {
        Some(milli) if milli < allowed * 1000 => format!(
            "time of {}.{:02} processors by the control group's quota",
            milli / 1000,
            milli % 1000 / 10
        ),
        _ => format!("{allowed} processors"),
    };
    Ok(match config.store.threads {
        Some(threads) if threads as u64 > usable => Verdict::wrong(
            format!("{threads} worker threads have {told}: each may wait while others run"),
            format!("larder serve --threads {usable}"),
        ),
        Some(threads) => Verdict::fine(format!("{threads} worker threads have {told}")),
        None => Verdict::fine(format!("{told}; as many worker threads are started")),
    })
}

/// Processors that the process may run on.
fn allowed(machine: &Machine) -> Result<u64, Unreadable> {
    let text = machine.expect(PATH)?;
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let count = list.and_then(|list| list.trim().split(',').map(span).sum::<Option<u64>>());
    count.ok_or_else(|| Machine::unknown(PATH, "it tells no Cpus_allowed_list"))
}

/// How many `3` or `0-7` are.
fn span(text: &str) -> Option<u64> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    last.checked_sub(first)?.checked_add(1)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_unknown, assert_wrong, config, machine};
    use super::*;

    fn check_with(allowed: &str, quota: &str, threads: &str) -> Judged {
        let (_root, machine) = machine(&[
            (PATH, &format!("Name: x\nCpus_allowed_list:\t{allowed}\n")),
            ("proc/self/cgroup", "0::/\n"),
            ("sys/fs/cgroup/cpu.max", quota),
        ]);
        check(&machine, &config(&[("threads", threads)]))
    }

    #[test]
    fn threads_beyond_the_processors_or_their_quota_are_wrong() {
        assert_fine(check_with("0-3,8", "max 100000", "auto"), "5 processors");
        assert_fine(check_with("0-3", "max 100000", "4"), "4 worker threads");
        assert_wrong(
            check_with("0-3", "max 100000", "5"),
            "4 processors",
            "--threads 4",
        );
        assert_wrong(
            check_with("0-7", "250000 100000", "4"),
            "of 2.50 processors",
            "--threads 2",
        );
        assert_wrong(
            check_with("0-7", "50000 100000", "2"),
            "of 0.50",
            "--threads 1",
        );
        assert_unknown(check_with("all", "max 100000", "1"), "Cpus_allowed_list");
    }
}
