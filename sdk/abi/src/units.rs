//! Durations and sizes as people write them in side-car files, rules and defaults.
//!
//! Digits and a unit in any case: `500ms`, `30s`, `5m`, `2h`, `7d`; `4KiB` is 4,096 bytes, `4KB` is
//! 4,000, digits alone are bytes.

use alloc::format;
use alloc::string::String;

const DURATION_UNITS_MS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZE_UNITS: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// Milliseconds of a duration. `None` for what is none, and for digits alone, which could be
/// anything.
pub fn duration_ms(text: &str) -> Option<u64> {
    quantity(text, DURATION_UNITS_MS)
}

/// A duration as [`duration_ms`] reads it, in the largest unit that leaves no remainder.
pub fn duration(ms: u64) -> String {
    shown(ms, DURATION_UNITS_MS)
}

/// Bytes of a size; `None` for what is none.
pub fn size_bytes(text: &str) -> Option<u64> {
    quantity(text, SIZE_UNITS)
}

/// A size as [`size_bytes`] reads it, in the largest unit that leaves no remainder.
pub fn size(bytes: u64) -> String {
    shown(bytes, SIZE_UNITS)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (digits, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim_start();
    let (_, factor) = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    digits.parse::<u64>().ok()?.checked_mul(*factor)
}

fn shown(quantity: u64, units: &[(&str, u64)]) -> String {
    let whole = |(_, factor): &&(&str, u64)| {
        *factor == 1 || (quantity > 0 && quantity.is_multiple_of(*factor))
    };
    // Of units of the same factor the last: `B` rather than none.
    let unit = units.iter().filter(whole).max_by_key(|(_, factor)| factor);
    let (name, factor) = unit.unwrap_or(&("", 1));
    format!("{}{name}", quantity / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_again_and_as_short_as_can_be() {
        for (ms, text) in [
            (0, "0ms"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (3_600_000, "1h"),
        ] {
            assert_eq!(duration(ms), text);
            assert_eq!(duration_ms(text), Some(ms));
        }
        for (bytes, text) in [
            (0, "0B"),
            (1_023, "1023B"),
            (65_536, "64KiB"),
            (5_000_000, "5MB"),
            (1_024_000, "1000KiB"),
        ] {
            assert_eq!(size(bytes), text);
            assert_eq!(size_bytes(text), Some(bytes));
        }
    }

    #[test]
    fn units_are_read() {
        assert_eq!(duration_ms("500ms"), Some(500));
        assert_eq!(duration_ms(" 30 S "), Some(30_000));
        assert_eq!(duration_ms("7d"), Some(604_800_000));
        assert_eq!(size_bytes("4KiB"), Some(4096));
        assert_eq!(size_bytes("4kb"), Some(4000));
        assert_eq!(size_bytes("17"), Some(17));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "s", "10", "-1s", "1.5s", "1w", "1s 2s"] {
            assert_eq!(duration_ms(text), None, "{text}");
        }
        for text in ["", "KiB", "18446744073709551615KiB", "1 Kii"] {
            assert_eq!(size_bytes(text), None, "{text}");
        }
    }
}
