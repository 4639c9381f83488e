/// A double as Redis 7.2 writes it: the shortest digits that read back the same, as a plain number where that
/// is short, else as `1.5e+300`.
pub(crate) fn format_double(value: f64) -> String {
    /// Up to here, 2^62, Redis writes whole numbers as integers.
    const INTEGER_MAX: f64 = 4_611_686_018_427_387_904.0;
    if value.is_nan() {
        return "nan".into();
    }
    if value.is_infinite() || value == 0.0 {
        // `inf`, `-inf`, `0` and `-0` look the same in Rust.
        return value.to_string();
    }
    if value.abs() <= INTEGER_MAX && value.trunc() == value {
        return (value as i64).to_string();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let scientific = format!("{:e}", value.abs());
    let parts = scientific
        .split_once('e')
        .and_then(|(mantissa, exponent)| Some((mantissa, exponent.parse::<i32>().ok()?)));
    let Some((mantissa, exponent)) = parts else {
        return format!("{sign}{scientific}");
    };
    let digits = mantissa.replace('.', "");
    format!("{sign}{}", lay_out(&digits, mantissa, exponent))
}

/// Places the point by the rules of the library that Redis prints doubles with. `digits` are those of
/// `mantissa`, which has one digit before its point; the value is `mantissa` × 10^`exponent`.
fn lay_out(digits: &str, mantissa: &str, exponent: i32) -> String {
    let count = digits.len() as i32;
    // The value is `digits` × 10^`shift`.
    let shift = exponent + 1 - count;
    if shift >= 0 && exponent < count + 7 {
        return format!("{digits}{}", "0".repeat(shift as usize));
    }
    if shift < 0 && (shift > -7 || exponent.abs() < 4) {
        return if exponent < 0 {
            format!("0.{}{digits}", "0".repeat((-exponent - 1) as usize))
        } else {
            let (whole, fraction) = digits.split_at((exponent + 1) as usize);
            format!("{whole}.{fraction}")
        };
    }
    format!("{mantissa}e{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_look_as_in_redis() {
        let cases = [
            (f64::NAN, "nan"),
            (-f64::NAN, "nan"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-17.0, "-17"),
            (1e15, "1000000000000000"),
            (4.611686018427388e18, "4611686018427387904"),
            (1e19, "1e+19"),
            (12_345_678_901_234_567_000.0, "12345678901234567000"),
            (1.5, "1.5"),
            (-3.25, "-3.25"),
            (0.1, "0.1"),
            (0.1 + 0.2, "0.30000000000000004"),
            (123_456.789, "123456.789"),
            (0.000_001, "0.000001"),
            (0.000_000_1, "1e-7"),
            (0.001_234_567_89, "0.00123456789"),
            (0.000_123_456_78, "1.2345678e-4"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
        ];
        for (value, text) in cases {
            assert_eq!(format_double(value), text);
        }
    }
}
