use std::fmt;
use std::ops::Index;
use std::slice;

/// One argument: where it lies in the bytes that belong to it. Half of what a `Range<usize>` takes, because
/// a client may send a million of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    /// Both ends are below `request_bytes_max`, which never exceeds `u32::MAX`.
    #[inline]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    #[inline]
    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }
}

/// The arguments of one request, the command's name first; empty for an empty request.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    bytes: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Every span lies within `bytes`.
    #[inline]
    pub(crate) fn new(bytes: &'a [u8], spans: &'a [Span]) -> Self {
        Self { bytes, spans }
    }

    /// How many arguments there are, the command's name included.
    #[inline]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// True for an empty request, which gets no reply.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`; 0 is the command's name.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|span| span.of(self.bytes))
    }

    /// The command's name as it was sent, in any case; empty for an empty request.
    #[inline]
    pub fn name(self) -> &'a [u8] {
        self.get(0).unwrap_or_default()
    }

    /// All arguments in order, the command's name first.
    #[inline]
    pub fn iter(self) -> Iter<'a> {
        Iter {
            bytes: self.bytes,
            spans: self.spans.iter(),
        }
    }
}

impl Index<usize> for Args<'_> {
    type Output = [u8];

    /// # Panics
    /// When `index` is not below [`Args::len`]: for those who checked the number of arguments before.
    #[inline]
    fn index(&self, index: usize) -> &[u8] {
        self.spans[index].of(self.bytes)
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = Iter<'a>;

    #[inline]
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|arg| arg.escape_ascii().to_string()))
            .finish()
    }
}

/// Goes over the arguments of a request; made by [`Args::iter`].
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    spans: slice::Iter<'a, Span>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next().map(|span| span.of(self.bytes))
    }

    #[inline]
    fn nth(&mut self, n: usize) -> Option<&'a [u8]> {
        self.spans.nth(n).map(|span| span.of(self.bytes))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Arguments that own their bytes: to keep a request beyond its input, or to make one up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ArgsBuf {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl ArgsBuf {
    /// The arguments, to be used like those of a request just parsed.
    #[inline]
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.bytes, &self.spans)
    }

    /// Bytes that it holds.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// Appends one argument.
    ///
    /// # Panics
    /// When all arguments together exceed `u32::MAX` bytes, which no parsed request does.
    pub fn push(&mut self, arg: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(arg);
        assert!(
            self.bytes.len() <= u32::MAX as usize,
            "arguments exceed 4 GiB"
        );
        self.spans.push(Span::new(start, self.bytes.len()));
    }
}

impl From<Args<'_>> for ArgsBuf {
    /// Takes no more memory than the arguments need.
    fn from(args: Args<'_>) -> Self {
        let mut buf = Self {
            bytes: Vec::with_capacity(args.iter().map(<[u8]>::len).sum()),
            spans: Vec::with_capacity(args.len()),
        };
        args.iter().for_each(|arg| buf.push(arg));
        buf
    }
}

impl<'a> FromIterator<&'a [u8]> for ArgsBuf {
    fn from_iter<I: IntoIterator<Item = &'a [u8]>>(args: I) -> Self {
        let mut buf = Self::default();
        for arg in args {
            buf.push(arg);
        }
        buf
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_can_be_kept_and_made_up() {
        let kept = ArgsBuf::from_iter([&b"SET"[..], b"", b"\r\n\xff"]);
        let args = kept.args();
        assert_eq!(
            (args.len(), args.is_empty(), args.name()),
            (3, false, &b"SET"[..])
        );
        assert_eq!((args.get(1), args.get(3)), (Some(&b""[..]), None));
        assert_eq!(&args[2], b"\r\n\xff");
        assert_eq!(args.iter().len(), 3);
        assert_eq!(args.into_iter().nth(2), Some(&b"\r\n\xff"[..]));
        assert_eq!(args.iter().collect::<ArgsBuf>(), kept);
        assert_eq!(ArgsBuf::from(args), kept);
        assert_eq!(ArgsBuf::from(args).heap_bytes(), 6 + 3 * size_of::<Span>());
        assert_eq!(format!("{args:?}"), r#"["SET", "", "\\r\\n\\xff"]"#);
    }

    #[test]
    fn an_empty_request_has_no_name() {
        let empty = ArgsBuf::default();
        assert!(empty.args().is_empty());
        assert_eq!(empty.args().name(), b"");
        assert_eq!(empty.args().iter().next(), None);
    }
}
