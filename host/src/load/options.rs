//! Forms of options that more than a number or a word stands in.

use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

use super::VALUE_BYTES_MAX;
use super::source::Op;

/// Smallest and largest length of a value, both included: `100..1000`, or one length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct ValueBytes {
    pub(super) min: usize,
    pub(super) max: usize,
}

impl FromStr for ValueBytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (min, max) = text.split_once("..").unwrap_or((text, text));
        let bytes = |number: &str| {
            let parsed = number
                .parse()
                .ok()
                .filter(|&bytes: &usize| bytes <= VALUE_BYTES_MAX);
            parsed.ok_or_else(|| format!("`{number}` is no length from 0 to {VALUE_BYTES_MAX}"))
        };
        let range = Self {
            min: bytes(min)?,
            max: bytes(max)?,
        };
        if range.min > range.max {
            return Err(format!("{} is above {}", range.min, range.max));
        }
        Ok(range)
    }
}

/// How often an operation comes, relative to the others: `get=90`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Weight {
    pub(super) op: Op,
    pub(super) weight: u32,
}

impl FromStr for Weight {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (op, weight) = text
            .split_once('=')
            .ok_or("expected OP=WEIGHT, such as get=90")?;
        Ok(Self {
            op: op.parse()?,
            weight: weight
                .parse()
                .map_err(|_| format!("`{weight}` is no whole number"))?,
        })
    }
}

/// `90`, `90s` (seconds), `500ms` or `2m`; at most a year.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match &text[digits.len()..] {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        unit => return Err(format!("unknown unit `{unit}`; expected ms, s, m or h")),
    };
    let number: u64 = digits
        .parse()
        .map_err(|_| format!("`{digits}` is no whole number"))?;
    let duration = Duration::from_millis(number.saturating_mul(unit_ms));
    if duration > YEAR {
        return Err("longer than a year".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_lengths() {
        let parse = |text: &str| text.parse::<ValueBytes>();
        assert_eq!(
            parse("100..1000"),
            Ok(ValueBytes {
                min: 100,
                max: 1_000
            })
        );
        assert_eq!(parse("64"), Ok(ValueBytes { min: 64, max: 64 }));
        for wrong in ["", "..", "2..1", "-1", "1..67108865", "1...2", "a"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn weights() {
        let parse = |text: &str| text.parse::<Weight>();
        assert_eq!(
            parse("del=0"),
            Ok(Weight {
                op: Op::Del,
                weight: 0
            })
        );
        for wrong in ["get", "get=", "get=-1", "put=1", "=1"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("1h"), Ok(Duration::from_secs(3_600)));
        for wrong in [
            "",
            "s",
            "1.5s",
            "-1s",
            "1d",
            "99999999999999999999",
            "9999999999h",
            "1 s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
