//! BITOP.

use larder_engine::{Access, Edit, Expiry, Key};
use larder_resp::Args;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "BITOP",
    arity: -4,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys {
        first: 2,
        last: -1,
        step: 1,
    },
    group: Group::Bitmap,
    categories: &[Category::Bitmap],
    since: "2.6.0",
    summary: "Combines the values of several keys bit by bit and stores the result",
    action: Action::Run(run),
};

/// Most bytes of values that one call combines, as others wait for it; a value counts as often as it is
/// named.
const BYTES_MAX: usize = 256 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Operation {
    And,
    Or,
    Xor,
    Not,
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let operation = Operation::parse(&args[1]).ok_or(Failure::SYNTAX)?;
    if operation == Operation::Not && args.len() != 4 {
        return Err(Failure::new(
            "ERR BITOP NOT must be called with a single source key.",
        ));
    }
    let now = ctx.now;
    let target = ctx.key(&args[2]);
    let db = ctx.session.db;
    let sources = || args.iter().skip(3).map(|bytes| Key::new(db, bytes));
    let len = |key| ctx.store.peek(key, now, |entry| entry.value().len());
    let hint = sources().filter_map(len).max().unwrap_or(0);
    let onlookers = ctx.onlookers();
    let mut locked = ctx.store.lock(sources().chain([target]), hint, now)?;
    let bytes: usize = sources()
        .filter_map(|key| locked.peek(key, now, |entry| entry.value().len()))
        .sum();
    if bytes > BYTES_MAX {
        return Err(Failure::from(format!(
            "ERR values too long: BITOP combines {BYTES_MAX} bytes at most, these have {bytes}"
        )));
    }
    let mut result = Vec::new();
    for (number, key) in sources().enumerate() {
        let found = locked.get(key, now, |entry| {
            operation.combine(&mut result, entry.value(), number == 0);
        });
        if found.is_none() {
            operation.combine(&mut result, b"", number == 0);
            onlookers.notify(Event::KEYMISS, key);
        }
    }
    if result.is_empty() {
        if locked.remove(target, now) {
            onlookers.notify(Event::DEL, target);
        }
    } else {
        let existed = locked.update(target, now, Access::Write, |entry| {
            let put = Edit::put(&result[..], Expiry::Never);
            (put, entry.is_some())
        })?;
        onlookers.notify_written(Event::SET, target, existed);
    }
    drop(locked);
    ctx.reply.integer(result.len() as i64);
    Ok(Flow::Continue)
}

impl Operation {
    fn parse(name: &[u8]) -> Option<Self> {
        match name.to_ascii_uppercase().as_slice() {
            b"AND" => Some(Self::And),
            b"OR" => Some(Self::Or),
            b"XOR" => Some(Self::Xor),
            b"NOT" => Some(Self::Not),
            _ => None,
        }
    }

    /// Combines what there is so far with one value more; the shorter of them goes on with zeros.
    fn combine(self, result: &mut Vec<u8>, value: &[u8], is_first: bool) {
        if is_first {
            result.extend_from_slice(value);
            if self == Self::Not {
                result.iter_mut().for_each(|byte| *byte = !*byte);
            }
            return;
        }
        result.resize(result.len().max(value.len()), 0);
        let (common, rest) = result.split_at_mut(value.len());
        let pairs = common.iter_mut().zip(value);
        match self {
            Self::And => {
                pairs.for_each(|(a, b)| *a &= b);
                rest.fill(0);
            }
            Self::Or => pairs.for_each(|(a, b)| *a |= b),
            Self::Xor => pairs.for_each(|(a, b)| *a ^= b),
            Self::Not => {}
        }
    }
}
