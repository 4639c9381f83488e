//! APPEND.

use larder_engine::{Access, Edit};
use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "APPEND",
    arity: 3,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "2.0.0",
    summary: "Appends to the value of a key, which is created if it is not there",
    action: Action::Run(run),
};

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let tail = &args[2];
    let bytes_max = ctx.shared.config.proto_bulk_bytes_max;
    let (length, existed) =
        ctx.store
            .update(key, ctx.now, Access::Write, tail.len(), |entry| {
                let length = entry.map_or(0, |entry| entry.value().len()) + tail.len();
                if length > bytes_max {
                    return (Edit::Keep, Err(Failure::STRING_TOO_LONG));
                }
                (Edit::Append(tail), Ok((length, entry.is_some())))
            })??;
    let onlookers = ctx.onlookers();
    onlookers.notify_written(Event::APPEND, key, existed);
    ctx.reply.integer(length as i64);
    Ok(Flow::Continue)
}
