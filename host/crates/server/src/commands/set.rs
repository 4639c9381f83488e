//! SET with all its options.

use larder_engine::{Access, Edit, Expiry, Millis};
use larder_resp::Args;

use super::moment::Scale;
use super::offer::{Offer, is_past};
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "SET",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.0",
    summary: "Sets the value of a key",
    action: Action::Run(run),
};

/// What the options ask for.
#[derive(Clone, Copy)]
struct Options {
    expiry: Expiry,
    condition: Option<Condition>,
    get: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Absent,
    Present,
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return run_with_options(ctx, args);
    }
    ctx.keep(&Offer::plain(ctx.key(&args[1]), &args[2], Expiry::Never))?;
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn run_with_options(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Options {
        expiry,
        condition,
        get,
    } = parse_options(args, ctx.now)?;
    let offer = Offer::plain(ctx.key(&args[1]), &args[2], expiry);
    if condition.is_none() && !get && expiry != Expiry::Keep {
        ctx.keep(&offer)?;
        ctx.reply.ok();
        return Ok(Flow::Continue);
    }
    let (put, bytes, kept) = if expiry == Expiry::Keep || is_past(expiry, ctx.now) {
        let kept = (expiry == Expiry::Keep).then_some(expiry);
        (Edit::put(offer.value, expiry), offer.value.len(), kept)
    } else {
        let kept = ctx.decide_kept(&offer);
        let expiry = kept.map(|kept| kept.expiry);
        (offer.edit(kept), offer.bytes(kept), expiry)
    };
    let access = if get { Access::Read } else { Access::Write };
    let (set, old, existed) = ctx
        .store
        .update(offer.key, ctx.now, access, bytes, |entry| {
            let old = entry.filter(|_| get).map(|entry| entry.value().to_vec());
            let set =
                condition.is_none_or(|wanted| (wanted == Condition::Present) == entry.is_some());
            let edit = if set { put.clone() } else { Edit::Keep };
            (edit, (set, old, entry.is_some()))
        })?;
    ctx.notify_missing(offer.key, get && !existed);
    if set {
        ctx.onlookers().notify_kept(&offer, kept, existed);
    }
    match (get, set) {
        (true, _) => ctx.reply_bulk_or_null(old.as_deref()),
        (false, true) => ctx.reply.ok(),
        (false, false) => ctx.reply.null(),
    }
    Ok(Flow::Continue)
}

/// An option may be repeated and the last one counts, as in Redis; those that contradict are an
/// error.
fn parse_options(args: Args<'_>, now: Millis) -> Result<Options, Failure> {
    let mut condition = None;
    let mut get = false;
    let mut keep = false;
    let mut deadline: Option<(Scale, &[u8])> = None;
    let mut rest = args.iter().skip(3);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"NX") && condition != Some(Condition::Present) {
            condition = Some(Condition::Absent);
        } else if is(b"XX") && condition != Some(Condition::Absent) {
            condition = Some(Condition::Present);
        } else if is(b"GET") {
            get = true;
        } else if is(b"KEEPTTL") && deadline.is_none() {
            keep = true;
        } else {
            let scale = Scale::of_option(option).ok_or(Failure::SYNTAX)?;
            let contradicts = keep || deadline.is_some_and(|(other, _)| other != scale);
            let text = rest
                .next()
                .filter(|_| !contradicts)
                .ok_or(Failure::SYNTAX)?;
            deadline = Some((scale, text));
        }
    }
    let expiry = match deadline {
        Some((scale, text)) => Expiry::At(scale.deadline(text, now, "set")?),
        None if keep => Expiry::Keep,
        None => Expiry::Never,
    };
    Ok(Options {
        expiry,
        condition,
        get,
    })
}
