//! Expiry follows the wall clock: one that is wrong or jumps expires too much, or too little. And it is
//! read all the time, so reading it has to be cheap.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::machine::Machine;
use super::{Judged, Verdict};
use crate::config::Config;

const CURRENT: &str = "sys/devices/system/clocksource/clocksource0/current_clocksource";
const AVAILABLE: &str = "sys/devices/system/clocksource/clocksource0/available_clocksource";
/// Reading these leaves the processor, or the process, and takes a microsecond or more.
const SLOW: [&str; 4] = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"];
/// No machine that runs this version has a right clock before: 2026-01-01.
const YEAR_2026: Duration = Duration::from_secs(1_767_225_600);
/// File systems and clocks of other machines may be ahead by so much.
const AHEAD_MAX: Duration = Duration::from_secs(60);
const SET_CLOCK: &str = "sudo timedatectl set-ntp true    # or: sudo chronyc makestep";

pub(super) fn check(machine: &Machine, config: &Config, now: SystemTime) -> Judged {
    if now < UNIX_EPOCH + YEAR_2026 {
        return Ok(Verdict::wrong(
            "the clock stands before 2026: times that clients name (EXPIREAT) are far in the future",
            SET_CLOCK,
        ));
    }
    if let Some(ahead) = written_in_the_future(&config.folders.data, now) {
        return Ok(Verdict::wrong(
            format!(
                "a file of the data folder was written {} seconds from now: the clock was set back, and \
                 what was written before lives longer by that",
                ahead.as_secs()
            ),
            SET_CLOCK,
        ));
    }
    let Some(source) = machine.read(CURRENT)? else {
        return Ok(Verdict::fine("it is set"));
    };
    if !SLOW.contains(&&*source) {
        return Ok(Verdict::fine(format!("it is set, and read from {source}")));
    }
    let available = machine.read(AVAILABLE)?.unwrap_or_default();
    let better = available
        .split_whitespace()
        .find(|source| !SLOW.contains(source));
    Ok(Verdict::wrong(
        format!("the clock is read from {source}, which takes longer than a GET"),
        match better {
            Some(better) => format!("echo {better} | sudo tee /{CURRENT}"),
            None => "sudo grubby --update-kernel=ALL --args=tsc=reliable && sudo reboot".to_owned(),
        },
    ))
}

/// By how much the newest file of a folder was written after `now`.
fn written_in_the_future(folder: &Path, now: SystemTime) -> Option<Duration> {
    let written = |entry: fs::DirEntry| entry.metadata().ok()?.modified().ok();
    // A folder that is not there yet, or closed to this user, is judged elsewhere.
    let entries = fs::read_dir(folder).ok()?.flatten();
    let newest = entries.filter_map(written).max()?;
    let ahead = newest.duration_since(now).ok()?;
    (ahead > AHEAD_MAX).then_some(ahead)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_wrong, config, machine};
    use super::*;

    fn on(day: u64) -> SystemTime {
        UNIX_EPOCH + YEAR_2026 + Duration::from_secs(day * 86_400)
    }

    #[test]
    fn a_source_that_is_slow_to_read_gives_way_to_a_better_one() {
        let check_with = |current: &str, available: &str| {
            let (_root, machine) = machine(&[(CURRENT, current), (AVAILABLE, available)]);
            check(&machine, &config(&[("data", "/nonexistent")]), on(9))
        };
        assert_fine(check_with("tsc\n", "tsc hpet"), "read from tsc");
        assert_fine(check_with("kvm-clock\n", "kvm-clock"), "kvm-clock");
        let mend = "echo tsc | sudo tee /sys/devices/system/clocksource";
        assert_wrong(
            check_with("hpet\n", "hpet tsc acpi_pm\n"),
            "from hpet",
            mend,
        );
        assert_wrong(
            check_with("acpi_pm\n", "acpi_pm\n"),
            "from acpi_pm",
            "tsc=reliable",
        );
    }

    #[test]
    fn a_clock_that_was_never_set_or_was_set_back_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&[("data", folder.path().to_str().unwrap())]);
        let (_root, machine) = machine(&[]);
        assert_wrong(
            check(&machine, &config, UNIX_EPOCH),
            "before 2026",
            "set-ntp",
        );
        let file = fs::File::create(folder.path().join("policies.json")).unwrap();
        file.set_modified(on(3)).unwrap();
        assert_fine(check(&machine, &config, on(3)), "it is set");
        assert_wrong(
            check(&machine, &config, on(2)),
            "written 86400 seconds",
            "set-ntp",
        );
    }
}
