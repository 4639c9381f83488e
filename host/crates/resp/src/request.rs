use std::mem;

use crate::args::{Args, Span};
use crate::number::{leading_count, parse_integer};
use crate::{Limits, ProtocolError, inline};

/// Spans kept for the next request, 2 KiB of them. A request with more arguments grows the list again, which
/// costs little beside parsing it.
const SPANS_KEPT_MAX: usize = 256;
/// Bytes kept for the arguments of the next inline request.
const UNQUOTED_BYTES_KEPT_MAX: usize = 2048;

/// What a client sends first that takes us for a server of TLS; nobody calls a command that.
const TLS_HANDSHAKE: &[u8] = &[0x16, 0x03];

/// Finds requests in the bytes of one connection, as a Redis server does: multibulk requests
/// (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`) and inline ones (`GET k\r\n`).
///
/// Like Redis it takes the `\r` for the end of a header and skips what comes in the place of its `\n`, and of
/// the line end behind a bulk string, unseen. No argument is copied but those of inline requests.
#[derive(Debug)]
pub struct RequestParser {
    limits: Limits,
    /// The arguments found so far, or those of the request handed out last.
    spans: Vec<Span>,
    /// The arguments of the inline request handed out last, their quotes resolved.
    unquoted: Vec<u8>,
    /// Where the first header not yet taken starts; 0 between requests.
    at: usize,
    /// How many arguments are still to come.
    missing: usize,
    /// How many bytes from `at` on are known to hold no end of line.
    scanned: usize,
}

/// What [`RequestParser::parse`] found.
#[derive(Debug, Clone, Copy)]
pub enum Parsed<'a> {
    /// The request goes on beyond the input.
    Incomplete {
        /// Bytes the whole input must have before parsing again can get further; always more than it has
        /// now, and possibly still too few for the request.
        needed_bytes: usize,
    },
    /// A whole request.
    Request {
        /// Its arguments; empty for an empty line, `*0` and `*-1`, which get no reply.
        args: Args<'a>,
        /// Its length in bytes: where in the input the next request starts. At least 1.
        consumed: usize,
    },
}

impl RequestParser {
    /// A parser at the start of a request; it allocates nothing yet.
    pub fn new(limits: Limits) -> Self {
        let mut parser = Self {
            limits,
            spans: Vec::new(),
            unquoted: Vec::new(),
            at: 0,
            missing: 0,
            scanned: 0,
        };
        parser.set_limits(limits);
        parser
    }

    /// Changes what is refused from the next header on.
    pub fn set_limits(&mut self, limits: Limits) {
        // Spans count in 32 bits.
        let span_max = u32::MAX as usize;
        self.limits = Limits {
            request_bytes_max: limits.request_bytes_max.min(span_max),
            inline_bytes_max: limits.inline_bytes_max.min(span_max),
            ..limits
        };
    }

    /// True between requests: nothing of the next one was seen.
    pub fn is_idle(&self) -> bool {
        self.at == 0 && self.scanned == 0
    }

    /// Bytes of memory held besides the parser itself, for those who count what connections hold.
    pub fn heap_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.unquoted.capacity()
    }

    /// Gives back memory that only an unusually large request needed, so that at most 4 KiB are held. Does
    /// nothing within a request. [`parse`](Self::parse) does it too when it starts on a request or sees an
    /// empty input.
    pub fn trim(&mut self) {
        if self.at != 0 {
            return;
        }
        if self.spans.capacity() > SPANS_KEPT_MAX {
            self.spans = Vec::new();
        }
        if self.unquoted.capacity() > UNQUOTED_BYTES_KEPT_MAX {
            self.unquoted = Vec::new();
        }
    }

    /// Looks for one request at the start of `input`.
    ///
    /// `input` starts at the first byte of the request. After [`Parsed::Incomplete`] come again with the same
    /// bytes and more behind them; they may have moved in memory. Arguments seen before are not looked at again.
    ///
    /// # Errors
    /// [`ProtocolError`] when the bytes are no request or more than the limits allow, as early as that is
    /// certain. The parser stays where it is: the connection is to be closed.
    #[inline]
    pub fn parse<'a>(&'a mut self, input: &'a [u8]) -> Result<Parsed<'a>, ProtocolError> {
        if self.at == 0 {
            match input.first() {
                Some(b'*') => {
                    if !self.take_count(input)? {
                        return Ok(Parsed::Incomplete {
                            needed_bytes: input.len() + 1,
                        });
                    }
                }
                Some(_) => return self.parse_inline(input),
                None => {
                    self.trim();
                    return Ok(Parsed::Incomplete { needed_bytes: 1 });
                }
            }
        }
        while self.missing > 0 {
            if let Some(needed_bytes) = self.take_argument(input)? {
                return Ok(Parsed::Incomplete { needed_bytes });
            }
        }
        let consumed = mem::take(&mut self.at);
        Ok(Parsed::Request {
            args: Args::new(input, &self.spans),
            consumed,
        })
    }

    /// Takes the header `*count\r\n`; false when it is not all there.
    #[inline]
    fn take_count(&mut self, input: &[u8]) -> Result<bool, ProtocolError> {
        let header = match leading_count(input) {
            Some(header) => Some(header),
            None => self.read_header(
                input,
                ProtocolError::TooBigMultibulkCount,
                ProtocolError::InvalidMultibulkLength,
            )?,
        };
        let Some((count, header_bytes)) = header else {
            return Ok(false);
        };
        let count = usize::try_from(count).unwrap_or(0);
        if count > self.limits.args_max {
            return Err(ProtocolError::InvalidMultibulkLength);
        }
        self.trim();
        self.spans.clear();
        self.missing = count;
        self.at = header_bytes;
        self.scanned = 0;
        Ok(true)
    }

    /// Takes one `$length\r\n…\r\n`. When it is not all there: how long the input must at least be.
    #[inline]
    fn take_argument(&mut self, input: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let rest = input.get(self.at..).unwrap_or_default();
        match rest.first() {
            Some(b'$') => {}
            Some(&other) => return Err(ProtocolError::ExpectedBulk(other)),
            None => return Ok(Some(self.at + 1)),
        }
        let header = match leading_count(rest) {
            Some(header) => Some(header),
            None => self.read_header(
                rest,
                ProtocolError::TooBigBulkCount,
                ProtocolError::InvalidBulkLength,
            )?,
        };
        let Some((length, header_bytes)) = header else {
            return Ok(Some(input.len() + 1));
        };
        let length = usize::try_from(length).map_err(|_| ProtocolError::InvalidBulkLength)?;
        if length > self.limits.bulk_bytes_max {
            return Err(ProtocolError::InvalidBulkLength);
        }
        let start = self.at + header_bytes;
        let next = start.saturating_add(length).saturating_add(2);
        if next > self.limits.request_bytes_max {
            return Err(ProtocolError::TooBigRequest);
        }
        if next > input.len() {
            return Ok(Some(next));
        }
        self.spans.push(Span::new(start, start + length));
        self.missing -= 1;
        self.at = next;
        self.scanned = 0;
        Ok(None)
    }

    /// Reads the header that `line` starts with, in all its possible forms: its number and its length with
    /// the line end. None when it is not all there.
    #[cold]
    fn read_header(
        &mut self,
        line: &[u8],
        too_big: ProtocolError,
        invalid: ProtocolError,
    ) -> Result<Option<(i64, usize)>, ProtocolError> {
        match self.find(line, b'\r') {
            None if line.len() > self.limits.inline_bytes_max => Err(too_big),
            Some(end) if line.len() > end + 1 => {
                let number = parse_integer(&line[1..end]).ok_or(invalid)?;
                Ok(Some((number, end + 2)))
            }
            _ => Ok(None),
        }
    }

    #[cold]
    fn parse_inline<'a>(&'a mut self, input: &'a [u8]) -> Result<Parsed<'a>, ProtocolError> {
        if input.starts_with(TLS_HANDSHAKE) {
            return Err(ProtocolError::Tls);
        }
        let Some(end) = self.find(input, b'\n') else {
            if input.len() > self.limits.inline_bytes_max {
                return Err(ProtocolError::TooBigInline);
            }
            return Ok(Parsed::Incomplete {
                needed_bytes: input.len() + 1,
            });
        };
        self.trim();
        let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
        inline::split(line, &mut self.unquoted, &mut self.spans)?;
        self.scanned = 0;
        Ok(Parsed::Request {
            args: Args::new(&self.unquoted, &self.spans),
            consumed: end + 1,
        })
    }

    /// Where the line that starts `bytes` ends, which must be within `inline_bytes_max`. Remembers how far it
    /// looked, so that a line that comes byte by byte is looked at once.
    fn find(&mut self, bytes: &[u8], line_end: u8) -> Option<usize> {
        let window = &bytes[..bytes
            .len()
            .min(self.limits.inline_bytes_max.saturating_add(1))];
        let unseen = window.get(self.scanned..).unwrap_or_default();
        let found = unseen
            .iter()
            .position(|&byte| byte == line_end)
            .map(|at| self.scanned + at);
        self.scanned = found.unwrap_or(window.len());
        found
    }
}

#[cfg(test)]
mod tests;
