//! SETBIT and GETBIT. Bit 0 is the highest of the first byte.

use larder_engine::{Access, Edit};
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const SETBIT: Command = Command {
    name: "SETBIT",
    arity: 4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::FIRST,
    group: Group::Bitmap,
    categories: &[Category::Bitmap],
    since: "2.2.0",
    summary: "Sets or clears a bit of the value of a key and returns what it was",
    action: Action::Run(setbit),
};

pub(super) const GETBIT: Command = Command {
    name: "GETBIT",
    arity: 3,
    flags: &[Flag::ReadOnly, Flag::Fast],
    summary: "Returns a bit of the value of a key",
    action: Action::Run(getbit),
    ..SETBIT
};

/// The number of a bit, which has to lie within the longest string.
pub(super) fn parse_offset(ctx: &Context<'_>, text: &[u8]) -> Result<usize, Failure> {
    check_offset(ctx, parse_integer(text))
}

/// As [`parse_offset`]; `#n` is the `n`th of so many bits.
pub(super) fn parse_field_offset(
    ctx: &Context<'_>,
    text: &[u8],
    bits: u32,
) -> Result<usize, Failure> {
    let offset = match text {
        [b'#', number @ ..] => parse_integer(number).and_then(|n| n.checked_mul(bits.into())),
        text => parse_integer(text),
    };
    check_offset(ctx, offset)
}

fn check_offset(ctx: &Context<'_>, offset: Option<i64>) -> Result<usize, Failure> {
    let bytes_max = ctx.shared.config.proto_bulk_bytes_max;
    offset
        .and_then(|offset| usize::try_from(offset).ok())
        .filter(|offset| offset / 8 < bytes_max)
        .ok_or(Failure::new(
            "ERR bit offset is not an integer or out of range",
        ))
}

/// The byte at `at` of a value that goes on with zeros.
pub(super) fn byte(value: &[u8], at: usize) -> u8 {
    value.get(at).copied().unwrap_or(0)
}

fn is_set(byte: u8, offset: usize) -> bool {
    byte & mask(offset) != 0
}

fn mask(offset: usize) -> u8 {
    0x80 >> (offset % 8)
}

fn setbit(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let offset = parse_offset(ctx, &args[2])?;
    let on = match &args[3] {
        b"0" => false,
        b"1" => true,
        _ => {
            return Err(Failure::new("ERR bit is not an integer or out of range"));
        }
    };
    let at = offset / 8;
    let key = ctx.key(&args[1]);
    let (was_on, existed) = ctx.store.update(key, ctx.now, Access::Write, 0, |entry| {
        let value = entry.map_or(&b""[..], |entry| entry.value());
        let before = byte(value, at);
        let was_on = is_set(before, offset);
        if was_on == on && at < value.len() {
            return (Edit::Keep, (was_on, None));
        }
        let after = before & !mask(offset) | if on { mask(offset) } else { 0 };
        let bytes = vec![after].into();
        (Edit::Patch { at, bytes }, (was_on, Some(entry.is_some())))
    })?;
    if let Some(existed) = existed {
        let onlookers = ctx.onlookers();
        onlookers.notify_written(Event::SETBIT, key, existed);
    }
    ctx.reply.integer(was_on.into());
    Ok(Flow::Continue)
}

fn getbit(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let offset = parse_offset(ctx, &args[2])?;
    let key = ctx.key(&args[1]);
    let found = ctx.read(key, |entry| is_set(byte(entry.value(), offset / 8), offset));
    ctx.reply.integer(found.unwrap_or(false).into());
    Ok(Flow::Continue)
}
