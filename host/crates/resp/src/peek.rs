use crate::head::{Head, read_head};
use crate::{Limits, ProtocolError};

/// What a reply is, without its content; see [`peek`]. `len` is the length of the whole reply in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peek {
    /// The reply is not all there.
    Incomplete,
    /// A null of either version: in the place of a value, a miss.
    Null {
        /// Bytes of the reply.
        len: usize,
    },
    /// An error.
    Error {
        /// Bytes of the reply.
        len: usize,
    },
    /// A string, which lies at `start..end` of the input.
    Bulk {
        /// Bytes of the reply.
        len: usize,
        /// Where the string starts.
        start: usize,
        /// Where the string ends.
        end: usize,
    },
    /// Anything else.
    Other {
        /// Bytes of the reply.
        len: usize,
    },
}

/// Looks at the reply that `input` starts with and builds nothing: for those who only count or compare. Looks
/// less closely than [`decode`](crate::decode): what a scalar says and how deep aggregates go is not checked.
///
/// # Errors
/// [`ProtocolError`] when the bytes are no reply or exceed the limits.
#[inline]
pub fn peek(input: &[u8], limits: &Limits) -> Result<Peek, ProtocolError> {
    let Some((head, len)) = read_head(input, limits)? else {
        return Ok(Peek::Incomplete);
    };
    Ok(match head {
        Head::Blob(b'$', content) => {
            let end = len - 2;
            Peek::Bulk {
                len,
                start: end - content.len(),
                end,
            }
        }
        Head::Null(_) => Peek::Null { len },
        Head::Line(b'-', _) | Head::Blob(b'!', _) => Peek::Error { len },
        Head::Line(..) | Head::Blob(..) => Peek::Other { len },
        Head::Aggregate(..) => {
            measure(input, limits)?.map_or(Peek::Incomplete, |len| Peek::Other { len })
        }
    })
}

/// The length of the reply that `input` starts with, all that it contains included.
fn measure(input: &[u8], limits: &Limits) -> Result<Option<usize>, ProtocolError> {
    let mut len = 0;
    let mut pending = 1_usize;
    while pending > 0 {
        let Some((head, bytes)) = read_head(&input[len..], limits)? else {
            return Ok(None);
        };
        len += bytes;
        pending -= 1;
        if let Head::Aggregate(kind, count) = head {
            // An attribute is no reply: the one it belongs to follows.
            let owed = if kind == b'|' {
                count.saturating_add(1)
            } else {
                count
            };
            pending = pending.saturating_add(owed);
        }
    }
    Ok(Some(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_lengths() {
        let cases: [(&[u8], Peek); 14] = [
            (b"", Peek::Incomplete),
            (b"$3\r\nab", Peek::Incomplete),
            (b"$3\r\nabc\r", Peek::Incomplete),
            (
                b"$3\r\nabc\r\n+x",
                Peek::Bulk {
                    len: 9,
                    start: 4,
                    end: 7,
                },
            ),
            (
                b"$0\r\n\r\n",
                Peek::Bulk {
                    len: 6,
                    start: 4,
                    end: 4,
                },
            ),
            (b"$-1\r\n", Peek::Null { len: 5 }),
            (b"*-1\r\n", Peek::Null { len: 5 }),
            (b"_\r\n", Peek::Null { len: 3 }),
            (b"-ERR x\r\n", Peek::Error { len: 8 }),
            (b"!3\r\nERR\r\n", Peek::Error { len: 9 }),
            (b"+OK\r\n+OK\r\n", Peek::Other { len: 5 }),
            (
                b"*2\r\n:1\r\n%1\r\n+k\r\n_\r\n:9\r\n",
                Peek::Other { len: 19 },
            ),
            (b"*2\r\n:1\r\n%1\r\n+k\r\n_\r", Peek::Incomplete),
            (b"|1\r\n+a\r\n+b\r\n$1\r\nx\r\n$1", Peek::Other { len: 19 }),
        ];
        for (input, expected) in cases {
            let found = peek(input, &Limits::default());
            assert_eq!(found, Ok(expected), "{}", input.escape_ascii());
        }
    }
}
