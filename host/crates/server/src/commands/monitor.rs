//! MONITOR.

use larder_resp::Args;

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::monitor::Monitoring;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "MONITOR",
    arity: 1,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "1.0.0",
    summary: "Shows what is carried out for all clients of the tenant",
    action: Action::Run(run),
};

/// Asked for again it answers nothing, as in Redis.
fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    if ctx.store.is_held() {
        return Err(Failure::new(
            "ERR MONITOR isn't allowed for DENY BLOCKING client",
        ));
    }
    if ctx.session.monitoring.is_none() {
        ctx.session.monitoring = Some(Monitoring::new(ctx.shared, ctx.session));
        ctx.reply.ok();
    }
    Ok(Flow::Continue)
}

/// Refuses what one that watches may not use.
pub(super) fn check_allowed(ctx: &Context<'_>, command: &Command) -> Result<(), Failure> {
    let touches_entries = command.may_change() || command.is_read_only();
    if ctx.session.monitoring.is_some() && touches_entries {
        return Err(Failure::new("ERR Replica can't interact with the keyspace"));
    }
    Ok(())
}
