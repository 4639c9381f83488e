//! LCS: what two values have in common, in order.

mod table;

use larder_engine::Key;
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};
use table::{Run, Table};

pub(super) const COMMAND: Command = Command {
    name: "LCS",
    arity: -3,
    flags: &[Flag::ReadOnly],
    keys: Keys::FIRST_TWO,
    group: Group::String,
    categories: &[Category::String],
    since: "7.0.0",
    summary: "Finds the longest common subsequence of the values of two keys",
    action: Action::Run(run),
};

/// Most pairs of bytes that one call compares, some milliseconds of work, as others wait for it.
const PAIRS_MAX: usize = 4 << 20;

/// What the options ask for.
#[derive(Default)]
struct Options {
    len: bool,
    idx: bool,
    with_match_len: bool,
    min_match_len: usize,
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let keys = [&args[1], &args[2]].map(|bytes| ctx.key(bytes));
    let options = parse(args)?;
    let [a, b] = values(ctx, keys)?;
    let table = Table::new(&a, &b);
    if options.idx {
        reply_runs(ctx, &options, &table);
    } else if options.len {
        ctx.reply.integer(table.len as i64);
    } else {
        let common: Vec<_> = table.runs().rev().map(|run| &a[run.in_a()]).collect();
        ctx.reply.bulk(&common.concat());
    }
    Ok(Flow::Continue)
}

fn parse(args: Args<'_>) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut rest = args.iter().skip(3);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"IDX") {
            options.idx = true;
        } else if is(b"LEN") {
            options.len = true;
        } else if is(b"WITHMATCHLEN") {
            options.with_match_len = true;
        } else if is(b"MINMATCHLEN") {
            let least = rest.next().ok_or(Failure::SYNTAX)?;
            let least = parse_integer(least).ok_or(Failure::NOT_AN_INTEGER)?;
            options.min_match_len = usize::try_from(least).unwrap_or(0);
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    if options.idx && options.len {
        return Err(Failure::new(
            "ERR If you want both the length and indexes, please just use IDX.",
        ));
    }
    Ok(options)
}

/// Both values, read at one moment; empty where a key is not there. They are copied only once their
/// lengths are known to be small enough, and only if both are needed.
fn values(ctx: &mut Context<'_>, keys: [Key<'_>; 2]) -> Result<[Vec<u8>; 2], Failure> {
    let now = ctx.now;
    let onlookers = ctx.onlookers();
    let mut locked = ctx.store.lock(keys, 0, now)?;
    let lens = keys.map(|key| locked.get(key, now, |entry| entry.value().len()));
    let missing = keys.iter().zip(&lens).filter(|(_, len)| len.is_none());
    missing.for_each(|(key, _)| onlookers.notify(Event::KEYMISS, *key));
    let [a, b] = lens.map(|len| len.unwrap_or(0));
    let pairs = a.saturating_mul(b);
    if pairs > PAIRS_MAX {
        return Err(Failure::from(format!(
            "ERR values too long: LCS compares {PAIRS_MAX} pairs of bytes at most (one length times \
             the other), these have {pairs}"
        )));
    }
    let mut copy = |key| locked.peek(key, now, |entry| entry.value().to_vec());
    Ok(match pairs {
        0 => [Vec::new(), Vec::new()],
        _ => keys.map(|key| copy(key).unwrap_or_default()),
    })
}

/// The runs from the last to the first, as Redis finds them.
fn reply_runs(ctx: &mut Context<'_>, options: &Options, table: &Table<'_>) {
    let is_wanted = |run: &Run| run.len >= options.min_match_len;
    let runs: Vec<_> = table.runs().filter(is_wanted).collect();
    let reply = &mut ctx.reply;
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(runs.len());
    for run in runs {
        reply.array(2 + usize::from(options.with_match_len));
        for start in [run.a, run.b] {
            reply.array(2);
            reply.integer(start as i64);
            reply.integer((start + run.len - 1) as i64);
        }
        if options.with_match_len {
            reply.integer(run.len as i64);
        }
    }
    reply.bulk(b"len");
    reply.integer(table.len as i64);
}
