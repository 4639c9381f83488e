//! Clients that come all at once wait to be accepted, as many as the kernel lets wait.

use larder_server::BACKLOG;

use super::machine::Machine;
use super::{Judged, Verdict};
use crate::config::Config;

const PATH: &str = "proc/sys/net/core/somaxconn";

pub(super) fn check(machine: &Machine, _: &Config) -> Judged {
    Ok(match machine.number(PATH)? {
        Some(waiting) if waiting < BACKLOG as u64 => Verdict::wrong(
            format!(
                "{waiting} connections may wait to be accepted, Larder asks for {BACKLOG}; when many \
                 come at once, some are delayed by seconds"
            ),
            format!("sudo sysctl -w net.core.somaxconn={BACKLOG}"),
        ),
        Some(waiting) => Verdict::fine(format!("{waiting} connections may wait to be accepted")),
        None => Verdict::fine("the kernel has no setting for it"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_wrong, config, machine};
    use super::*;

    #[test]
    fn as_many_have_to_be_allowed_as_are_asked_for() {
        let check_with = |text: &str| {
            let (_root, machine) = machine(&[(PATH, text)]);
            check(&machine, &config(&[]))
        };
        assert_fine(check_with("4096\n"), "4096 connections");
        let mend = "sudo sysctl -w net.core.somaxconn=4096";
        assert_wrong(check_with("128\n"), "128 connections", mend);
    }
}
