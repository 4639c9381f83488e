//! Integers as Redis reads them from arguments and values.

/// The integer that `text` is, read as strictly as Redis does: digits with at most a `-` in front,
/// no `+`, no leading zeros, no blanks, within 64 bits.
pub(crate) fn parse_i64(text: &[u8]) -> Option<i64> {
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
    use super::parse_i64;

    #[test]
    fn reads_what_redis_reads() {
        let cases: [(&str, i64); 8] = [
            ("0", 0),
            ("7", 7),
            ("-1", -1),
            ("10", 10),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            ("1000000000000000000", 1_000_000_000_000_000_000),
            ("-42", -42),
        ];
        for (text, value) in cases {
            assert_eq!(parse_i64(text.as_bytes()), Some(value), "{text}");
        }
    }

    #[test]
    fn refuses_what_redis_refuses() {
        let cases = [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "00",
            "-01",
            " 1",
            "1 ",
            "1.0",
            "1e3",
            "0x1",
            "a",
            "1a",
            "--1",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "99999999999999999999",
            "9999999999999999999",
        ];
        for text in cases {
            assert_eq!(parse_i64(text.as_bytes()), None, "'{text}'");
        }
    }
}
