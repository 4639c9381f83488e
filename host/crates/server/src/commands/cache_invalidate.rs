//! CACHE.INVALIDATE: many entries go at once, by a tag, by what their keys begin with, or all of the tenant.

use larder_engine::Invalidation;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, reply_help};
use crate::Flow;

pub(super) const COMMAND: Command = Command::container(
    "CACHE.INVALIDATE",
    Group::Generic,
    "7.2.0",
    "Removes many entries at once",
    &[HELP_SUBCOMMAND, PREFIX, TAG, TENANT],
);

/// As with FLUSHDB no key is named, so rights to keys do not bound it.
const TAG: Command = Command {
    name: "TAG",
    arity: -3,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Generic,
    categories: &[Category::Keyspace, Category::Dangerous],
    since: "7.2.0",
    summary: "Removes all entries of the tenant that have one of some tags",
    action: Action::Run(|ctx, args| {
        let tenant = ctx.store.tenant();
        tenant.invalidate_tags(args.iter().skip(2));
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
};

/// It takes a while.
const PREFIX: Command = Command {
    name: "PREFIX",
    arity: 3,
    flags: &[Flag::Write, Flag::NoScript, Flag::NoMulti],
    summary: "Removes all entries of the selected database whose keys begin so",
    action: Action::Run(|ctx, args| {
        let prefix = &args[2];
        if prefix.len() > PREFIX_BYTES_MAX {
            return Err(TOO_LONG);
        }
        if prefix.is_empty() {
            let tenant = ctx.store.tenant();
            tenant.count_invalidation(Invalidation::Prefix);
            return Ok(Flow::Flush(Some(ctx.session.db)));
        }
        Ok(Flow::FlushPrefix(prefix.to_vec()))
    }),
    ..TAG
};

/// A prefix is remembered for a while where there is a slower tier.
const PREFIX_BYTES_MAX: usize = 1024;
const TOO_LONG: Failure = Failure::new("ERR prefix too long: 1024 bytes are allowed");

const TENANT: Command = Command {
    name: "TENANT",
    arity: 2,
    flags: &[Flag::Write],
    summary: "Removes all entries of the tenant",
    action: Action::Run(|ctx, _| {
        let tenant = ctx.store.tenant();
        tenant.count_invalidation(Invalidation::Tenant);
        Ok(Flow::Flush(None))
    }),
    ..TAG
};

const HELP_SUBCOMMAND: Command =
    Command::help(Group::Generic, "7.2.0", &[Category::Keyspace], |ctx, _| {
        reply_help(ctx, COMMAND.name, &HELP)
    });

const HELP: [&str; 6] = [
    "PREFIX <prefix>",
    "    Remove all entries of the selected database whose keys begin so.",
    "TAG <tag> [<tag> ...]",
    "    Remove all entries of the tenant that have one of the tags.",
    "TENANT",
    "    Remove all entries of the tenant, in all databases.",
];
