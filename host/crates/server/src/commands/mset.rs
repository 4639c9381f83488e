//! MSET and MSETNX.

use std::time::Instant;

use larder_engine::{Access, Edit, Expiry, Key};
use larder_resp::Args;

use super::offer::{DECIDING_MAX, Offer};
use super::{Action, Category, Command, Failure, Flag, Group, Keys};
use crate::{Context, Flow};

pub(super) const MSET: Command = Command {
    name: "MSET",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::PAIRS,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.1",
    summary: "Sets the values of several keys, all at one moment",
    action: Action::Run(|ctx, args| {
        write(ctx, args, &MSET)?;
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
};

pub(super) const MSETNX: Command = Command {
    name: "MSETNX",
    summary: "Sets the values of several keys, all at one moment, unless one of them exists",
    action: Action::Run(|ctx, args| {
        let set = write(ctx, args, &MSETNX)?;
        ctx.reply.integer(set.into());
        Ok(Flow::Continue)
    }),
    ..MSET
};

/// Sets all pairs, or none where MSETNX finds one of the keys. Whether it set them.
fn write(ctx: &mut Context<'_>, args: Args<'_>, command: &Command) -> Result<bool, Failure> {
    if args.len().is_multiple_of(2) {
        return Err(Failure::arity(&command.lowercase_name()));
    }
    // Decided before anything is locked.
    let (db, offer) = (ctx.session.db, |(key, value)| {
        Offer::plain(key, value, Expiry::Never)
    });
    let is_conditional = command.name == MSETNX.name;
    let is_decided = ctx.decider.has_a_say(ctx.store.tenant().number());
    let begun = Instant::now();
    let kept: Vec<_> = (1..args.len())
        .step_by(2)
        .filter(|_| is_decided)
        .take_while(|_| begun.elapsed() < DECIDING_MAX)
        .map(|at| {
            let offer = offer((Key::new(db, &args[at]), &args[at + 1]));
            match is_conditional {
                true => ctx.decide_kept(&offer),
                false => ctx.decide(&offer),
            }
        })
        .collect();
    let pair = |at: usize| (Key::new(db, &args[at]), &args[at + 1]);
    let pairs = || (1..args.len()).step_by(2).map(pair);
    let values_bytes = pairs().map(|(_, value)| value.len()).sum();
    let entry_bytes_max = ctx.store.tenant().entry_bytes_max();
    let keys = pairs().map(|(key, _)| key);
    let onlookers = ctx.onlookers();
    let mut locked = ctx.store.lock(keys, values_bytes, ctx.now)?;
    let mut exists = |(key, _)| locked.peek(key, ctx.now, |_| ()).is_some();
    if is_conditional && pairs().any(&mut exists) {
        return Ok(false);
    }
    let mut put = |(at, (key, value))| {
        let edit = match kept.get(at) {
            Some(kept) => offer((key, value)).edit(*kept),
            None => Edit::put(value, Expiry::Never),
        };
        locked.update(key, ctx.now, Access::Write, |entry| {
            (edit.clone(), entry.is_some())
        })
    };
    // Where a pair comes near the bound of an entry, the largest goes first: if that one is not
    // refused for its size then none is, and what is refused has changed nothing.
    let largest = pairs()
        .enumerate()
        .max_by_key(|(_, (key, value))| key.bytes.len() + value.len());
    let is_near = |bytes: usize| bytes > entry_bytes_max / 2;
    let is_large =
        |(_, (key, value)): &(usize, (Key<'_>, &[u8]))| is_near(key.bytes.len() + value.len());
    if let Some(pair) = largest.filter(is_large) {
        put(pair)?;
    }
    for (at, pair) in pairs().enumerate() {
        let existed = put((at, pair))?;
        let expiry = match kept.get(at) {
            Some(kept) => kept.map(|kept| kept.expiry),
            None => Some(Expiry::Never),
        };
        onlookers.notify_kept(&offer(pair), expiry, existed);
    }
    Ok(true)
}
