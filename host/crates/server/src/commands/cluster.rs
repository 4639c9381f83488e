//! CLUSTER, READONLY and READWRITE: what a server says that stands alone.

use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::Context;

pub(super) const COMMAND: Command = Command::container(
    "CLUSTER",
    Group::Cluster,
    "3.0.0",
    "Commands about a cluster, of which there is none",
    &[INFO, KEYSLOT, MYID, NODES, SHARDS, SLOTS],
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

const INFO: Command = Command {
    name: "INFO",
    arity: 2,
    flags: &[Flag::Stale],
    keys: Keys::NONE,
    group: Group::Cluster,
    categories: &[],
    since: "3.0.0",
    summary: "Describes the state of the cluster",
    action: Action::Run(refuse),
};

const KEYSLOT: Command = Command {
    name: "KEYSLOT",
    arity: 3,
    summary: "Returns the slot of a key",
    ..INFO
};

const MYID: Command = Command {
    name: "MYID",
    summary: "Returns the name of this node",
    ..INFO
};

const NODES: Command = Command {
    name: "NODES",
    summary: "Describes the nodes of the cluster",
    ..INFO
};

const SHARDS: Command = Command {
    name: "SHARDS",
    since: "7.0.0",
    summary: "Describes the shards of the cluster",
    ..INFO
};

const SLOTS: Command = Command {
    name: "SLOTS",
    summary: "Tells which slots are where",
    ..INFO
};

fn refuse(_ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    Err(Failure::new(
        "ERR This instance has cluster support disabled",
    ))
}
