//! Huge pages that nobody asked for are given back whole or not at all.

use super::machine::Machine;
use super::{Judged, Verdict};
use crate::config::Config;

const PATH: &str = "sys/kernel/mm/transparent_hugepage/enabled";

pub(super) fn check(machine: &Machine, _: &Config) -> Judged {
    let Some(text) = machine.read(PATH)? else {
        return Ok(Verdict::fine("the kernel has no transparent ones"));
    };
    let chosen = text
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    match chosen {
        Some(("always", _)) => Ok(Verdict::wrong(
            "transparent huge pages are always on: resident memory exceeds its bound when values change \
             their size",
            format!("echo madvise | sudo tee /{PATH}"),
        )),
        Some((mode, _)) => Ok(Verdict::fine(format!("transparent huge pages: {mode}"))),
        None => Err(Machine::unknown(PATH, format!("{text:?} chooses nothing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_unknown, assert_wrong, config, machine};
    use super::*;

    #[test]
    fn always_is_too_often() {
        let check_with = |text: &str| {
            let (_root, machine) = machine(&[(PATH, text)]);
            check(&machine, &config(&[]))
        };
        assert_fine(check_with("always [madvise] never\n"), "madvise");
        assert_fine(check_with("always madvise [never]\n"), "never");
        let mend = "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/enabled";
        assert_wrong(check_with("[always] madvise never\n"), "always on", mend);
        assert_unknown(check_with("always"), "chooses nothing");
        let (_root, none) = machine(&[]);
        assert_fine(check(&none, &config(&[])), "no transparent");
    }
}
