//! `larder doctor`: what of a machine is in a server's way, and the command that mends it.
//!
//! Each check is a file. It looks and changes nothing; what the kernel tells it reads through
//! [`Machine`], so that tests show it any machine.

mod backlog;
mod certificate;
mod cgroup;
mod clock;
mod data;
mod huge_pages;
mod machine;
mod memory;
mod open_files;
mod overcommit;
mod policies;
mod port;
mod processors;
mod report;
mod swap;
#[cfg(test)]
mod testing;
mod tls_buffers;

use std::time::SystemTime;

use crate::config::Config;

use machine::{Machine, Unreadable};
pub(crate) use report::{Format, Report};

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be, in a sentence.
    Fine(String),
    /// What is wrong and what follows from it, and the command that mends it.
    Wrong { found: String, mend: String },
}

impl Verdict {
    fn fine(found: impl Into<String>) -> Self {
        Self::Fine(found.into())
    }

    fn wrong(found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::Wrong {
            found: found.into(),
            mend: mend.into(),
        }
    }
}

type Judged = Result<Verdict, Unreadable>;

type Check = fn(&Machine, &Config) -> Judged;

/// All there are, by name, in the order in which they are told.
const CHECKS: &[(&str, Check)] = &[
    ("open files", open_files::check),
    ("memory", memory::check),
    ("tls buffers", |_, config| tls_buffers::check(config)),
    ("swap", swap::check),
    ("overcommit", overcommit::check),
    ("huge pages", huge_pages::check),
    ("processors", processors::check),
    ("clock", |machine, config| {
        clock::check(machine, config, SystemTime::now())
    }),
    ("backlog", backlog::check),
    ("listen", |_, config| Ok(port::check_listen(config))),
    ("tls listen", |_, config| Ok(port::check_tls_listen(config))),
    ("http", |_, config| Ok(port::check_http(config))),
    ("certificate", |_, config| {
        certificate::check(config, SystemTime::now())
    }),
    ("data folder", data::check),
    ("policies folder", |_, config| policies::check(config)),
];

/// Looks at the machine that this program runs on, for a server with that configuration.
pub(crate) fn examine(config: &Config) -> Report {
    let machine = Machine::new("/");
    let judge = |(name, check): &(&'static str, Check)| (*name, check(&machine, config));
    Report::new(CHECKS.iter().map(judge).collect())
}
