//! INCR, DECR, INCRBY, DECRBY and INCRBYFLOAT.

use larder_engine::{Access, Edit, Entry, Expiry};
use larder_resp::{Args, parse_integer};

use super::decimal::{self, NoSum};
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const INCR: Command = Command {
    name: "INCR",
    arity: 2,
    flags: &[Flag::Write, Flag::DenyOom, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "1.0.0",
    summary: "Adds one to the integer value of a key",
    action: Action::Run(|ctx, args| add(ctx, args, 1)),
};

pub(super) const DECR: Command = Command {
    name: "DECR",
    summary: "Takes one from the integer value of a key",
    action: Action::Run(|ctx, args| add(ctx, args, -1)),
    ..INCR
};

pub(super) const INCRBY: Command = Command {
    name: "INCRBY",
    arity: 3,
    summary: "Adds an integer to the integer value of a key",
    action: Action::Run(|ctx, args| add(ctx, args, amount(args)?)),
    ..INCR
};

pub(super) const DECRBY: Command = Command {
    name: "DECRBY",
    arity: 3,
    summary: "Takes an integer from the integer value of a key",
    action: Action::Run(decrby),
    ..INCR
};

pub(super) const INCRBYFLOAT: Command = Command {
    name: "INCRBYFLOAT",
    arity: 3,
    since: "2.6.0",
    summary: "Adds a fraction to the numeric value of a key",
    action: Action::Run(incrbyfloat),
    ..INCR
};

const OVERFLOW: Failure = Failure::new("ERR increment or decrement would overflow");

/// Bytes that the longest integer takes.
const INTEGER_BYTES_MAX: usize = 20;

fn amount(args: Args<'_>) -> Result<i64, Failure> {
    parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)
}

fn decrby(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let amount = amount(args)?.checked_neg();
    add(
        ctx,
        args,
        amount.ok_or(Failure::new("ERR decrement would overflow"))?,
    )
}

fn add(ctx: &mut Context<'_>, args: Args<'_>, amount: i64) -> Outcome {
    let sum = change(ctx, args, Event::INCRBY, INTEGER_BYTES_MAX, |entry| {
        let current = entry.map_or(Some(0), |entry| parse_integer(entry.value()));
        let current = current.ok_or(Failure::NOT_AN_INTEGER)?;
        let sum = current.checked_add(amount).ok_or(OVERFLOW)?;
        Ok((itoa::Buffer::new().format(sum).as_bytes().to_vec(), sum))
    })?;
    ctx.reply.integer(sum);
    Ok(Flow::Continue)
}

fn incrbyfloat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let amount = &args[2];
    let bytes_hint = amount.len() + INTEGER_BYTES_MAX;
    let sum = change(ctx, args, Event::INCRBYFLOAT, bytes_hint, |entry| {
        let current = entry.map_or(&b"0"[..], |entry| entry.value());
        let sum = decimal::add(current, amount).map_err(|error| match error {
            NoSum::NotANumber => Failure::new("ERR value is not a valid float"),
            NoSum::Infinite => Failure::new("ERR increment would produce NaN or Infinity"),
        })?;
        Ok((sum.clone().into_bytes(), sum))
    })?;
    ctx.reply.bulk(sum.as_bytes());
    Ok(Flow::Continue)
}

/// Replaces the value of the first key by what `compute` makes of it; the expiry stays.
fn change<R>(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    event: Event,
    bytes_hint: usize,
    compute: impl Fn(Option<Entry<'_>>) -> Result<(Vec<u8>, R), Failure>,
) -> Result<R, Failure> {
    let key = ctx.key(&args[1]);
    let (result, existed) = ctx.store.update(
        key,
        ctx.now,
        Access::Write,
        bytes_hint,
        |entry| match compute(entry) {
            Ok((value, result)) => (
                Edit::put(value, Expiry::Keep),
                Ok((result, entry.is_some())),
            ),
            Err(failure) => (Edit::Keep, Err(failure)),
        },
    )??;
    ctx.onlookers().notify_written(event, key, existed);
    Ok(result)
}
