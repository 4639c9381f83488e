//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.

use super::{Action, Category, Command, Flag, Group, Keys};
use crate::{Flow, transaction};

pub(super) const MULTI: Command = Command {
    name: "MULTI",
    arity: 1,
    flags: &[
        Flag::NoScript,
        Flag::Loading,
        Flag::Stale,
        Flag::Fast,
        Flag::AllowBusy,
    ],
    keys: Keys::NONE,
    group: Group::Transactions,
    categories: &[Category::Transaction],
    since: "1.2.0",
    summary: "Begins a transaction: what follows waits for EXEC",
    action: Action::Run(|ctx, _| {
        transaction::begin(ctx.session)?;
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
};

pub(super) const EXEC: Command = Command {
    name: "EXEC",
    flags: &[
        Flag::NoScript,
        Flag::Loading,
        Flag::Stale,
        Flag::SkipSlowlog,
    ],
    summary: "Executes the commands of a transaction, all at one moment",
    action: Action::Run(|ctx, _| transaction::exec(ctx)),
    ..MULTI
};

pub(super) const DISCARD: Command = Command {
    name: "DISCARD",
    since: "2.0.0",
    summary: "Ends a transaction without executing it",
    action: Action::Run(|ctx, _| {
        transaction::discard(ctx.session)?;
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
    ..MULTI
};

pub(super) const WATCH: Command = Command {
    name: "WATCH",
    arity: -2,
    keys: Keys::ALL,
    since: "2.2.0",
    summary: "Has the next transaction fail if one of the keys changes before it",
    action: Action::Run(|ctx, args| {
        transaction::watch(ctx, args)?;
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
    ..MULTI
};

pub(super) const UNWATCH: Command = Command {
    name: "UNWATCH",
    since: "2.2.0",
    summary: "Forgets the keys that are watched",
    action: Action::Run(|ctx, _| {
        transaction::unwatch(ctx);
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
    ..MULTI
};
