//! CLUSTER, READONLY and READWRITE: what a server says that stands alone.

use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::Context;

pub(super) const COMMAND: Command = Command::container(
    "CLUSTER",
    Group::Cluster,
    "3.0.0",
    "Commands about a cluster, of which there is none",
    &[
        changing("ADDSLOTS", -3, "3.0.0", "Gives slots to this node"),
        changing(
            "ADDSLOTSRANGE",
            -4,
            "7.0.0",
            "Gives ranges of slots to this node",
        ),
        changing("BUMPEPOCH", 2, "3.0.0", "Raises the epoch of the cluster"),
        changing(
            "COUNT-FAILURE-REPORTS",
            3,
            "3.0.0",
            "Counts the reports that a node fails",
        ),
        asking("COUNTKEYSINSLOT", 3, "3.0.0", "Counts the keys of a slot"),
        changing("DELSLOTS", -3, "3.0.0", "Takes slots from this node"),
        changing(
            "DELSLOTSRANGE",
            -4,
            "7.0.0",
            "Takes ranges of slots from this node",
        ),
        changing(
            "FAILOVER",
            -2,
            "3.0.0",
            "Has a replica take the place of its primary",
        ),
        changing("FLUSHSLOTS", 2, "3.0.0", "Takes all slots from this node"),
        changing("FORGET", 3, "3.0.0", "Removes a node from the cluster"),
        asking("GETKEYSINSLOT", 4, "3.0.0", "Returns keys of a slot"),
        asking("HELP", 2, "5.0.0", "Lists the subcommands"),
        asking("INFO", 2, "3.0.0", "Describes the state of the cluster"),
        asking("KEYSLOT", 3, "3.0.0", "Returns the slot of a key"),
        asking("LINKS", 2, "7.0.0", "Describes the links between the nodes"),
        changing("MEET", -4, "3.0.0", "Has a node join the cluster"),
        asking("MYID", 2, "3.0.0", "Returns the name of this node"),
        asking(
            "MYSHARDID",
            2,
            "7.2.0",
            "Returns the name of this node's shard",
        ),
        asking("NODES", 2, "3.0.0", "Describes the nodes of the cluster"),
        changing(
            "REPLICAS",
            3,
            "5.0.0",
            "Describes the replicas of a primary",
        ),
        changing("REPLICATE", 3, "3.0.0", "Makes this node a replica"),
        changing("RESET", -2, "3.0.0", "Has this node leave the cluster"),
        changing(
            "SAVECONFIG",
            2,
            "3.0.0",
            "Writes the state of the cluster to disk",
        ),
        changing(
            "SET-CONFIG-EPOCH",
            3,
            "3.0.0",
            "Sets the epoch of this node",
        ),
        changing("SETSLOT", -4, "3.0.0", "Says which node a slot is at"),
        asking("SHARDS", 2, "7.0.0", "Describes the shards of the cluster"),
        changing("SLAVES", 3, "3.0.0", "Describes the replicas of a primary"),
        asking("SLOTS", 2, "3.0.0", "Tells which slots are where"),
    ],
);

pub(super) const READONLY: Command = Command {
    name: "READONLY",
    arity: 1,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Cluster,
    categories: &[Category::Connection],
    since: "3.0.0",
    summary: "Allows reads from a replica of a cluster, of which there is none",
    action: Action::Run(refuse),
};

pub(super) const READWRITE: Command = Command {
    name: "READWRITE",
    summary: "Takes back READONLY",
    ..READONLY
};

/// A subcommand that any user may ask.
const fn asking(
    name: &'static str,
    arity: i32,
    since: &'static str,
    summary: &'static str,
) -> Command {
    Command {
        name,
        arity,
        flags: &[Flag::Stale],
        since,
        summary,
        categories: &[],
        ..READONLY
    }
}

/// A subcommand for administrators.
const fn changing(
    name: &'static str,
    arity: i32,
    since: &'static str,
    summary: &'static str,
) -> Command {
    Command {
        flags: &[Flag::Admin, Flag::Stale],
        ..asking(name, arity, since, summary)
    }
}

fn refuse(_ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    Err(Failure::new(
        "ERR This instance has cluster support disabled",
    ))
}
