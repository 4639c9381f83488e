//! What the clients of `larder bench` ask for.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::Instant;

use serde::Serialize;

use super::Key;
use crate::trace::{Random, Zipf};

/// The operations, in the order of every table that has one row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Op {
    Get,
    Set,
    Del,
}

impl Op {
    pub(super) const ALL: [Self; 3] = [Self::Get, Self::Set, Self::Del];

    pub(super) fn name(self) -> &'static str {
        ["get", "set", "del"][self as usize]
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|op| op.name() == text);
        found.ok_or_else(|| format!("unknown operation `{text}`; expected get, set or del"))
    }
}

/// One request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) op: Op,
    /// Number of the key.
    pub(super) key: u32,
}

impl Request {
    /// `key:` and twelve digits, as redis-benchmark names its keys.
    pub(super) fn key(self) -> Key {
        let mut key = *b"key:000000000000";
        let mut rest = self.key;
        for digit in key.iter_mut().rev() {
            if rest == 0 {
                break;
            }
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        key
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.op.name(), self.key().escape_ascii())
    }
}

/// What requests are drawn from.
pub(super) enum Source {
    /// SETs of these keys, once each.
    Fill(Range<u32>),
    /// Random operations on random keys until the deadline.
    Mix(Mix),
}

/// Random operations on random keys.
pub(super) struct Mix {
    /// Relative frequency of each operation, in the order of [`Op::ALL`]; their sum is above 0.
    pub(super) weights: [u32; Op::ALL.len()],
    pub(super) keys: Keys,
    pub(super) deadline: Instant,
}

impl Source {
    /// The next request, or `None` when there is none any more.
    pub(super) fn next(&mut self, random: &mut Random, now: Instant) -> Option<Request> {
        match self {
            Self::Fill(keys) => keys.next().map(|key| Request { op: Op::Set, key }),
            Self::Mix(mix) if now < mix.deadline => Some(mix.draw(random)),
            Self::Mix(_) => None,
        }
    }
}

impl Mix {
    fn draw(&self, random: &mut Random) -> Request {
        let sum = self.weights.iter().map(|&weight| u64::from(weight)).sum();
        let mut draw = random.below(sum);
        let chosen = Op::ALL.into_iter().zip(self.weights).find(|&(_, weight)| {
            let inside = draw < u64::from(weight);
            draw = draw.wrapping_sub(u64::from(weight));
            inside
        });
        Request {
            op: chosen.map_or(Op::Get, |(op, _)| op),
            key: self.keys.draw(random),
        }
    }
}

const GOLDEN_SECTION: f64 = 0.618_033_988_749_895;

/// Zipf-distributed numbers of keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    zipf: Zipf,
    count: u32,
    stride: u64,
}

impl Keys {
    /// `count` keys, at least 1.
    pub(super) fn new(count: u32, exponent: f64) -> Self {
        // The golden section of the count, made coprime with it: ranks are spread evenly over the
        // numbers, each number is met once, and a fill in the order of the numbers favours none.
        let count_wide = u64::from(count);
        let mut stride = ((count_wide as f64 * GOLDEN_SECTION) as u64).max(1);
        while gcd(stride, count_wide) != 1 {
            stride += 1;
        }
        Self {
            zipf: Zipf::new(count_wide, exponent),
            count,
            stride,
        }
    }

    fn draw(&self, random: &mut Random) -> u32 {
        self.number(self.zipf.sample(random))
    }

    /// The key at `rank`, from 1, of the popularity.
    fn number(&self, rank: u64) -> u32 {
        ((rank - 1) * self.stride % u64::from(self.count)) as u32
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests;
