//! Sizes of caches.

use std::str::FromStr;

use crate::config::ByteSize;

/// A part of a trace's footprint, or bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Size {
    /// As it was given.
    pub(super) text: String,
    amount: Amount,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Amount {
    Percent(f64),
    Bytes(u64),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "'{text}' is no size: it has to be a part of the footprint such as 0.1%, bytes \
                 such as 64MiB, or a number of bytes (of objects, where a trace knows no sizes)"
            )
        };
        let amount = match text.strip_suffix('%') {
            Some(percent) => Amount::Percent(percent.trim().parse().map_err(|_| wrong())?),
            None => match text.parse() {
                Ok(bytes) => Amount::Bytes(bytes),
                Err(_) => Amount::Bytes(text.parse::<ByteSize>().map_err(|_| wrong())?.bytes()),
            },
        };
        let is_some = match amount {
            Amount::Percent(percent) => percent > 0.0 && percent.is_finite(),
            Amount::Bytes(bytes) => bytes > 0,
        };
        if !is_some {
            return Err(format!(
                "'{text}' is no size: it has to be more than nothing"
            ));
        }
        Ok(Self {
            text: text.to_owned(),
            amount,
        })
    }
}

impl Size {
    /// Bytes of a cache for a trace with that footprint; at least one.
    pub(super) fn capacity_bytes(&self, footprint_bytes: u64) -> u64 {
        match self.amount {
            // Divided last: 0.29 × 100 is 28.999999999999996.
            Amount::Percent(percent) => ((percent * footprint_bytes as f64 / 100.0) as u64).max(1),
            Amount::Bytes(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_and_bytes() {
        let capacity = |text: &str| text.parse::<Size>().unwrap().capacity_bytes(258_368);
        assert_eq!(capacity("0.1%"), 258);
        assert_eq!(capacity("10%"), 25_836);
        assert_eq!(capacity("0.00001%"), 1);
        assert_eq!("29%".parse::<Size>().unwrap().capacity_bytes(100), 29);
        assert_eq!(capacity("1000"), 1000);
        assert_eq!(capacity("64MiB"), 64 << 20);
        for wrong in ["", "0", "0%", "-1%", "x%", "inf%", "12parsecs", "0MiB"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
