//! Each client takes a descriptor, and each file of the second level; the server can raise its limit only up to the hard one.

use super::machine::Machine;
use super::{Judged, Verdict};
use crate::config::Config;
use crate::serve::descriptors;

const PATH: &str = "proc/self/limits";

pub(super) fn check(machine: &Machine, config: &Config) -> Judged {
    let text = machine.expect(PATH)?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let hard = line.and_then(|line| line.split_whitespace().nth(1));
    let limit = match hard {
        Some("unlimited") => u64::MAX,
        Some(number) => number
            .parse()
            .map_err(|_| Machine::unknown(PATH, format!("{number:?} is no number")))?,
        None => return Err(Machine::unknown(PATH, "it tells no \"Max open files\"")),
    };
    let clients = config.limits.clients_max;
    let needed = descriptors(config);
    if limit >= needed {
        return Ok(Verdict::fine(format!(
            "{clients} clients and what lies on disk need {needed} of them, and may have them"
        )));
    }
    Ok(Verdict::wrong(
        format!(
            "{limit} may be open, {clients} clients and what lies on disk need {needed}; the last clients will be turned away"
        ),
        format!(
            "sudo prlimit --pid $$ --nofile={needed}:{needed}    # this shell; LimitNOFILE={needed} \
             in a systemd unit"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{assert_fine, assert_unknown, assert_wrong, config, machine};
    use super::*;

    fn check_with(hard: &str, clients: &str) -> Judged {
        let text =
            format!("Limit Soft Hard Units\nMax open files            256       {hard}  files\n");
        let (_root, machine) = machine(&[(PATH, &text)]);
        let flags = [("limits.clients_max", clients), ("l2", "none")];
        check(&machine, &config(&flags))
    }

    #[test]
    fn the_hard_limit_has_to_suffice() {
        assert_fine(check_with("10256", "10000"), "10256");
        assert_fine(check_with("unlimited", "1000000"), "1000256");
        let mend = "prlimit --pid $$ --nofile=10256:10256";
        assert_wrong(check_with("10255", "10000"), "10255 may be open", mend);
        assert_unknown(check_with("many", "1"), "no number");
        let text = "Max open files            256       10256  files\n";
        let (_root, few) = machine(&[(PATH, text)]);
        let found = check(&few, &config(&[]));
        assert_wrong(found, "need 10432", "--nofile=10432:10432");
        let (_root, none) = machine(&[]);
        assert_unknown(
            check(&none, &config(&[])),
            "/proc/self/limits: there is none",
        );
    }
}
