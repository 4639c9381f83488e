use crate::double::format_double;

/// Which version of the protocol a connection speaks; `HELLO` changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// RESP2, with which every connection starts.
    #[default]
    V2,
    /// RESP3.
    V3,
}

/// Appends replies to a buffer, in the version of the protocol that the client speaks. What RESP2 lacks is
/// written as Redis does it.
///
/// After [`array`](Self::array), [`map`](Self::map), [`set`](Self::set) or [`push`](Self::push) the caller
/// writes as many elements as announced.
#[derive(Debug)]
pub struct Reply<'a> {
    out: &'a mut Vec<u8>,
    version: Version,
}

impl<'a> Reply<'a> {
    /// A writer that appends to `out`.
    #[inline]
    pub fn new(out: &'a mut Vec<u8>, version: Version) -> Self {
        Self { out, version }
    }

    /// The version in which replies are written.
    #[inline]
    pub fn version(&self) -> Version {
        self.version
    }

    /// Changes the version from the next reply on: the answer to `HELLO` is already in the new one.
    #[inline]
    pub fn set_version(&mut self, version: Version) {
        self.version = version;
    }

    /// Bytes in the buffer, whoever wrote them.
    #[inline]
    pub fn out_len(&self) -> usize {
        self.out.len()
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A short text; line ends in it become spaces.
    #[inline]
    pub fn simple(&mut self, text: &str) {
        self.line(b'+', text);
    }

    /// An error; `text` is all of it, its code included (`ERR no such key`). Line ends in it become spaces.
    pub fn error(&mut self, text: &str) {
        self.line(b'-', text);
    }

    /// An integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        self.number(b':', value);
    }

    /// A string of any bytes.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        push_bulk(self.out, bytes);
    }

    /// Nothing, in the place of a string.
    #[inline]
    pub fn null(&mut self) {
        self.raw(match self.version {
            Version::V2 => b"$-1\r\n",
            Version::V3 => b"_\r\n",
        });
    }

    /// Nothing, in the place of an array.
    pub fn null_array(&mut self) {
        self.raw(match self.version {
            Version::V2 => b"*-1\r\n",
            Version::V3 => b"_\r\n",
        });
    }

    /// Starts an array of `len` elements.
    #[inline]
    pub fn array(&mut self, len: usize) {
        self.number(b'*', len);
    }

    /// Starts a map of `pairs` keys, each followed by its value; in RESP2 an array of twice as many elements.
    pub fn map(&mut self, pairs: usize) {
        match self.version {
            Version::V2 => self.number(b'*', pairs * 2),
            Version::V3 => self.number(b'%', pairs),
        }
    }

    /// Starts a set of `len` elements; in RESP2 an array.
    pub fn set(&mut self, len: usize) {
        self.aggregate(b'~', len);
    }

    /// Starts an out-of-band message of `len` elements; in RESP2 an array.
    pub fn push(&mut self, len: usize) {
        self.aggregate(b'>', len);
    }

    /// A floating-point number, with the digits that Redis 7.2 writes; in RESP2 a string.
    pub fn double(&mut self, value: f64) {
        self.line_or_bulk(b',', &format_double(value));
    }

    /// A truth value; in RESP2 the integer 1 or 0.
    pub fn boolean(&mut self, value: bool) {
        self.raw(match (self.version, value) {
            (Version::V2, true) => b":1\r\n",
            (Version::V2, false) => b":0\r\n",
            (Version::V3, true) => b"#t\r\n",
            (Version::V3, false) => b"#f\r\n",
        });
    }

    /// Text meant to be shown as it is, line ends included; in RESP2 a string.
    pub fn verbatim(&mut self, text: &str) {
        if self.version == Version::V2 {
            return self.bulk(text.as_bytes());
        }
        self.number(b'=', text.len() + 4);
        self.raw(b"txt:");
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// An integer of any size, given as its decimal digits; in RESP2 a string.
    pub fn big_number(&mut self, digits: &str) {
        self.line_or_bulk(b'(', digits);
    }

    /// Bytes that are a reply already, or a part of one.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Takes back what was written since the buffer had `len` bytes.
    pub fn take_back(&mut self, len: usize) -> Vec<u8> {
        self.out.split_off(len.min(self.out.len()))
    }

    fn aggregate(&mut self, kind: u8, len: usize) {
        self.number(
            if self.version == Version::V2 {
                b'*'
            } else {
                kind
            },
            len,
        );
    }

    fn line_or_bulk(&mut self, kind: u8, text: &str) {
        match self.version {
            Version::V2 => self.bulk(text.as_bytes()),
            Version::V3 => self.line(kind, text),
        }
    }

    #[inline]
    fn number(&mut self, kind: u8, value: impl itoa::Integer) {
        push_number(self.out, kind, value);
    }

    fn line(&mut self, kind: u8, text: &str) {
        self.out.reserve(text.len() + 3);
        self.out.push(kind);
        let start = self.out.len();
        self.out.extend_from_slice(text.as_bytes());
        for byte in &mut self.out[start..] {
            if matches!(byte, b'\r' | b'\n') {
                *byte = b' ';
            }
        }
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Appends a request as clients send it.
///
/// ```
/// let mut out = Vec::new();
/// larder_resp::encode_command(&mut out, &[b"GET", b"k"]);
/// assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
/// ```
pub fn encode_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    push_number(out, b'*', args.len());
    for arg in args {
        push_bulk(out, arg);
    }
}

#[inline]
fn push_bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    // One growth for all of it: header and line ends take at most 25 bytes.
    out.reserve(bytes.len() + 25);
    push_number(out, b'$', bytes.len());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

#[inline]
fn push_number(out: &mut Vec<u8>, kind: u8, value: impl itoa::Integer) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
