//! Patterns of keys, several in one setting.

use larder_engine::glob::PATTERN_BYTES_MAX;

use super::kinds::Kind;

/// Each request may be compared with all of them.
const PATTERNS_MAX: usize = 64;

/// Patterns with blanks between them. One with a blank has `?` for it.
pub(super) struct Patterns;

impl Kind for Patterns {
    type Value = Vec<String>;

    fn read(&self, text: &str) -> Option<Vec<String>> {
        let patterns: Vec<_> = text.split_whitespace().map(str::to_owned).collect();
        let fit = patterns
            .iter()
            .all(|pattern| pattern.len() <= PATTERN_BYTES_MAX);
        (fit && (1..=PATTERNS_MAX).contains(&patterns.len())).then_some(patterns)
    }

    fn write(&self, value: &Vec<String>) -> String {
        value.join(" ")
    }

    fn allowed(&self) -> String {
        format!(
            "up to {PATTERNS_MAX} patterns of keys with blanks between them, such as \"lock:* count:*\""
        )
    }

    fn placeholder(&self) -> &'static str {
        "PATTERNS"
    }
}
