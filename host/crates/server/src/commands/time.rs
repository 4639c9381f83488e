//! TIME.

use larder_resp::Args;

use super::{Action, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "TIME",
    arity: 1,
    flags: &[Flag::Loading, Flag::Stale, Flag::Fast],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "2.6.0",
    summary: "Returns the server's time",
    action: Action::Run(run),
};

/// Seconds and microseconds, as in Redis; the clock that commands see has milliseconds.
fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.array(2);
    for part in [ctx.now / 1000, ctx.now % 1000 * 1000] {
        ctx.reply.bulk(itoa::Buffer::new().format(part).as_bytes());
    }
    Ok(Flow::Continue)
}
