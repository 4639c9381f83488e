//! BITFIELD and BITFIELD_RO: integers of any width anywhere in a value.

mod field;

use std::ops::Range;

use larder_engine::{Access, Edit, Error};
use larder_resp::{Args, parse_integer};

use super::bit::parse_field_offset;
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};
use field::{Field, Overflow, Window};

pub(super) const BITFIELD: Command = Command {
    name: "BITFIELD",
    arity: -2,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::FIRST,
    group: Group::Bitmap,
    categories: &[Category::Bitmap],
    since: "3.2.0",
    summary: "Reads and changes integers of any width in the value of a key",
    action: Action::Run(bitfield),
};

pub(super) const BITFIELD_RO: Command = Command {
    name: "BITFIELD_RO",
    flags: &[Flag::ReadOnly, Flag::Fast],
    since: "6.0.0",
    summary: "Reads integers of any width in the value of a key",
    action: Action::Run(bitfield_ro),
    ..BITFIELD
};

/// One thing to do, and where.
struct Operation {
    field: Field,
    /// The first bit.
    at: usize,
    action: FieldAction,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FieldAction {
    Get,
    Set(i64, Overflow),
    Add(i64, Overflow),
}

fn bitfield(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let operations = parse(ctx, args)?;
    let results = match written(&operations) {
        Some(bytes) => write(ctx, args, &operations, bytes)?,
        None => read(ctx, args, &operations),
    };
    reply(ctx, &results)
}

fn bitfield_ro(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let operations = parse(ctx, args)?;
    if written(&operations).is_some() {
        return Err(Failure::new(
            "ERR BITFIELD_RO only supports the GET subcommand",
        ));
    }
    let results = read(ctx, args, &operations);
    reply(ctx, &results)
}

/// An overflow that fails is nothing.
fn reply(ctx: &mut Context<'_>, results: &[Option<i64>]) -> Outcome {
    ctx.reply.array(results.len());
    for result in results {
        match result {
            Some(number) => ctx.reply.integer(*number),
            None => ctx.reply.null(),
        }
    }
    Ok(Flow::Continue)
}

fn parse(ctx: &Context<'_>, args: Args<'_>) -> Result<Vec<Operation>, Failure> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut at = 2;
    while let Some(name) = args.get(at) {
        let rest = args.len() - at - 1;
        let is = |wanted: &[u8], needed| name.eq_ignore_ascii_case(wanted) && rest >= needed;
        if is(b"OVERFLOW", 1) {
            overflow = Overflow::parse(&args[at + 1])
                .ok_or(Failure::new("ERR Invalid OVERFLOW type specified"))?;
            at += 2;
            continue;
        }
        let (gets, sets, adds) = (is(b"GET", 2), is(b"SET", 3), is(b"INCRBY", 3));
        if !gets && !sets && !adds {
            return Err(Failure::SYNTAX);
        }
        let field = Field::parse(&args[at + 1]).ok_or(Failure::new(
            "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported \
             but i64 is.",
        ))?;
        let offset = parse_field_offset(ctx, &args[at + 2], field.bits())?;
        let number = || parse_integer(&args[at + 3]).ok_or(Failure::NOT_AN_INTEGER);
        let action = match (gets, sets) {
            (true, _) => FieldAction::Get,
            (_, true) => FieldAction::Set(number()?, overflow),
            _ => FieldAction::Add(number()?, overflow),
        };
        operations.push(Operation {
            field,
            at: offset,
            action,
        });
        at += if gets { 3 } else { 4 };
    }
    Ok(operations)
}

/// The bytes from the first to the last that may be written, if any may.
fn written(operations: &[Operation]) -> Option<Range<usize>> {
    let writes = operations
        .iter()
        .filter(|operation| operation.action != FieldAction::Get);
    writes
        .map(|operation| operation.field.bytes(operation.at))
        .reduce(|a, b| a.start.min(b.start)..a.end.max(b.end))
}

fn read(ctx: &mut Context<'_>, args: Args<'_>, operations: &[Operation]) -> Vec<Option<i64>> {
    let key = ctx.key(&args[1]);
    let results = ctx.read(key, |entry| {
        run(&mut Window::new(entry.value(), 0..0), operations)
    });
    results.unwrap_or_else(|| run(&mut Window::new(b"", 0..0), operations))
}

/// The value reaches to the end of what may be written afterwards, written or not, as in Redis.
fn write(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    operations: &[Operation],
    bytes: Range<usize>,
) -> Result<Vec<Option<i64>>, Failure> {
    let key = ctx.key(&args[1]);
    let bytes_max = ctx.store.tenant().entry_bytes_max();
    if bytes.end > bytes_max {
        return Err(Failure::from(Error::EntryTooLarge {
            bytes: bytes.end,
            bytes_max,
        }));
    }
    let (results, changed) = ctx.store.update(key, ctx.now, Access::Write, 0, |entry| {
        let value = entry.map_or(&b""[..], |entry| entry.value());
        let mut window = Window::new(value, bytes.clone());
        let results = run(&mut window, operations);
        let after = window.into_bytes();
        if value.get(bytes.clone()) == Some(&after[..]) {
            return (Edit::Keep, (results, None));
        }
        let patch = Edit::Patch {
            at: bytes.start,
            bytes: after.into(),
        };
        (patch, (results, Some(entry.is_some())))
    })?;
    if let Some(existed) = changed {
        let onlookers = ctx.onlookers();
        onlookers.notify_written(Event::SETBIT, key, existed);
    }
    Ok(results)
}

fn run(window: &mut Window<'_>, operations: &[Operation]) -> Vec<Option<i64>> {
    let mut run_one = |operation: &Operation| {
        let Operation { field, at, action } = *operation;
        let old = field.of(window.get(at, field.bits()));
        let (new, overflow) = match action {
            FieldAction::Get => return Some(old),
            FieldAction::Set(number, overflow) => (field.given(number), overflow),
            FieldAction::Add(more, overflow) => (i128::from(old) + i128::from(more), overflow),
        };
        let new = field.fit(new, overflow)?;
        window.set(at, field.bits(), new.cast_unsigned());
        match action {
            FieldAction::Set(..) => Some(old),
            _ => Some(new),
        }
    };
    operations.iter().map(&mut run_one).collect()
}
