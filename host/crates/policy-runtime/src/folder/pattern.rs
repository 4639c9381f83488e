//! Patterns of keys in side-cars.

use larder_engine::glob;

/// Longest pattern, in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 256;

/// A pattern of keys: `*` stands for any bytes, `?` for any one.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    prepared: glob::Pattern,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

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
        Ok(Self {
            text: text.to_owned(),
            prepared: glob::Pattern::new(text.as_bytes()),
        })
    }

    /// As it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether all of `key` matches.
    #[inline]
    pub(crate) fn matches(&self, key: &[u8]) -> bool {
        self.prepared.matches(key)
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
