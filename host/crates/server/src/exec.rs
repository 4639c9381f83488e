//! One command of several that are executed as one, while the shards that they need are held.

use larder_resp::Args;

use crate::commands::dispatch;
use crate::listing::{LIST_TOO_LONG, Listing, Matching};
use crate::meter::Paced;
use crate::stats::bump;
use crate::{Context, Flow};

/// Executes a command to its end: what a connection does in steps is done here at once, as nobody else
/// gets to the store meanwhile. The answer is [`Flow::Continue`], [`Flow::Close`] or [`Flow::Overfull`].
pub(crate) fn run_one(ctx: &mut Context<'_>, args: Args<'_>) -> Flow {
    let was_part = std::mem::replace(&mut ctx.is_part, true);
    let flow = dispatch(ctx, args);
    ctx.is_part = was_part;
    match flow {
        Flow::Flush(db) => in_one_step(ctx, args, |ctx| {
            ctx.store.flush(db);
            ctx.reply.ok();
        }),
        Flow::Keys(pattern) => in_one_step(ctx, args, |ctx| list(ctx, &pattern)),
        Flow::Order(_)
        | Flow::Record(_)
        | Flow::SignIn(_)
        | Flow::Fetch
        | Flow::FlushPrefix(_)
        | Flow::Hot(_)
        | Flow::Warm(_) => ctx.reply.error(NOT_HERE),
        flow @ (Flow::Continue | Flow::Close | Flow::Overfull) => return flow,
    }
    Flow::Continue
}

const NOT_HERE: &str = "ERR this takes a while, so it cannot be a part of a transaction or script";

/// Does what a connection would do in steps, and accounts for it as for those.
fn in_one_step(ctx: &mut Context<'_>, args: Args<'_>, work: impl FnOnce(&mut Context<'_>)) {
    let mut paced = Paced::new(args.iter());
    paced.step(ctx.shared, || work(ctx));
    paced.end(ctx.shared, ctx.watch.worker(), ctx.session);
}

fn list(ctx: &mut Context<'_>, pattern: &[u8]) {
    let mut listing = Box::new(Matching::new(pattern));
    let (db, version) = (ctx.session.db, ctx.session.version);
    while !listing.step(&mut ctx.store, db, version, ctx.now) {
        if listing.reply_bytes() > ctx.shared.config.output_bytes_max {
            return ctx.reply.error(&format!("ERR {LIST_TOO_LONG}"));
        }
    }
    let (reply, start) = listing.into_reply(version);
    ctx.reply.raw(&reply[start..]);
}

/// Executes commands as one, each by [`run_one`], and replies with an array.
pub(crate) fn run_all<'r>(
    ctx: &mut Context<'_>,
    requests: impl ExactSizeIterator<Item = Args<'r>>,
) -> Flow {
    ctx.reply.array(requests.len());
    // Replies end where there are too many; what was asked for is done all the same, or others would see a
    // part of it.
    let mut told = None;
    let mut flow = Flow::Continue;
    for args in requests {
        let len = ctx.reply.out_len();
        match run_one(ctx, args) {
            Flow::Close => flow = Flow::Close,
            Flow::Overfull => _ = told.get_or_insert(len),
            _ if ctx.output_is_full() => _ = told.get_or_insert(len),
            _ => {}
        }
        if let Some(len) = told {
            ctx.reply.take_back(len);
        }
    }
    match told {
        None => flow,
        Some(_) => {
            let error = "ERR reply too large: ask for less in one transaction";
            ctx.reply.error(error);
            bump(&ctx.shared.counters.over_limit);
            Flow::Close
        }
    }
}
