//! Redis's glob patterns (`stringmatchlen`): `*`, `?`, `[a-z]`, `[^a]` and `\` to escape.
//!
//! A pattern is pieces with stars between them, and of each piece the first place where it fits is as
//! good as any. Plain text is searched for with memmem, other pieces with the shift-and method ("A new
//! approach to text searching", Baeza-Yates and Gonnet, CACM 1992). So the work grows with the length
//! of the text, not with the product of both; what either needs beforehand is done once a pattern, as
//! that takes longer than matching a short text.

use std::ops::RangeInclusive;

use memchr::memmem::Finder;
use smallvec::{SmallVec, smallvec};

/// Longest pattern that is taken from outside, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// Words of a search's state that need no allocation: those of the longest pattern from outside.
const STATE_WORDS: usize = PATTERN_BYTES_MAX / u64::BITS as usize;
/// What carrying out a search by element takes, beside one for plain text, for each word of its state.
const WORD_EFFORT: usize = 16;

/// A pattern, prepared for all texts that it is compared with.
#[derive(Debug, Clone)]
pub struct Pattern {
    /// What a text begins with; without a star, all of it.
    head: Piece,
    /// What is searched for behind that, one after the other.
    inner: Vec<Search>,
    /// What a text ends with, where there is a star.
    tail: Option<Piece>,
}

impl Pattern {
    /// Prepares a pattern.
    pub fn new(pattern: &[u8]) -> Self {
        let mut pieces = pieces(pattern);
        let head = pieces.next().unwrap_or_default();
        let mut inner: Vec<Piece> = pieces.collect();
        let tail = inner.pop();
        let inner = inner.into_iter().filter(|piece| piece.len > 0);
        Self {
            head,
            inner: inner.map(Search::new).collect(),
            tail,
        }
    }

    /// Whether all of `text` matches, byte by byte and case-sensitive.
    pub fn matches(&self, text: &[u8]) -> bool {
        let Some(tail) = &self.tail else {
            return self.head.fits(text);
        };
        let Some((head, mut rest)) = text.split_at_checked(self.head.len) else {
            return false;
        };
        if !self.head.fits(head) {
            return false;
        }
        for search in &self.inner {
            let Some(end) = search.find(rest) else {
                return false;
            };
            rest = &rest[end..];
        }
        let at = rest.len().checked_sub(tail.len);
        at.is_some_and(|at| tail.fits(&rest[at..]))
    }
}

/// What matching takes for each byte of a text, in searches for plain text; 0 where none is searched for.
pub fn effort(pattern: &[u8]) -> usize {
    let mut effort = 0;
    let mut pieces = pieces(pattern).skip(1).peekable();
    while let Some(piece) = pieces.next() {
        let is_searched = pieces.peek().is_some() && piece.len > 0;
        effort += match (is_searched, piece.is_plain) {
            (false, _) => 0,
            (true, true) => 1,
            (true, false) => WORD_EFFORT * words(piece.len),
        };
    }
    effort
}

/// Words that a bit for each of so many elements takes.
fn words(elements: usize) -> usize {
    elements.div_ceil(u64::BITS as usize)
}

/// A part of a pattern without stars.
#[derive(Debug, Clone, Default)]
struct Piece {
    pattern: Box<[u8]>,
    /// Bytes of text that it matches: each of its elements one.
    len: usize,
    is_plain: bool,
}

impl Piece {
    /// Whether it matches all of `text`.
    fn fits(&self, text: &[u8]) -> bool {
        match self.is_plain {
            true => *self.pattern == *text,
            false => {
                let mut both = elements(&self.pattern).zip(text);
                self.len == text.len() && both.all(|(element, byte)| element.fits(*byte))
            }
        }
    }
}

/// How a piece is searched for.
#[derive(Debug, Clone)]
enum Search {
    Plain(Box<Finder<'static>>),
    ByElement(ByElement),
}

impl Search {
    fn new(piece: Piece) -> Self {
        match piece.is_plain {
            true => Self::Plain(Box::new(Finder::new(&piece.pattern).into_owned())),
            false => Self::ByElement(ByElement::new(&piece)),
        }
    }

    /// Where the first part of `text` ends that the piece matches.
    fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Self::Plain(finder) => {
                let start = finder.find(text)?;
                Some(start + finder.needle().len())
            }
            Self::ByElement(search) => search.find(text),
        }
    }
}

/// The shift-and method.
#[derive(Debug, Clone)]
struct ByElement {
    len: usize,
    /// For each byte a bit for each element, whether that one fits.
    fitting: Box<[u64]>,
}

impl ByElement {
    fn new(piece: &Piece) -> Self {
        let words = words(piece.len);
        let mut fitting = vec![0; 256 * words];
        for (number, element) in elements(&piece.pattern).enumerate() {
            let members = element.members();
            let rows = fitting.chunks_exact_mut(words);
            for (row, _) in rows.zip(members).filter(|(_, is_member)| *is_member) {
                row[number / 64] |= 1 << (number % 64);
            }
        }
        Self {
            len: piece.len,
            fitting: fitting.into(),
        }
    }

    /// As [`Search::find`]. A bit of the state says of an element that all up to it match what was read last.
    fn find(&self, text: &[u8]) -> Option<usize> {
        if text.len() < self.len {
            return None;
        }
        let words = words(self.len);
        let mut state: SmallVec<[u64; STATE_WORDS]> = smallvec![0; words];
        let last = 1 << ((self.len - 1) % 64);
        let ends = text.iter().position(|byte| {
            let mut carry = 1;
            let fitting = &self.fitting[usize::from(*byte) * words..][..words];
            for (word, fitting) in state.iter_mut().zip(fitting) {
                let next_carry = *word >> 63;
                *word = (*word << 1 | carry) & fitting;
                carry = next_carry;
            }
            state[words - 1] & last != 0
        });
        ends.map(|at| at + 1)
    }
}

/// What stands for one byte.
enum Element<'p> {
    Any,
    Literal(u8),
    /// A class, by its inside and whatever comes behind it.
    Class(&'p [u8]),
}

impl Element<'_> {
    fn fits(&self, byte: u8) -> bool {
        match *self {
            Self::Any => true,
            Self::Literal(literal) => literal == byte,
            Self::Class(inside) => {
                let mut found = false;
                let class = class(inside, |range| found |= range.contains(&byte));
                found != class.is_negated
            }
        }
    }

    /// For each byte whether it fits.
    fn members(&self) -> [bool; 256] {
        let mut members = [false; 256];
        match *self {
            Self::Any => members.fill(true),
            Self::Literal(literal) => members[usize::from(literal)] = true,
            Self::Class(inside) => {
                let class = class(inside, |range| {
                    members[usize::from(*range.start())..=usize::from(*range.end())].fill(true);
                });
                members
                    .iter_mut()
                    .for_each(|is_member| *is_member ^= class.is_negated);
            }
        }
        members
    }
}

/// The parts between the stars: one more than there are stars.
fn pieces(pattern: &[u8]) -> impl Iterator<Item = Piece> {
    let mut left = Some(pattern);
    std::iter::from_fn(move || {
        let pattern = left?;
        let (mut rest, mut len, mut is_plain) = (pattern, 0, true);
        left = loop {
            if let [b'*', behind @ ..] = rest {
                break Some(behind);
            }
            let Some((element, behind)) = split_element(rest) else {
                break None;
            };
            is_plain &= matches!(element, Element::Literal(byte) if byte == rest[0])
                && behind.len() + 1 == rest.len();
            len += 1;
            rest = behind;
        };
        Some(Piece {
            pattern: pattern[..pattern.len() - rest.len()].into(),
            len,
            is_plain,
        })
    })
}

/// The elements of a part without stars.
fn elements(mut pattern: &[u8]) -> impl Iterator<Item = Element<'_>> {
    std::iter::from_fn(move || {
        let (element, rest) = split_element(pattern)?;
        pattern = rest;
        Some(element)
    })
}

fn split_element(pattern: &[u8]) -> Option<(Element<'_>, &[u8])> {
    Some(match pattern {
        [] => return None,
        [b'?', rest @ ..] => (Element::Any, rest),
        [b'[', inside @ ..] => (Element::Class(inside), &inside[class(inside, |_| ()).len..]),
        [b'\\', escaped, rest @ ..] => (Element::Literal(*escaped), rest),
        [literal, rest @ ..] => (Element::Literal(*literal), rest),
    })
}

/// What is said of a class beside what is in it.
struct Class {
    /// It is what is not in it.
    is_negated: bool,
    /// Bytes of its inside, its end included.
    len: usize,
}

/// Reads the class with that inside, and tells what is in it. As in Redis a class that is not closed ends
/// with the pattern, and a range may be given backwards.
fn class(inside: &[u8], mut tell: impl FnMut(RangeInclusive<u8>)) -> Class {
    let is_negated = inside.first() == Some(&b'^');
    let mut at = usize::from(is_negated);
    let len = loop {
        match inside[at..] {
            [] => break at,
            [b'\\', escaped, ..] => {
                tell(escaped..=escaped);
                at += 2;
            }
            [b']', ..] => break at + 1,
            [a, b'-', b, ..] => {
                tell(a.min(b)..=a.max(b));
                at += 3;
            }
            [literal, ..] => {
                tell(literal..=literal);
                at += 1;
            }
        }
    };
    Class { is_negated, len }
}

#[cfg(test)]
mod tests;
