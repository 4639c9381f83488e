//! An entry that was swapped out is slower than the source it spares.

use super::machine::Machine;
use super::{Judged, Verdict, cgroup};
use crate::config::Config;

const SWAPS: &str = "proc/swaps";
const SWAPPINESS: &str = "proc/sys/vm/swappiness";
/// Above this the kernel swaps out what is in use although it has memory left.
const SWAPPINESS_MAX: u64 = 10;

pub(super) fn check(machine: &Machine, _: &Config) -> Judged {
    let swaps = machine.read(SWAPS)?.unwrap_or_default();
    // The first line names the columns.
    if swaps.lines().count() < 2 {
        return Ok(Verdict::fine("there is none"));
    }
    if cgroup::is_swapless(machine)? {
        return Ok(Verdict::fine("the control group may not swap"));
    }
    Ok(match machine.number(SWAPPINESS)? {
        Some(swappiness) if swappiness > SWAPPINESS_MAX => Verdict::wrong(
            format!(
                "vm.swappiness is {swappiness}: entries that are idle are swapped out, and a hit takes \
                 milliseconds then"
            ),
            "sudo sysctl -w vm.swappiness=1    # for one service: MemorySwapMax=0 in its systemd unit",
        ),
        _ => Verdict::fine("the kernel swaps only when it must"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_wrong, config, machine};
    use super::*;

    const HEAD: &str = "Filename Type Size Used Priority\n";

    #[test]
    fn swap_is_wrong_where_the_kernel_uses_it_freely() {
        let on = format!("{HEAD}/dev/sda2 partition 8388604 0 -2\n");
        let check_with = |swaps: &str, swappiness: &str, group: &str| {
            let (_root, machine) = machine(&[
                (SWAPS, swaps),
                (SWAPPINESS, swappiness),
                ("proc/self/cgroup", "0::/\n"),
                ("sys/fs/cgroup/memory.swap.max", group),
            ]);
            check(&machine, &config(&[]))
        };
        assert_fine(check_with(HEAD, "60", "max"), "none");
        assert_fine(check_with(&on, "10", "max"), "only when it must");
        assert_fine(check_with(&on, "60", "0"), "control group");
        assert_wrong(check_with(&on, "60", "max"), "is 60", "vm.swappiness=1");
    }
}
