//! BITCOUNT and BITPOS.

use std::ops::Range;

use larder_resp::{Args, parse_integer};

use super::range::{clamp, part};
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const BITCOUNT: Command = Command {
    name: "BITCOUNT",
    arity: -2,
    flags: &[Flag::ReadOnly],
    keys: Keys::FIRST,
    group: Group::Bitmap,
    categories: &[Category::Bitmap],
    since: "2.6.0",
    summary: "Counts the bits that are set in the value of a key, or in a part of it",
    action: Action::Run(bitcount),
};

pub(super) const BITPOS: Command = Command {
    name: "BITPOS",
    arity: -3,
    since: "2.8.7",
    summary: "Finds the first bit that is set or clear in the value of a key",
    action: Action::Run(bitpos),
    ..BITCOUNT
};

/// A part of a value as arguments name it.
struct Part {
    first: i64,
    last: i64,
    /// Bits of a unit: 1 or 8.
    unit: usize,
}

impl Part {
    const WHOLE: Self = Self {
        first: 0,
        last: -1,
        unit: 8,
    };

    /// The bits of a value of `len` bytes; `within` says which units the ends name.
    fn bits(&self, len: usize, within: fn(i64, i64, usize) -> Range<usize>) -> Range<usize> {
        let units = within(self.first, self.last, len * 8 / self.unit);
        units.start * self.unit..units.end * self.unit
    }
}

fn parse_unit(text: &[u8]) -> Result<usize, Failure> {
    if text.eq_ignore_ascii_case(b"BIT") {
        Ok(1)
    } else if text.eq_ignore_ascii_case(b"BYTE") {
        Ok(8)
    } else {
        Err(Failure::SYNTAX)
    }
}

fn parse_end(text: &[u8]) -> Result<i64, Failure> {
    parse_integer(text).ok_or(Failure::NOT_AN_INTEGER)
}

fn bitcount(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let asked = match args.len() {
        2 => Part::WHOLE,
        4 | 5 => Part {
            first: parse_end(&args[2])?,
            last: parse_end(&args[3])?,
            unit: args.get(4).map_or(Ok(8), parse_unit)?,
        },
        _ => return Err(Failure::SYNTAX),
    };
    let key = ctx.key(&args[1]);
    let found = ctx.read(key, |entry| {
        let value = entry.value();
        count(value, asked.bits(value.len(), part))
    });
    ctx.reply.integer(found.unwrap_or(0) as i64);
    Ok(Flow::Continue)
}

/// The bits that are set among `bits`, which lie within the value.
fn count(value: &[u8], bits: Range<usize>) -> u64 {
    let touched = &value[bits.start / 8..bits.end.div_ceil(8)];
    let mut words = touched.chunks_exact(8);
    let mut ones: u64 = words
        .by_ref()
        .map(|word| word.try_into().map_or(0, u64::from_le_bytes).count_ones())
        .map(u64::from)
        .sum();
    let ones_of = |byte: u8| u64::from(byte.count_ones());
    ones += words.remainder().iter().copied().map(ones_of).sum::<u64>();
    let before = bits.start % 8;
    let behind = bits.end.div_ceil(8) * 8 - bits.end;
    let first = touched.first().map_or(0, |byte| byte & !(0xff >> before));
    let last = touched.last().map_or(0, |byte| byte & !(0xff << behind));
    ones -= ones_of(first) + ones_of(last);
    ones
}

/// A value without an end goes on with zeros, as does a key that is not there.
fn bitpos(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let wanted = match parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)? {
        0 => false,
        1 => true,
        _ => return Err(Failure::new("ERR The bit argument must be 1 or 0.")),
    };
    if args.len() > 6 {
        return Err(Failure::SYNTAX);
    }
    let asked = Part {
        first: args.get(3).map_or(Ok(0), parse_end)?,
        unit: args.get(5).map_or(Ok(8), parse_unit)?,
        last: args.get(4).map_or(Ok(-1), parse_end)?,
    };
    let goes_on = args.len() < 5 && !wanted;
    let key = ctx.key(&args[1]);
    let found = ctx.read(key, |entry| {
        let value = entry.value();
        let bits = asked.bits(value.len(), clamp);
        let end = (goes_on && !bits.is_empty()).then_some(bits.end);
        find(value, bits, wanted).or(end)
    });
    let position = match found {
        Some(position) => position.map_or(-1, |at| at as i64),
        None if wanted => -1,
        None => 0,
    };
    ctx.reply.integer(position);
    Ok(Flow::Continue)
}

/// The first of `bits`, which lie within the value, that is as wanted.
fn find(value: &[u8], bits: Range<usize>, wanted: bool) -> Option<usize> {
    let plain = if wanted { 0 } else { 0xff };
    let end = bits.end.div_ceil(8);
    let (mut at, mut mask) = (bits.start / 8, 0xff >> (bits.start % 8));
    while at < end {
        let hits = (value[at] ^ plain) & mask;
        if hits != 0 {
            let bit = at * 8 + hits.leading_zeros() as usize;
            return (bit < bits.end).then_some(bit);
        }
        (at, mask) = (at + 1, 0xff);
        let words = value[at..end].chunks_exact(8);
        at += 8 * words.take_while(|word| **word == [plain; 8]).count();
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn counts_and_finds_as_one_by_one(
            value in prop::collection::vec(prop::sample::select(&[0, 0xff, 0, 0xff, 0x10][..]), 0..40),
            ends in any::<[prop::sample::Index; 2]>(),
        ) {
            let ends = ends.map(|end| end.index(value.len() * 8 + 1));
            let bits = ends[0].min(ends[1])..ends[0].max(ends[1]);
            let is_set = |bit: &usize| value[bit / 8] & (0x80 >> (bit % 8)) != 0;
            let ones = bits.clone().filter(is_set).count() as u64;
            prop_assert_eq!(count(&value, bits.clone()), ones);
            for wanted in [false, true] {
                let first = bits.clone().find(|bit| is_set(bit) == wanted);
                prop_assert_eq!(find(&value, bits.clone(), wanted), first);
            }
        }
    }
}
