//! Numbers as text, as C's `%g` writes them.

use mlua::Value;

/// A value that is a number.
pub(crate) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

/// `%.{digits}g`.
pub(crate) fn general(value: f64, digits: usize) -> String {
    if !value.is_finite() {
        let text = if value.is_nan() { "nan" } else { "inf" };
        return format!("{}{text}", if value.is_sign_negative() { "-" } else { "" });
    }
    let text = format!("{value:.*e}", digits - 1);
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..digits as i32).contains(&exponent) {
        let decimals = (digits as i32 - 1 - exponent) as usize;
        return trimmed(&format!("{value:.decimals$}")).to_owned();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", trimmed(mantissa), exponent.abs())
}

fn trimmed(text: &str) -> &str {
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => text,
    }
}

/// As C converts to 64 bits on the machines that Redis runs on: what does not fit is the least.
pub(crate) fn truncated(value: f64) -> i64 {
    match (-9.3e18..9.223_372_036_854_775e18).contains(&value) {
        true => value as i64,
        false => i64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_c_writes_them() {
        for (value, digits, text) in [
            (0.1, 17, "0.10000000000000001"),
            (1.5, 17, "1.5"),
            (1e20, 17, "1e+20"),
            (1e-5, 14, "1e-05"),
            (0.0001, 14, "0.0001"),
            (-0.0, 14, "-0"),
            (100.0, 14, "100"),
            (1e15, 14, "1e+15"),
            (9_007_199_254_740_993.0, 17, "9007199254740992"),
            (f64::INFINITY, 14, "inf"),
        ] {
            assert_eq!(general(value, digits), text);
        }
    }
}
