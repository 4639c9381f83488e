//! The sum of two decimal fractions, for INCRBYFLOAT.
//!
//! Redis adds `long double`s and prints 17 digits after the point, without zeros at the end. Here
//! numbers below 10^20 are added as exact decimals of 17 digits after the point, so the sums agree
//! wherever those of Redis are exact, and show no noise where they are not (1000000 + 0.1 is
//! 1000000.1, not 1000000.10000000000002274). Larger ones are added as doubles.

use std::fmt::Write;

/// Digits kept after the point.
const SCALE_DIGITS: usize = 17;
const ONE: i128 = 10_i128.pow(SCALE_DIGITS as u32);
/// Numbers from here on are added as doubles.
const UNITS_MAX: i128 = 10_i128.pow(20) * ONE;
/// Longest text that is read as a number, as in Redis.
const TEXT_BYTES_MAX: usize = 5 * 1024;

/// Why two texts have no sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoSum {
    /// One of them is no number.
    NotANumber,
    /// It is infinite, or one of them is.
    Infinite,
}

/// The sum of two numbers, as text that reads as the same number again.
pub(crate) fn add(a: &[u8], b: &[u8]) -> Result<String, NoSum> {
    if let (Some(a), Some(b)) = (parse_units(a), parse_units(b)) {
        return Ok(format_units(a + b));
    }
    let sum = parse_double(a)? + parse_double(b)?;
    // Adding zero makes a negative zero positive.
    if sum.is_finite() {
        Ok((sum + 0.0).to_string())
    } else {
        Err(NoSum::Infinite)
    }
}

fn parse_double(text: &[u8]) -> Result<f64, NoSum> {
    let text = Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX);
    let value = text.and_then(|text| str::from_utf8(text).ok()?.parse().ok());
    value
        .filter(|value: &f64| !value.is_nan())
        .ok_or(NoSum::NotANumber)
}

/// Reads `[+-]digits[.digits][e[+-]digits]` in units of 10^-17, rounding what is smaller half away
/// from zero. `None` for what is too large, and for what is not written so: that is for doubles.
fn parse_units(text: &[u8]) -> Option<i128> {
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (negative, unsigned) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        rest => (false, rest),
    };
    let split = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'));
    let (digits, exponent) = match split {
        Some(at) => (
            &unsigned[..at],
            str::from_utf8(&unsigned[at + 1..]).ok()?.parse().ok()?,
        ),
        None => (unsigned, 0_i32),
    };
    let point = digits
        .iter()
        .position(|&byte| byte == b'.')
        .unwrap_or(digits.len());
    let whole = &digits[..point];
    let fraction = digits.get(point + 1..).unwrap_or_default();
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut mantissa = 0_i128;
    for &byte in whole.iter().chain(fraction) {
        let digit = i128::from(byte.is_ascii_digit().then(|| byte - b'0')?);
        mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
    }
    let shift = exponent
        .checked_add(SCALE_DIGITS as i32)?
        .checked_sub(fraction.len() as i32)?;
    let power = 10_i128.checked_pow(shift.unsigned_abs());
    let units = match (power, shift < 0) {
        (Some(power), false) => mantissa.checked_mul(power)?,
        (Some(power), true) => (mantissa + power / 2) / power,
        (None, false) if mantissa != 0 => return None,
        (None, _) => 0,
    };
    (units < UNITS_MAX).then_some(if negative { -units } else { units })
}

fn format_units(units: i128) -> String {
    let magnitude = units.unsigned_abs();
    let (whole, fraction) = (
        magnitude / ONE.unsigned_abs(),
        magnitude % ONE.unsigned_abs(),
    );
    let sign = if units < 0 { "-" } else { "" };
    let mut text = format!("{sign}{whole}");
    if fraction != 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ".{fraction:0SCALE_DIGITS$}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_written_as_redis_writes_them() {
        let cases = [
            ("10.5", "0.1", "10.6"),
            ("10.6", "-5", "5.6"),
            ("0.1", "0.2", "0.3"),
            ("0.3", "-0.1", "0.2"),
            ("3.0e3", "200", "3200"),
            ("5.0e3", "2.0E2", "5200"),
            ("5", "-5", "0"),
            ("-0.0", "-0", "0"),
            ("28", "5.", "33"),
            ("27.5", "+.5", "28"),
            ("1", "1e-17", "1.00000000000000001"),
            ("1", "5e-18", "1.00000000000000001"),
            ("1", "4e-18", "1"),
            ("1e-20", "1e-18", "0"),
            ("0", "1e-2000000000", "0"),
            ("-1", "0.5", "-0.5"),
            ("0e2000000000", "1", "1"),
            ("0", "1e22", "10000000000000000000000"),
            ("1e22", "1.5", "10000000000000000000000"),
            ("-99999999999999999999", "-1", "-100000000000000000000"),
        ];
        for (a, b, sum) in cases {
            assert_eq!(
                add(a.as_bytes(), b.as_bytes()).as_deref(),
                Ok(sum),
                "{a} + {b}"
            );
        }
    }

    #[test]
    fn exact_where_long_doubles_are_not() {
        assert_eq!(add(b"1000000", b"0.1").as_deref(), Ok("1000000.1"));
        assert_eq!(
            add(b"123456789012345678", b"0.123456789").as_deref(),
            Ok("123456789012345678.123456789")
        );
    }

    #[test]
    fn what_is_no_number_has_no_sum() {
        let long = "0".repeat(TEXT_BYTES_MAX + 1);
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1.2.3", " 1", "1 ", "abc", "0x10", "nan", "1_0",
            &long,
        ] {
            assert_eq!(
                add(text.as_bytes(), b"1"),
                Err(NoSum::NotANumber),
                "'{text}'"
            );
            assert_eq!(
                add(b"1", text.as_bytes()),
                Err(NoSum::NotANumber),
                "'{text}'"
            );
        }
        assert_eq!(add(b"\xff", b"1"), Err(NoSum::NotANumber));
    }

    #[test]
    fn infinity_is_refused() {
        for text in ["inf", "-Infinity", "1e400"] {
            assert_eq!(add(text.as_bytes(), b"1"), Err(NoSum::Infinite), "{text}");
        }
        assert_eq!(add(b"1.7e308", b"1.7e308"), Err(NoSum::Infinite));
    }

    #[test]
    fn a_sum_reads_as_the_same_number_again() {
        for text in [
            "0.1",
            "99999999999999999999.5",
            "1e21",
            "-3.00000000000000007",
            "1.7e308",
        ] {
            let once = add(text.as_bytes(), b"0").expect("a number");
            assert_eq!(add(once.as_bytes(), b"0"), Ok(once), "{text}");
        }
    }
}
