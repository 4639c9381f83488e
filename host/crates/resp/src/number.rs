/// Reads `?count\r.` at the start of `bytes`, `?` being the byte of the type: the count and the length of all
/// of it. None for what is incomplete, unusually long or no plain count: that is for [`parse_integer`] to judge.
#[inline]
pub(crate) fn leading_count(bytes: &[u8]) -> Option<(i64, usize)> {
    const DIGITS_MAX: usize = 9;
    let mut count = 0_u32;
    for (index, &byte) in bytes.get(1..)?.iter().take(DIGITS_MAX + 1).enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            let plain = byte == b'\r' && index > 0 && (bytes[1] != b'0' || index == 1);
            let header_bytes = index + 3;
            return (plain && bytes.len() >= header_bytes).then_some((count.into(), header_bytes));
        }
        count = count.wrapping_mul(10).wrapping_add(digit.into());
    }
    None
}

/// Reads a whole decimal number as strictly as Redis does: no plus sign, no leading zeros, no `-0`, nothing
/// around it, within 64 bits.
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let plain = match digits {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', ..] => true,
        _ => false,
    };
    if !plain || text.len() > 20 {
        return None;
    }
    str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_strict() {
        let good: [(&[u8], i64); 7] = [
            (b"0", 0),
            (b"7", 7),
            (b"-1", -1),
            (b"10", 10),
            (b"1048576", 1_048_576),
            (b"9223372036854775807", i64::MAX),
            (b"-9223372036854775808", i64::MIN),
        ];
        for (text, number) in good {
            assert_eq!(parse_integer(text), Some(number), "{}", text.escape_ascii());
        }
        let bad: [&[u8]; 12] = [
            b"",
            b"-",
            b"-0",
            b"00",
            b"01",
            b"-01",
            b"+1",
            b" 1",
            b"1 ",
            b"1a",
            b"9223372036854775808",
            b"111111111111111111111",
        ];
        for text in bad {
            assert_eq!(parse_integer(text), None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn the_short_way_agrees_with_the_long_one() {
        for text in [
            "0",
            "7",
            "16",
            "999999999",
            "",
            "00",
            "01",
            "-1",
            "1x",
            "1000000000",
        ] {
            let line = format!("${text}\r\n");
            let expected = parse_integer(text.as_bytes()).map(|number| (number, line.len()));
            let short = leading_count(line.as_bytes());
            let is_short = text.len() <= 9 && expected.is_some_and(|(number, _)| number >= 0);
            assert_eq!(short, expected.filter(|_| is_short), "{text}");
            for cut in 0..line.len() {
                assert_eq!(
                    leading_count(&line.as_bytes()[..cut]),
                    None,
                    "{text} cut at {cut}"
                );
            }
        }
    }
}
