//! A sandbox reserves more addresses than memory it uses; a kernel that counts both alike refuses them.

use super::machine::Machine;
use super::{Judged, Verdict};
use crate::config::Config;

const PATH: &str = "proc/sys/vm/overcommit_memory";

pub(super) fn check(machine: &Machine, _: &Config) -> Judged {
    Ok(match machine.number(PATH)? {
        Some(2) => Verdict::wrong(
            "vm.overcommit_memory is 2: what is reserved counts as used, so policies may not start and \
             writes may fail with memory to spare",
            "sudo sysctl -w vm.overcommit_memory=0",
        ),
        Some(mode) => Verdict::fine(format!("vm.overcommit_memory is {mode}")),
        None => Verdict::fine("the kernel has no setting for it"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_unknown, assert_wrong, config, machine};
    use super::*;

    #[test]
    fn only_strict_accounting_is_in_the_way() {
        let check_with = |text: &str| {
            let (_root, machine) = machine(&[(PATH, text)]);
            check(&machine, &config(&[]))
        };
        assert_fine(check_with("0\n"), "is 0");
        assert_fine(check_with("1\n"), "is 1");
        assert_wrong(check_with("2\n"), "policies", "vm.overcommit_memory=0");
        assert_unknown(check_with("x"), "no number");
    }
}
