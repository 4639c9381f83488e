use crate::head::{Head, read_head};
use crate::{Limits, ProtocolError};

/// How deep replies may be nested: a scalar has depth 0, an array of scalars 1.
pub const DEPTH_MAX: usize = 32;

/// One reply, as a client sees it. Text that should be UTF-8 and is not has its bad bytes replaced by U+FFFD.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `+`: a short text.
    Simple(String),
    /// `-` or `!`: an error, its code included.
    Error(String),
    /// `:`: an integer.
    Integer(i64),
    /// `$`: a string of any bytes; None is RESP2's null string.
    Bulk(Option<Vec<u8>>),
    /// `_`: RESP3's null.
    Null,
    /// `*-1`: RESP2's null array.
    NullArray,
    /// `*`: replies in order.
    Array(Vec<Value>),
    /// `%`: pairs in the order in which they came.
    Map(Vec<(Value, Value)>),
    /// `~`: replies in the order in which they came.
    Set(Vec<Value>),
    /// `>`: an out-of-band message.
    Push(Vec<Value>),
    /// `,`: a floating-point number.
    Double(f64),
    /// `#`: a truth value.
    Boolean(bool),
    /// `=`: text to be shown as it is, without the mark of its format.
    Verbatim(String),
    /// `(`: the decimal digits of an integer of any size.
    BigNumber(String),
}

/// Decodes the reply that `input` starts with: the reply and its length in bytes; None when it is not all
/// there. Attributes are skipped. A reply that is not all there is decoded from its start the next time.
///
/// # Errors
/// [`ProtocolError`] when the bytes are no reply, exceed the limits, or are nested deeper than [`DEPTH_MAX`].
pub fn decode(input: &[u8], limits: &Limits) -> Result<Option<(Value, usize)>, ProtocolError> {
    let mut decoder = Decoder {
        input,
        at: 0,
        limits,
    };
    Ok(decoder.value(0)?.map(|value| (value, decoder.at)))
}

struct Decoder<'a> {
    input: &'a [u8],
    at: usize,
    limits: &'a Limits,
}

impl<'a> Decoder<'a> {
    /// The next reply, behind its attributes. `depth` counts the aggregates around it.
    fn value(&mut self, depth: usize) -> Result<Option<Value>, ProtocolError> {
        loop {
            let Some(head) = self.head()? else {
                return Ok(None);
            };
            let (kind, count) = match head {
                Head::Aggregate(kind, count) => (kind, count),
                Head::Line(kind, text) => return line_value(kind, text).map(Some),
                Head::Blob(kind, content) => return blob_value(kind, content).map(Some),
                Head::Null(b'$') => return Ok(Some(Value::Bulk(None))),
                Head::Null(b'*') => return Ok(Some(Value::NullArray)),
                Head::Null(_) => return Ok(Some(Value::Null)),
            };
            if depth == DEPTH_MAX {
                return Err(ProtocolError::NestedTooDeep);
            }
            let Some(elements) = self.elements(count, depth + 1)? else {
                return Ok(None);
            };
            match kind {
                b'|' => {}
                b'%' => return Ok(Some(Value::Map(into_pairs(elements)))),
                b'~' => return Ok(Some(Value::Set(elements))),
                b'>' => return Ok(Some(Value::Push(elements))),
                _ => return Ok(Some(Value::Array(elements))),
            }
        }
    }

    fn head(&mut self) -> Result<Option<Head<'a>>, ProtocolError> {
        let Some((head, bytes)) = read_head(&self.input[self.at..], self.limits)? else {
            return Ok(None);
        };
        self.at += bytes;
        Ok(Some(head))
    }

    /// The list grows with what is really there: `count` is only a claim.
    fn elements(
        &mut self,
        count: usize,
        depth: usize,
    ) -> Result<Option<Vec<Value>>, ProtocolError> {
        let mut elements = Vec::new();
        for _ in 0..count {
            let Some(element) = self.value(depth)? else {
                return Ok(None);
            };
            elements.push(element);
        }
        Ok(Some(elements))
    }
}

fn line_value(kind: u8, text: &[u8]) -> Result<Value, ProtocolError> {
    let value = match kind {
        b'+' => Some(Value::Simple(to_text(text))),
        b'-' => Some(Value::Error(to_text(text))),
        b':' => parse_plain(text).map(Value::Integer),
        b',' => parse_plain(text).map(Value::Double),
        b'(' => is_big_number(text).then(|| Value::BigNumber(to_text(text))),
        _ => match text {
            b"t" => Some(Value::Boolean(true)),
            b"f" => Some(Value::Boolean(false)),
            _ => None,
        },
    };
    value.ok_or(ProtocolError::InvalidReply(kind))
}

fn blob_value(kind: u8, content: &[u8]) -> Result<Value, ProtocolError> {
    match (kind, content) {
        (b'$', _) => Ok(Value::Bulk(Some(content.to_vec()))),
        (b'!', _) => Ok(Value::Error(to_text(content))),
        (_, [_, _, _, b':', text @ ..]) => Ok(Value::Verbatim(to_text(text))),
        _ => Err(ProtocolError::InvalidReply(kind)),
    }
}

fn to_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn parse_plain<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}

fn is_big_number(text: &[u8]) -> bool {
    let digits = text
        .strip_prefix(b"-")
        .or(text.strip_prefix(b"+"))
        .unwrap_or(text);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn into_pairs(elements: Vec<Value>) -> Vec<(Value, Value)> {
    let mut pairs = Vec::with_capacity(elements.len() / 2);
    let mut elements = elements.into_iter();
    while let (Some(key), Some(value)) = (elements.next(), elements.next()) {
        pairs.push((key, value));
    }
    pairs
}

#[cfg(test)]
mod tests;
