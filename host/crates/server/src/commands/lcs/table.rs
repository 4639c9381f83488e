//! The longest common subsequence by dynamic programming ("A linear space algorithm", Hirschberg,
//! 1975, section 2), in the order of Redis where there are several.

use std::ops::Range;

/// What is needed to walk back from the end of two texts through what they have in common. Of the
/// lengths only one row is kept, and of each pair of bytes one bit.
pub(super) struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    /// For each pair, whether to leave the byte of `a` out rather than that of `b`.
    leave_a: Vec<u64>,
    /// Length of the longest common subsequence.
    pub(super) len: usize,
}

/// Bytes that follow each other in both texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Where it starts in the first text.
    pub(super) a: usize,
    /// Where it starts in the second.
    pub(super) b: usize,
    /// How long it is.
    pub(super) len: usize,
}

impl Run {
    /// Where it lies in the first text.
    pub(super) fn in_a(self) -> Range<usize> {
        self.a..self.a + self.len
    }
}

impl<'a> Table<'a> {
    /// Takes time and an eighth of a byte for each pair of bytes; the caller bounds them.
    pub(super) fn new(a: &'a [u8], b: &'a [u8]) -> Self {
        let mut leave_a = vec![0_u64; (a.len() * b.len()).div_ceil(64)];
        let mut row = vec![0_u32; b.len() + 1];
        let mut pair = 0;
        for x in a {
            let mut diagonal = 0;
            for (at, y) in b.iter().enumerate() {
                let (left, above) = (row[at], row[at + 1]);
                leave_a[pair / 64] |= u64::from(above > left) << (pair % 64);
                row[at + 1] = if x == y {
                    diagonal + 1
                } else {
                    left.max(above)
                };
                diagonal = above;
                pair += 1;
            }
        }
        let len = row[b.len()] as usize;
        Self { a, b, leave_a, len }
    }

    /// The runs that the subsequence consists of, as long as they can be, from the last to the first
    /// when taken from the front.
    pub(super) fn runs(&self) -> impl DoubleEndedIterator<Item = Run> + use<> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut i, mut j) = (self.a.len(), self.b.len());
        while i > 0 && j > 0 {
            let pair = (i - 1) * self.b.len() + j - 1;
            if self.a[i - 1] == self.b[j - 1] {
                match runs.last_mut() {
                    Some(run) if (run.a, run.b) == (i, j) => {
                        *run = Run {
                            a: i - 1,
                            b: j - 1,
                            len: run.len + 1,
                        };
                    }
                    _ => runs.push(Run {
                        a: i - 1,
                        b: j - 1,
                        len: 1,
                    }),
                }
                (i, j) = (i - 1, j - 1);
            } else if self.leave_a[pair / 64] >> (pair % 64) & 1 == 1 {
                i -= 1;
            } else {
                j -= 1;
            }
        }
        runs.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// By definition, without a table.
    fn longest(a: &[u8], b: &[u8]) -> usize {
        match (a, b) {
            ([], _) | (_, []) => 0,
            ([x, a @ ..], [y, b @ ..]) if x == y => 1 + longest(a, b),
            ([_, rest_a @ ..], [_, rest_b @ ..]) => longest(rest_a, b).max(longest(a, rest_b)),
        }
    }

    proptest! {
        #[test]
        fn runs_are_common_in_order_and_as_long_as_can_be(
            a in prop::collection::vec(b'a'..b'd', 0..9),
            b in prop::collection::vec(b'a'..b'd', 0..9),
        ) {
            let table = Table::new(&a, &b);
            prop_assert_eq!(table.len, longest(&a, &b));
            let (mut end_a, mut end_b, mut len) = (0, 0, 0);
            for run in table.runs().rev() {
                let in_b = run.b..run.b + run.len;
                prop_assert!(run.len > 0 && run.a >= end_a && run.b >= end_b);
                prop_assert!(run.a > end_a || run.b > end_b || end_a + end_b == 0);
                prop_assert_eq!(&a[run.in_a()], &b[in_b.clone()]);
                (end_a, end_b, len) = (run.in_a().end, in_b.end, len + run.len);
            }
            prop_assert_eq!(len, table.len);
        }
    }
}
