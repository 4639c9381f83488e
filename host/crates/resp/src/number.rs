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

/// The integer that `text` is, read as strictly as Redis does: digits with at most a `-` in front, no `+`, no
/// leading zeros, no `-0`, no blanks, within 64 bits.
pub fn parse_integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        b"0" => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // 19 digits fit into a u64, so nothing below overflows it.
    if !matches!(digits, [b'1'..=b'9', ..]) || digits.len() > 19 {
        return None;
    }
    let mut magnitude = 0_u64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
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
        let bad: [&[u8]; 18] = [
            b"1.0",
            b"1e3",
            b"--1",
            b"-9223372036854775809",
            b"18446744073709551616",
            b"9999999999999999999",
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
