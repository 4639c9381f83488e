//! Conditions of a write, in the words of Redis 8.4: on what is there, or on its digest.

use larder_resp::Args;
use xxhash_rust::xxh3::xxh3_64;

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};
use larder_engine::{Access, Edit};

pub(super) const DELEX: Command = Command {
    name: "DELEX",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "8.4.0",
    summary: "Removes a key if its value, or the digest of it, is the one that is named",
    action: Action::Run(delex),
};

/// What has to be so for a write to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition<'a> {
    Absent,
    Present,
    Equal(&'a [u8]),
    Different(&'a [u8]),
    DigestEqual(u64),
    DigestDifferent(u64),
}

/// What the value of a key is told by: XXH3, of 64 bits.
pub(crate) fn digest(value: &[u8]) -> u64 {
    xxh3_64(value)
}

impl<'a> Condition<'a> {
    /// The condition that `option` begins; `None` when it begins none.
    pub(super) fn parse(
        option: &[u8],
        rest: &mut impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Self>, Failure> {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let mut argument = || rest.next().ok_or(Failure::SYNTAX);
        Ok(Some(if is(b"NX") {
            Self::Absent
        } else if is(b"XX") {
            Self::Present
        } else if is(b"IFEQ") {
            Self::Equal(argument()?)
        } else if is(b"IFNE") {
            Self::Different(argument()?)
        } else if is(b"IFDEQ") {
            Self::DigestEqual(parse_digest(argument()?)?)
        } else if is(b"IFDNE") {
            Self::DigestDifferent(parse_digest(argument()?)?)
        } else {
            return Ok(None);
        }))
    }

    /// Whether it holds where the key has that value, if any. A key that is absent equals nothing.
    pub(super) fn holds(self, value: Option<&[u8]>) -> bool {
        match self {
            Self::Absent => value.is_none(),
            Self::Present => value.is_some(),
            Self::Equal(wanted) => value == Some(wanted),
            Self::Different(other) => value != Some(other),
            Self::DigestEqual(wanted) => value.is_some_and(|value| digest(value) == wanted),
            Self::DigestDifferent(other) => value.is_none_or(|value| digest(value) != other),
        }
    }
}

fn parse_digest(text: &[u8]) -> Result<u64, Failure> {
    parse_hex(text).ok_or(Failure::new("ERR a digest has 16 hexadecimal digits"))
}

/// A number of 64 bits in 16 hexadecimal digits.
pub(super) fn parse_hex(text: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(text).ok()?;
    let is_whole = digits.len() == 16 && !digits.starts_with('+');
    is_whole.then(|| u64::from_str_radix(digits, 16).ok())?
}

fn delex(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut rest = args.iter().skip(2);
    let condition = match rest.next() {
        None => Condition::Present,
        Some(option) => match Condition::parse(option, &mut rest)? {
            Some(Condition::Absent | Condition::Present) | None => return Err(Failure::SYNTAX),
            Some(condition) => condition,
        },
    };
    if rest.next().is_some() {
        return Err(Failure::SYNTAX);
    }
    let key = ctx.key(&args[1]);
    let removed = ctx.store.update(key, ctx.now, Access::Write, 0, |entry| {
        let value = entry.map(|entry| entry.value());
        let goes = value.is_some() && condition.holds(value);
        (if goes { Edit::Remove } else { Edit::Keep }, goes)
    })?;
    if removed {
        ctx.onlookers().notify(Event::DEL, key);
    }
    ctx.reply.integer(removed.into());
    Ok(Flow::Continue)
}
