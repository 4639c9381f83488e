//! Redis's glob patterns (`stringmatchlen`): `*`, `?`, `[a-z]`, `[^a]` and `\` to escape.
//!
//! A pattern is pieces with stars between them, and of each piece the first place where it fits is as
//! good as any. Plain text is searched for with memmem, other pieces with the shift-and method ("A new
//! approach to text searching", Baeza-Yates and Gonnet, CACM 1992). So the work grows with the length
//! of the text, not with the product of both.

use memchr::memmem;

/// Longest pattern that is taken from outside, in bytes.
pub const PATTERN_BYTES_MAX: usize = 1024;

/// Elements looked for by trying place after place, times places, before that is prepared for.
const TRIES_MAX: usize = 4096;
/// What preparing and carrying out a search by element takes, beside one for plain text, for each word of
/// its state.
const WORD_EFFORT: usize = 16;

/// Whether all of `text` matches `pattern`, byte by byte and case-sensitive.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut pieces = pieces(pattern);
    let Some(first) = pieces.next() else {
        return text.is_empty();
    };
    let Some(mut piece) = pieces.next() else {
        return first.fits(text);
    };
    let Some((head, mut rest)) = text.split_at_checked(first.len) else {
        return false;
    };
    if !first.fits(head) {
        return false;
    }
    for next in pieces {
        let Some(end) = piece.find(rest) else {
            return false;
        };
        rest = &rest[end..];
        piece = next;
    }
    let tail = rest.len().checked_sub(piece.len);
    tail.is_some_and(|at| piece.fits(&rest[at..]))
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
            (true, false) => WORD_EFFORT * piece.words(),
        };
    }
    effort
}

/// A part of a pattern without stars.
struct Piece<'p> {
    pattern: &'p [u8],
    /// Bytes of text that it matches: each of its elements one.
    len: usize,
    is_plain: bool,
}

impl Piece<'_> {
    /// Words that a bit for each element takes.
    fn words(&self) -> usize {
        self.len.div_ceil(u64::BITS as usize)
    }

    /// Whether it matches all of `text`.
    fn fits(&self, text: &[u8]) -> bool {
        match self.is_plain {
            true => self.pattern == text,
            false => {
                let mut both = elements(self.pattern).zip(text);
                self.len == text.len() && both.all(|(element, byte)| element.fits(*byte))
            }
        }
    }

    /// Where the first part of `text` ends that it matches.
    fn find(&self, text: &[u8]) -> Option<usize> {
        let start = if self.is_plain {
            memmem::find(text, self.pattern)
        } else if self.len * text.len() <= TRIES_MAX {
            let mut places = text.windows(self.len);
            places.position(|place| self.fits(place))
        } else {
            return self.find_by_element(text);
        };
        start.map(|start| start + self.len)
    }

    /// As [`Self::find`]. A bit of the state says of an element that all up to it match what was read last.
    fn find_by_element(&self, text: &[u8]) -> Option<usize> {
        let words = self.words();
        let mut fitting = vec![0_u64; 256 * words];
        for (number, element) in elements(self.pattern).enumerate() {
            for byte in (0..=u8::MAX).filter(|byte| element.fits(*byte)) {
                fitting[usize::from(byte) * words + number / 64] |= 1 << (number % 64);
            }
        }
        let mut state = vec![0_u64; words];
        let last = 1 << ((self.len - 1) % 64);
        let ends = text.iter().position(|byte| {
            let mut carry = 1;
            let fitting = &fitting[usize::from(*byte) * words..][..words];
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
            Self::Class(inside) => class(inside, byte).0,
        }
    }
}

/// The parts between the stars: one more than there are stars.
fn pieces(pattern: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut left = Some(pattern);
    std::iter::from_fn(move || {
        let pattern = left?;
        let mut piece = Piece {
            pattern,
            len: 0,
            is_plain: true,
        };
        let mut rest = pattern;
        left = loop {
            if let [b'*', behind @ ..] = rest {
                break Some(behind);
            }
            let Some((element, behind)) = split_element(rest) else {
                break None;
            };
            piece.is_plain &= matches!(element, Element::Literal(byte) if byte == rest[0])
                && behind.len() + 1 == rest.len();
            piece.len += 1;
            rest = behind;
        };
        piece.pattern = &pattern[..pattern.len() - rest.len()];
        Some(piece)
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
        [b'[', inside @ ..] => (Element::Class(inside), &inside[class(inside, 0).1..]),
        [b'\\', escaped, rest @ ..] => (Element::Literal(*escaped), rest),
        [literal, rest @ ..] => (Element::Literal(*literal), rest),
    })
}

/// Whether a byte is in the class with that inside, and how long the inside is, its end included. As in
/// Redis a class that is not closed ends with the pattern, and a range may be given backwards.
fn class(inside: &[u8], byte: u8) -> (bool, usize) {
    let negated = inside.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    let end = loop {
        match inside[at..] {
            [] => break at,
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                at += 2;
            }
            [b']', ..] => break at + 1,
            [a, b'-', b, ..] => {
                found |= (a.min(b)..=a.max(b)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                at += 1;
            }
        }
    };
    (found != negated, end)
}

#[cfg(test)]
mod tests;
