//! What the table says of a command.

use std::iter::StepBy;
use std::ops::Range;

use larder_resp::Args;

use super::Outcome;
use crate::Context;

/// Answers a request whose number of arguments fits.
pub(crate) type Run = fn(&mut Context<'_>, Args<'_>) -> Outcome;

/// What there is to know of one command.
pub(crate) struct Command {
    /// In capitals; of a subcommand its own name only.
    pub name: &'static str,
    /// Number of arguments, the command's name included; negative: at least so many.
    pub arity: i32,
    /// What COMMAND INFO tells clients of its nature.
    pub flags: &'static [Flag],
    /// Which arguments are keys.
    pub keys: Keys,
    /// Chapter of the manual.
    pub group: Group,
    /// Categories of access control that do not follow from the flags.
    pub categories: &'static [Category],
    /// Version of Redis that had it first.
    pub since: &'static str,
    /// One line for COMMAND DOCS.
    pub summary: &'static str,
    /// What answers it.
    pub action: Action,
}

/// What answers a command.
#[derive(Clone, Copy)]
pub(crate) enum Action {
    /// A function.
    Run(Run),
    /// One of its subcommands; given alone `alone`, if that is allowed.
    Container {
        alone: Option<Run>,
        subcommands: &'static [Command],
    },
}

/// Nature of a command, as COMMAND INFO tells it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    /// May change entries.
    Write,
    /// Only reads entries.
    ReadOnly,
    /// May need memory.
    DenyOom,
    /// For administrators.
    Admin,
    /// Not for scripts.
    NoScript,
    /// Allowed while loading.
    Loading,
    /// Allowed on stale data.
    Stale,
    /// Takes constant or logarithmic time.
    Fast,
    /// Allowed before authentication.
    NoAuth,
    /// Allowed while a script blocks.
    AllowBusy,
    /// Not within a transaction.
    NoMulti,
    /// Not in the slow log itself: what it carries out is.
    SkipSlowlog,
    /// About channels.
    PubSub,
    /// Not shown to MONITOR itself: what it carries out is.
    SkipMonitor,
    /// May have no keys.
    NoMandatoryKeys,
    /// Its keys are told by an argument.
    MovableKeys,
}

impl Flag {
    /// As COMMAND INFO spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::ReadOnly => "readonly",
            Self::DenyOom => "denyoom",
            Self::Admin => "admin",
            Self::NoScript => "noscript",
            Self::Loading => "loading",
            Self::Stale => "stale",
            Self::Fast => "fast",
            Self::NoAuth => "no_auth",
            Self::AllowBusy => "allow_busy",
            Self::NoMulti => "no_multi",
            Self::SkipSlowlog => "skip_slowlog",
            Self::PubSub => "pubsub",
            Self::SkipMonitor => "skip_monitor",
            Self::NoMandatoryKeys => "no_mandatory_keys",
            Self::MovableKeys => "movablekeys",
        }
    }
}

/// Which arguments of a command are keys: from `first` to `last` in steps of `step`. A negative
/// `last` counts from the end; `first` is 0 when there are none.
#[derive(Clone, Copy)]
pub(crate) struct Keys {
    pub first: i32,
    pub last: i32,
    pub step: i32,
}

impl Keys {
    /// No argument is a key.
    pub(crate) const NONE: Self = Self {
        first: 0,
        last: 0,
        step: 0,
    };
    /// The first argument is the only key.
    pub(crate) const FIRST: Self = Self {
        first: 1,
        last: 1,
        step: 1,
    };
    /// The first two arguments are keys.
    pub(crate) const FIRST_TWO: Self = Self {
        first: 1,
        last: 2,
        step: 1,
    };
    /// Of a subcommand: the argument behind its name is the only key.
    pub(crate) const SECOND: Self = Self {
        first: 2,
        last: 2,
        step: 1,
    };
    /// All arguments are keys.
    pub(crate) const ALL: Self = Self {
        first: 1,
        last: -1,
        step: 1,
    };
    /// Every other argument is a key, each followed by its value.
    pub(crate) const PAIRS: Self = Self {
        first: 1,
        last: -1,
        step: 2,
    };
}

/// Chapter of the manual.
#[derive(Clone, Copy)]
pub(crate) enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    PubSub,
    Scripting,
    Server,
    String,
    Transactions,
}

impl Group {
    /// As COMMAND DOCS spells it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Bitmap => "bitmap",
            Self::Cluster => "cluster",
            Self::Connection => "connection",
            Self::Generic => "generic",
            Self::PubSub => "pubsub",
            Self::Scripting => "scripting",
            Self::Server => "server",
            Self::String => "string",
            Self::Transactions => "transactions",
        }
    }
}

/// Category of access control that does not follow from the flags.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Category {
    Admin,
    Bitmap,
    Connection,
    Dangerous,
    Keyspace,
    PubSub,
    Scripting,
    String,
    Transaction,
}

impl Command {
    /// A command that has subcommands and is nothing without one.
    pub(crate) const fn container(
        name: &'static str,
        group: Group,
        since: &'static str,
        summary: &'static str,
        subcommands: &'static [Self],
    ) -> Self {
        Self {
            name,
            arity: -2,
            flags: &[],
            keys: Keys::NONE,
            group,
            categories: &[],
            since,
            summary,
            action: Action::Container {
                alone: None,
                subcommands,
            },
        }
    }

    /// The subcommand HELP.
    pub(crate) const fn help(
        group: Group,
        since: &'static str,
        categories: &'static [Category],
        run: Run,
    ) -> Self {
        Self {
            name: "HELP",
            arity: 2,
            flags: &[Flag::Loading, Flag::Stale],
            keys: Keys::NONE,
            group,
            categories,
            since,
            summary: "Lists the subcommands",
            action: Action::Run(run),
        }
    }

    /// Whether a request of `len` arguments, the command's name included, is complete.
    #[inline]
    pub(crate) fn accepts(&self, len: usize) -> bool {
        let needed = self.arity.unsigned_abs() as usize;
        if self.arity >= 0 {
            len == needed
        } else {
            len >= needed
        }
    }

    /// Which arguments of a request of `len` arguments, the command's name included, are keys.
    pub(crate) fn key_positions(&self, len: usize) -> StepBy<Range<usize>> {
        let Keys { first, last, step } = self.keys;
        let behind = last.unsigned_abs() as usize;
        let end = match (first, last) {
            (0, _) => 0,
            (_, ..0) => (len + 1).saturating_sub(behind),
            _ => (behind + 1).min(len),
        };
        (first.unsigned_abs() as usize..end).step_by(step.unsigned_abs().max(1) as usize)
    }

    /// The name as error messages and COMMAND spell it.
    pub(crate) fn lowercase_name(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// The name of a subcommand of `container`: `client|setname`.
    pub(crate) fn full_name(&self, container: &Self) -> String {
        format!("{}|{}", container.name, self.name).to_ascii_lowercase()
    }

    /// Whether it may be asked for before anybody has signed in.
    pub(crate) fn is_open(&self) -> bool {
        self.flags.contains(&Flag::NoAuth)
    }

    /// Whether it changes no entry.
    pub(crate) fn is_read_only(&self) -> bool {
        self.flags.contains(&Flag::ReadOnly)
    }

    /// Whether it may change entries, or tell others something.
    pub(crate) fn may_change(&self) -> bool {
        let tells = matches!(self.name, "PUBLISH" | "SPUBLISH" | "EVAL" | "EVALSHA");
        tells || self.flags.contains(&Flag::Write)
    }

    /// Its subcommands, if it is a container.
    pub(crate) fn subcommands(&self) -> &'static [Self] {
        match self.action {
            Action::Run(_) => &[],
            Action::Container { subcommands, .. } => subcommands,
        }
    }
}
