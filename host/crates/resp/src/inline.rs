use crate::ProtocolError;
use crate::args::Span;

/// Splits an inline request into arguments by the rules of Redis: blanks separate; `"…"` knows `\n \r \t \b \a`,
/// `\xHH` and `\` before any other byte; `'…'` knows only `\'`; a quote may open within an argument, and once it
/// is closed a blank must follow. `bytes` and `spans` are overwritten with the outcome.
pub(crate) fn split(
    line: &[u8],
    bytes: &mut Vec<u8>,
    spans: &mut Vec<Span>,
) -> Result<(), ProtocolError> {
    bytes.clear();
    spans.clear();
    let mut rest = skip_blanks(line);
    while !rest.is_empty() {
        let start = bytes.len();
        rest = skip_blanks(take_argument(rest, bytes)?);
        spans.push(Span::new(start, bytes.len()));
    }
    Ok(())
}

/// As `isspace` of C: one more, `\v`, than Rust's own test.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_blanks(line: &[u8]) -> &[u8] {
    let blanks = line.iter().take_while(|&&byte| is_blank(byte)).count();
    &line[blanks..]
}

/// Appends the argument that `line` starts with to `out` and returns what follows it.
fn take_argument<'a>(mut line: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], ProtocolError> {
    loop {
        match line {
            // Narrower than `is_blank`, as in Redis: `\v` and `\f` do not end an argument.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(line),
            [b'"', rest @ ..] => return after_quote(take_double_quoted(rest, out)?),
            [b'\'', rest @ ..] => return after_quote(take_single_quoted(rest, out)?),
            [byte, rest @ ..] => {
                out.push(*byte);
                line = rest;
            }
        }
    }
}

fn after_quote(rest: &[u8]) -> Result<&[u8], ProtocolError> {
    match rest.first() {
        Some(&byte) if !is_blank(byte) => Err(ProtocolError::UnbalancedQuotes),
        _ => Ok(rest),
    }
}

fn take_double_quoted<'a>(
    mut line: &'a [u8],
    out: &mut Vec<u8>,
) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, rest) = match line {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'"', rest @ ..] => return Ok(rest),
            [b'\\', b'x', high, low, rest @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex_digit(*high) << 4 | hex_digit(*low), rest)
            }
            [b'\\', escaped, rest @ ..] => (unescape(*escaped), rest),
            [byte, rest @ ..] => (*byte, rest),
        };
        out.push(byte);
        line = rest;
    }
}

fn take_single_quoted<'a>(
    mut line: &'a [u8],
    out: &mut Vec<u8>,
) -> Result<&'a [u8], ProtocolError> {
    loop {
        let (byte, rest) = match line {
            [] => return Err(ProtocolError::UnbalancedQuotes),
            [b'\'', rest @ ..] => return Ok(rest),
            [b'\\', b'\'', rest @ ..] => (b'\'', rest),
            [byte, rest @ ..] => (*byte, rest),
        };
        out.push(byte);
        line = rest;
    }
}

fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// The value of a digit that `is_ascii_hexdigit` accepted.
fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Args;

    fn check(line: &[u8], expected: Option<&[&[u8]]>) {
        let (mut bytes, mut spans) = (b"left over".to_vec(), vec![Span::new(0, 4)]);
        let outcome = split(line, &mut bytes, &mut spans);
        let args: Vec<&[u8]> = Args::new(&bytes, &spans).iter().collect();
        let found = outcome.map(|()| args.as_slice());
        let expected = expected.ok_or(ProtocolError::UnbalancedQuotes);
        assert_eq!(found, expected, "{}", line.escape_ascii());
    }

    #[test]
    fn blanks_separate() {
        check(b"", Some(&[]));
        check(b" \t\x0b\x0c\r ", Some(&[]));
        check(b"PING", Some(&[b"PING"]));
        check(b"  GET \t k  ", Some(&[b"GET", b"k"]));
        check(b"a\x0bb\x0c c\0d", Some(&[b"a\x0bb\x0c", b"c\0d"]));
        check(b"\xff\xfe \xf0", Some(&[b"\xff\xfe", b"\xf0"]));
    }

    #[test]
    fn double_quotes_and_escapes() {
        check(br#"SET k "a b""#, Some(&[b"SET", b"k", b"a b"]));
        check(br#""" "" x"#, Some(&[b"", b"", b"x"]));
        check(br#""\x00\xfF\x4a""#, Some(&[b"\x00\xff\x4a"]));
        check(br#""\n\r\t\b\a\\\"\q""#, Some(&[b"\n\r\t\x08\x07\\\"q"]));
        check(br#""\xg0 \x1" "\x""#, Some(&[b"xg0 x1", b"x"]));
        check(br#"pre"fix ed" next"#, Some(&[b"prefix ed", b"next"]));
        check(br#"a\x41\n"#, Some(&[br#"a\x41\n"#]));
        check(b"\"a\"\x0bb", Some(&[b"a", b"b"]));
    }

    #[test]
    fn single_quotes_take_all_literally() {
        check(br"'a b' 'it\'s' '\n\x41\'", None);
        check(
            br"'a b' 'it\'s' '\n\x41'",
            Some(&[b"a b", b"it's", br"\n\x41"]),
        );
        check(br#"'"' "'""#, Some(&[b"\"", b"'"]));
        check(br"'' k'v'", Some(&[b"", b"kv"]));
    }

    #[test]
    fn unbalanced_quotes_are_refused() {
        for line in [
            r#"""#,
            "'",
            r#"a "b"#,
            "a 'b",
            r#""a"b"#,
            "'a'b",
            r#""a""b""#,
            r#""a\"#,
            r#""a\""#,
        ] {
            check(line.as_bytes(), None);
        }
    }
}
