//! Forms of options that more than a number or a word stands in.

use std::ops::RangeInclusive;

use crate::config::ByteSize;

/// A part of a whole: `10%` or `0.1`, from 0 to 1.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let (number, whole) = match text.strip_suffix('%') {
        Some(percent) => (percent, 100.0),
        None => (text, 1.0),
    };
    let share = number.trim().parse().map(|number: f64| number / whole);
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("'{text}' is no share; allowed: 0% to 100%, or 0 to 1"))
}

/// As [`share`], but more than nothing.
pub(super) fn sample(text: &str) -> Result<f64, String> {
    let share = share(text)?;
    if share == 0.0 {
        return Err("a sample has to be more than nothing".to_owned());
    }
    Ok(share)
}

/// Smallest and largest size, both included: `1KiB..64KiB`, or one size.
pub(super) fn sizes(text: &str) -> Result<RangeInclusive<u32>, String> {
    let bytes = |text: &str| {
        let size = text.parse::<ByteSize>().ok();
        let bytes = size.and_then(|size| u32::try_from(size.bytes()).ok());
        bytes.ok_or_else(|| format!("'{text}' is no size; allowed: 0 to 4294967295, or as 64KiB"))
    };
    range(text, bytes)
}

/// Shortest and longest number of seconds, both included: `60..3600`, or one number.
pub(super) fn seconds(text: &str) -> Result<RangeInclusive<u32>, String> {
    let number = |text: &str| {
        let wrong = |_| format!("'{text}' is no number of seconds; allowed: 0 to 4294967295");
        text.parse().map_err(wrong)
    };
    range(text, number)
}

fn range(
    text: &str,
    parse: impl Fn(&str) -> Result<u32, String>,
) -> Result<RangeInclusive<u32>, String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    let (low, high) = (parse(low)?, parse(high)?);
    if low > high {
        return Err(format!("{low} is above {high}"));
    }
    Ok(low..=high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percent_or_parts() {
        assert_eq!((share("10%"), share("0.1")), (Ok(0.1), Ok(0.1)));
        assert_eq!((share("0"), share("100%")), (Ok(0.0), Ok(1.0)));
        for wrong in ["", "%", "-1%", "1.1", "101%", "NaN", "inf", "a"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
        assert!(sample("0%").is_err() && sample("1%") == Ok(0.01));
    }

    #[test]
    fn ranges_are_one_number_or_two() {
        assert_eq!(sizes("1KiB..64KiB"), Ok(1_024..=65_536));
        assert_eq!(sizes("0..4294967295"), Ok(0..=u32::MAX));
        assert_eq!(seconds("60"), Ok(60..=60));
        for wrong in [
            "",
            "..",
            "2..1",
            "-1",
            "1..4294967296",
            "1...2",
            "4GiB",
            "a",
        ] {
            assert!(sizes(wrong).is_err() && seconds(wrong).is_err(), "{wrong}");
        }
    }
}
