//! Patterns of keys in side-cars.

use larder_engine::glob;

/// Longest pattern, in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 256;

/// A pattern of keys: `*` stands for any bytes, `?` for any one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    /// Takes a pattern as it was written.
    ///
    /// # Errors
    /// When it is empty, too long, or uses what has no meaning yet.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        if !(1..=PATTERN_BYTES_MAX).contains(&text.len()) {
            return Err(format!(
                "has {} bytes; allowed: 1 to {PATTERN_BYTES_MAX}",
                text.len()
            ));
        }
        if text.contains(['[', ']', '\\']) {
            return Err("may hold * and ?, but no [, ] or \\".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether all of `key` matches.
    #[inline]
    pub(crate) fn matches(&self, key: &[u8]) -> bool {
        glob::matches(self.0.as_bytes(), key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_meaning_is_refused() {
        for pattern in ["", "a[bc]", "a\\*", &"x".repeat(257)] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
