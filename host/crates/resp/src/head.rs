use crate::number::parse_integer;
use crate::{Limits, ProtocolError};

/// The start of a reply: all of a scalar, only the count of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Head<'a> {
    /// `+ - : , # (`: the type and the text of its line.
    Line(u8, &'a [u8]),
    /// `$ ! =`: the type and the content.
    Blob(u8, &'a [u8]),
    /// `_`, or a negative length; holds the type.
    Null(u8),
    /// `* ~ > % |`: the type and how many replies follow, two for each pair.
    Aggregate(u8, usize),
}

/// Reads the head of the reply that `input` starts with, and its length. None when it is not all there.
#[inline]
pub(crate) fn read_head<'a>(
    input: &'a [u8],
    limits: &Limits,
) -> Result<Option<(Head<'a>, usize)>, ProtocolError> {
    let Some(&kind) = input.first() else {
        return Ok(None);
    };
    if !is_kind(kind) {
        return Err(ProtocolError::UnknownReplyType(kind));
    }
    let Some((text, header_bytes)) = read_line(input, limits)? else {
        return Ok(None);
    };
    let head = match kind {
        b'_' if text.is_empty() => Head::Null(kind),
        b'_' => return Err(ProtocolError::InvalidReply(kind)),
        b'$' | b'!' | b'=' => {
            let Some(length) = read_length(kind, text, limits.bulk_bytes_max)? else {
                return Ok(Some((Head::Null(kind), header_bytes)));
            };
            let end = header_bytes.saturating_add(length);
            return match input
                .get(header_bytes..end)
                .zip(input.get(end..end.saturating_add(2)))
            {
                Some((content, b"\r\n")) => Ok(Some((Head::Blob(kind, content), end + 2))),
                Some(_) => Err(ProtocolError::InvalidReply(kind)),
                None => Ok(None),
            };
        }
        b'*' | b'~' | b'>' | b'%' | b'|' => match read_length(kind, text, limits.args_max)? {
            None => Head::Null(kind),
            Some(pairs) if matches!(kind, b'%' | b'|') => {
                Head::Aggregate(kind, pairs.saturating_mul(2))
            }
            Some(count) => Head::Aggregate(kind, count),
        },
        _ => Head::Line(kind, text),
    };
    Ok(Some((head, header_bytes)))
}

#[inline]
fn is_kind(byte: u8) -> bool {
    matches!(
        byte,
        b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' // lines
            | b'$' | b'!' | b'=' // blobs
            | b'*' | b'~' | b'>' | b'%' | b'|' // aggregates
    )
}

/// The text of the line behind the byte of the type, and the length of it all.
#[inline]
fn read_line<'a>(
    input: &'a [u8],
    limits: &Limits,
) -> Result<Option<(&'a [u8], usize)>, ProtocolError> {
    let window = &input[..input.len().min(limits.inline_bytes_max.saturating_add(1))];
    match window.iter().position(|&byte| byte == b'\r') {
        None if input.len() > limits.inline_bytes_max => Err(ProtocolError::TooBigReplyLine),
        None => Ok(None),
        Some(end) => match input.get(end + 1) {
            None => Ok(None),
            Some(b'\n') => Ok(Some((&input[1..end], end + 2))),
            Some(_) => Err(ProtocolError::InvalidReply(input[0])),
        },
    }
}

/// A length or count; None for -1, which stands for null and only where RESP2 has it.
#[inline]
fn read_length(kind: u8, text: &[u8], max: usize) -> Result<Option<usize>, ProtocolError> {
    if text == b"?" {
        return Err(ProtocolError::StreamedReply);
    }
    match parse_integer(text) {
        Some(-1) if matches!(kind, b'$' | b'*') => Ok(None),
        Some(length) => match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(length)),
            _ => Err(ProtocolError::InvalidReply(kind)),
        },
        None => Err(ProtocolError::InvalidReply(kind)),
    }
}
