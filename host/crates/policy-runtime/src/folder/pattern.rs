//! Patterns of keys in side-cars.

/// Longest pattern, in bytes: with keys of 64 KiB it bounds the work of a match.
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

    /// Whether all of `key` matches. Only the last `*` is ever gone back to, so the work is at most
    /// the product of both lengths.
    #[inline]
    pub(crate) fn matches(&self, key: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        if pattern == b"*" {
            return true;
        }
        let (mut p, mut k) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        while k < key.len() {
            match pattern.get(p) {
                Some(b'*') => {
                    p += 1;
                    retry = Some((p, k));
                }
                Some(&byte) if byte == b'?' || byte == key[k] => {
                    p += 1;
                    k += 1;
                }
                _ => {
                    // The star takes one byte more.
                    let Some((after_star, from)) = retry else {
                        return false;
                    };
                    p = after_star;
                    k = from + 1;
                    retry = Some((p, k));
                }
            }
        }
        pattern[p..].iter().all(|&byte| byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_people_expect() {
        for (pattern, yes, no) in [
            ("*", &["", "a", "any thing"][..], &[][..]),
            ("user:*", &["user:", "user:1:x"], &["", "user", "xuser:1"]),
            ("*:tmp", &[":tmp", "a:tmp", "a:tmp:tmp"], &["a:tmp:", "tmp"]),
            ("a*b*c", &["abc", "aXbYc", "abbcbc"], &["ab", "acb", "abcd"]),
            ("h?llo", &["hello", "hallo"], &["hllo", "heello"]),
            ("*?", &["a", "ab"], &[""]),
        ] {
            let matches = Pattern::new(pattern).unwrap();
            yes.iter()
                .for_each(|key| assert!(matches.matches(key.as_bytes()), "{pattern} ~ {key}"));
            no.iter()
                .for_each(|key| assert!(!matches.matches(key.as_bytes()), "{pattern} !~ {key}"));
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = Pattern::new(&("a*".repeat(127) + "b")).unwrap();
        assert!(!pattern.matches("a".repeat(60_000).as_bytes()));
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        for pattern in ["", "a[bc]", "a\\*", &"x".repeat(257)] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
