//! MGET.

use larder_engine::Key;
use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::stats::bump;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "MGET",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::ALL,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.0",
    summary: "Returns the values of several keys, all read at one moment",
    action: Action::Run(run),
};

/// Where a value would make the output too long, an error stands in its place, and the connection closes.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let db = ctx.session.db;
    let keys = args.iter().skip(1).map(|bytes| Key::new(db, bytes));
    let output_bytes_max = ctx.shared.config.output_bytes_max;
    let onlookers = ctx.onlookers();
    let mut locked = ctx.store.lock(keys, 0, ctx.now)?;
    ctx.reply.array(args.len() - 1);
    for bytes in args.iter().skip(1) {
        let key = Key::new(db, bytes);
        let reply = &mut ctx.reply;
        let fits = locked.get(key, ctx.now, |entry| {
            let fits = reply.out_len() + entry.value().len() <= output_bytes_max;
            if fits {
                reply.bulk(entry.value());
            }
            fits
        });
        match fits {
            Some(true) => {}
            None => {
                reply.null();
                onlookers.notify(Event::KEYMISS, key);
            }
            Some(false) => {
                reply.error("ERR reply too large: ask for fewer keys at once");
                bump(&ctx.shared.counters.over_limit);
                return Ok(Flow::Overfull);
            }
        }
    }
    Ok(Flow::Continue)
}
