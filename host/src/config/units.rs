//! Sizes and durations as people write them: `256MiB`, `64MB`, `10s`, `500ms`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A number of bytes, written with a unit: `256MiB` is 2^28, `64MB` is 64,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

/// The text is no size or no duration: not digits, an unknown unit, or more than 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAQuantity;

const SIZE_UNITS: &[(&str, u64)] = &[
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

const DURATION_UNITS_MS: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

impl ByteSize {
    /// That many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// That many times 2^20 bytes.
    pub const fn mib(count: u64) -> Self {
        Self(count << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = NotAQuantity;

    /// Reads digits and a unit in any case; digits alone are bytes.
    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let (digits, unit) = split(text);
        let unit = if unit.is_empty() { "B" } else { unit };
        quantity(digits, unit, SIZE_UNITS).map(Self)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_shortest(f, self.0, SIZE_UNITS)
    }
}

/// Reads digits and a unit from `ms` to `d`. The unit has to be there: `10` could be either.
pub(super) fn parse_duration(text: &str) -> Result<Duration, NotAQuantity> {
    let (digits, unit) = split(text);
    quantity(digits, unit, DURATION_UNITS_MS).map(Duration::from_millis)
}

/// Writes a duration in whole milliseconds so that [`parse_duration`] reads it back.
pub(super) struct ShowDuration(pub(super) Duration);

impl fmt::Display for ShowDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        write_shortest(f, ms, DURATION_UNITS_MS)
    }
}

fn split(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

fn quantity(digits: &str, unit: &str, units: &[(&str, u64)]) -> Result<u64, NotAQuantity> {
    let named = units
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let (_, factor) = named.ok_or(NotAQuantity)?;
    let count: u64 = digits.parse().map_err(|_| NotAQuantity)?;
    count.checked_mul(*factor).ok_or(NotAQuantity)
}

/// Writes `amount` in the unit that divides it with the smallest count, so that `64MB` does not
/// come back as `62500KiB`.
fn write_shortest(f: &mut fmt::Formatter<'_>, amount: u64, units: &[(&str, u64)]) -> fmt::Result {
    let exact = units
        .iter()
        .filter(|(_, factor)| amount.is_multiple_of(*factor));
    let (name, factor) = exact
        .min_by_key(|(_, factor)| amount / factor)
        .unwrap_or(&units[0]);
    write!(f, "{}{name}", amount / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_and_decimal_units_or_none() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("7B", 7),
            ("256MiB", 256 << 20),
            ("256mib", 256 << 20),
            ("64MB", 64_000_000),
            ("1 GiB", 1 << 30),
            ("3TB", 3_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1.5GiB",
            "12XB",
            "1MiB ",
            "18446744073709551616",
            "16777216TiB",
        ] {
            assert_eq!(text.parse::<ByteSize>(), Err(NotAQuantity), "{text}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, ms) in [
            ("0ms", 0),
            ("500ms", 500),
            ("10s", 10_000),
            ("5m", 300_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_millis(ms)),
                "{text}"
            );
        }
        for text in ["", "10", "s", "1.5s", "10 weeks", "18446744073709551615s"] {
            assert_eq!(parse_duration(text), Err(NotAQuantity), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_short_and_reads_back() {
        for text in [
            "0B", "5B", "1KiB", "62501KiB", "256MiB", "64MB", "1GiB", "1025MiB",
        ] {
            assert_eq!(text.parse::<ByteSize>().unwrap().to_string(), text);
        }
        for text in ["500ms", "10s", "90s", "1m", "2h", "30d"] {
            assert_eq!(
                ShowDuration(parse_duration(text).unwrap()).to_string(),
                text
            );
        }
        assert_eq!(ShowDuration(Duration::ZERO).to_string(), "0ms");
    }
}
