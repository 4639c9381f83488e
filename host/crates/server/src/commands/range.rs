//! GETRANGE, SUBSTR and SETRANGE: parts of a value.

use std::ops::Range;

use larder_engine::{Access, Edit};
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const GETRANGE: Command = Command {
    name: "GETRANGE",
    arity: 4,
    flags: &[Flag::ReadOnly],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "2.4.0",
    summary: "Returns a part of the value of a key",
    action: Action::Run(getrange),
};

pub(super) const SUBSTR: Command = Command {
    name: "SUBSTR",
    since: "1.0.0",
    summary: "Returns a part of the value of a key, like GETRANGE",
    ..GETRANGE
};

pub(super) const SETRANGE: Command = Command {
    name: "SETRANGE",
    flags: &[Flag::Write, Flag::DenyOom],
    since: "2.2.0",
    summary: "Writes over a part of the value of a key, which grows as needed",
    action: Action::Run(setrange),
    ..GETRANGE
};

fn getrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let [first, last] = [2, 3].map(|at| parse_integer(&args[at]).ok_or(Failure::NOT_AN_INTEGER));
    let (first, last) = (first?, last?);
    let key = ctx.key(&args[1]);
    let reply = &mut ctx.reply;
    let found = ctx.store.get(key, ctx.now, |entry| {
        let value = entry.value();
        reply.bulk(&value[part(first, last, value.len())]);
    });
    if found.is_none() {
        reply.bulk(b"");
    }
    ctx.notify_missing(key, found.is_none());
    Ok(Flow::Continue)
}

/// As [`clamp`], but nothing where both ends are negative and in the wrong order, however far they lie.
pub(super) fn part(first: i64, last: i64, len: usize) -> Range<usize> {
    match first < 0 && last < 0 && first > last {
        true => 0..0,
        false => clamp(first, last, len),
    }
}

/// What `first..=last` is of `len` items, where negative numbers count from the end; what lies before the
/// first counts as the first.
pub(super) fn clamp(first: i64, last: i64, len: usize) -> Range<usize> {
    let from_end = |at: i64| match usize::try_from(at) {
        Ok(at) => at,
        Err(_) => usize::try_from(at.unsigned_abs())
            .ok()
            .and_then(|back| len.checked_sub(back))
            .unwrap_or(0),
    };
    let (start, end) = (from_end(first), from_end(last).saturating_add(1).min(len));
    if start < end { start..end } else { 0..0 }
}

fn setrange(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let at = parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)?;
    let at = usize::try_from(at).map_err(|_| Failure::new("ERR offset is out of range"))?;
    let bytes = &args[3];
    let end = at.saturating_add(bytes.len());
    let bytes_max = ctx.shared.config.proto_bulk_bytes_max;
    let key = ctx.key(&args[1]);
    let changed = ctx.store.update(key, ctx.now, Access::Write, 0, |entry| {
        let length = entry.map_or(0, |entry| entry.value().len());
        if bytes.is_empty() {
            return (Edit::Keep, Ok((length, None)));
        }
        if end > bytes_max {
            return (Edit::Keep, Err(Failure::STRING_TOO_LONG));
        }
        let patch = Edit::Patch {
            at,
            bytes: bytes.into(),
        };
        (patch, Ok((length.max(end), Some(entry.is_some()))))
    })?;
    let (length, existed) = changed?;
    if let Some(existed) = existed {
        let onlookers = ctx.onlookers();
        onlookers.notify_written(Event::SETRANGE, key, existed);
    }
    ctx.reply.integer(length as i64);
    Ok(Flow::Continue)
}
