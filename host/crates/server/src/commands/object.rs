//! OBJECT: what Redis tells of how a value is kept.

use larder_engine::Entry;
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "OBJECT",
    Group::Generic,
    "2.2.3",
    "Commands about how a value is kept",
    &[ENCODING, FREQ, HELP_SUBCOMMAND, IDLETIME, REFCOUNT],
);

const ENCODING: Command = Command {
    name: "ENCODING",
    arity: 3,
    flags: &[Flag::ReadOnly],
    keys: Keys::SECOND,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "2.2.3",
    summary: "Returns how Redis would keep the value if it were set",
    action: Action::Run(encoding),
};

const FREQ: Command = Command {
    name: "FREQ",
    since: "4.0.0",
    summary: "Refuses to return how often a key is used, which is the policies' own knowledge",
    action: Action::Run(freq),
    ..ENCODING
};

const HELP_SUBCOMMAND: Command =
    Command::help(Group::Generic, "6.2.0", &[Category::Keyspace], |ctx, _| {
        reply_help(ctx, "OBJECT", &HELP)
    });

const IDLETIME: Command = Command {
    name: "IDLETIME",
    summary: "Returns the seconds since a key was last read or written",
    action: Action::Run(idletime),
    ..ENCODING
};

const REFCOUNT: Command = Command {
    name: "REFCOUNT",
    summary: "Returns how many share the value, which is one",
    action: Action::Run(|ctx, args| {
        let count = look(ctx, args, |_| 1);
        reply_integer_or_null(ctx, count)
    }),
    ..ENCODING
};

const HELP: [&str; 8] = [
    "ENCODING <key>",
    "    Return how Redis would keep the value: int, embstr or raw.",
    "FREQ <key>",
    "    Refused: how often keys are used is the policies' own knowledge.",
    "IDLETIME <key>",
    "    Return the seconds since the key was last read or written.",
    "REFCOUNT <key>",
    "    Return 1 for a key that exists.",
];

/// Longest value that Redis keeps together with its object.
const EMBEDDED_BYTES_MAX: usize = 44;

/// Leaves no trace.
fn look<R>(ctx: &mut Context<'_>, args: Args<'_>, read: impl FnOnce(Entry<'_>) -> R) -> Option<R> {
    ctx.store.peek(ctx.key(&args[2]), ctx.now, read)
}

fn reply_integer_or_null(ctx: &mut Context<'_>, number: Option<i64>) -> Outcome {
    match number {
        Some(number) => ctx.reply.integer(number),
        None => ctx.reply.null(),
    }
    Ok(Flow::Continue)
}

fn encoding(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let encoding = look(ctx, args, |entry| match entry.value() {
        value if parse_integer(value).is_some() => "int",
        value if value.len() <= EMBEDDED_BYTES_MAX => "embstr",
        _ => "raw",
    });
    ctx.reply_bulk_or_null(encoding.map(str::as_bytes));
    Ok(Flow::Continue)
}

fn freq(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if look(ctx, args, |_| ()).is_some() {
        return Err(Failure::new(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.",
        ));
    }
    ctx.reply.null();
    Ok(Flow::Continue)
}

fn idletime(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = ctx.now;
    let seconds = look(ctx, args, |entry| (entry.idle_ms(now) / 1000) as i64);
    reply_integer_or_null(ctx, seconds)
}
