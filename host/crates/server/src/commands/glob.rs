//! Redis's glob patterns (`stringmatchlen`): `*`, `?`, `[a-z]`, `[^a]` and `\` to escape.
//!
//! Only the last `*` is ever gone back to, so the work is at most pattern length × text length,
//! where recursion over every `*` would be exponential.

/// Longest pattern that commands accept, in bytes: with keys of 64 KiB it bounds the work of a
/// match.
pub(crate) const PATTERN_BYTES_MAX: usize = 1024;

/// Whether all of `text` matches `pattern`, byte by byte and case-sensitive.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
        } else if let Some(next) = match_one(pattern, p, text[t]) {
            p = next;
            t += 1;
        } else if let Some((after_star, from)) = retry {
            // The star takes one byte more.
            p = after_star;
            t = from + 1;
            retry = Some((p, t));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte against the element at `p`, which is no star: where the next element starts, or
/// `None` when it does not match.
fn match_one(pattern: &[u8], p: usize, byte: u8) -> Option<usize> {
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => match_class(pattern, p + 1, byte),
        b'\\' if p + 1 < pattern.len() => (pattern[p + 1] == byte).then_some(p + 2),
        literal => (literal == byte).then_some(p + 1),
    }
}

/// Matches one byte against the class whose inside starts at `p`. As in Redis a class that is not
/// closed ends with the pattern, and a range may be given backwards.
fn match_class(pattern: &[u8], mut p: usize, byte: u8) -> Option<usize> {
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut found = false;
    let end = loop {
        match pattern[p..] {
            [] => break p,
            [b'\\', escaped, ..] => {
                found |= escaped == byte;
                p += 2;
            }
            [b']', ..] => break p + 1,
            [a, b'-', b, ..] => {
                found |= (a.min(b)..=a.max(b)).contains(&byte);
                p += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                p += 1;
            }
        }
    };
    (found != negated).then_some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        for text in yes {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "'{pattern}' ~ '{text}'"
            );
        }
        for text in no {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "'{pattern}' !~ '{text}'"
            );
        }
    }

    #[test]
    fn stars_and_question_marks() {
        check("", &[""], &["a"]);
        check("*", &["", "a", "any thing"], &[]);
        check("**", &["", "ab"], &[]);
        check("a*", &["a", "abc"], &["", "ba"]);
        check("*a", &["a", "bca"], &["ab", ""]);
        check("a*b*c", &["abc", "aXbYc", "abbcbc"], &["ab", "acb", "abcd"]);
        check("h?llo", &["hello", "hallo"], &["hllo", "heello"]);
        check("?", &["a"], &["", "ab"]);
        check("*?", &["a", "ab"], &[""]);
    }

    #[test]
    fn classes() {
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo"], &["hello"]);
        check("[a-c]x", &["ax", "bx", "cx"], &["dx", "-x"]);
        check("[c-a]", &["b"], &["-", "d"]);
        check("[a\\]]", &["a", "]"], &["\\"]);
        check("[a-]]", &["a", "]", "_"], &["-", "a]"]);
        check("[]a]", &[], &["a]", "]", "a"]);
        check("*[0-9]", &["k1", "k12"], &["k", "k1x"]);
    }

    #[test]
    fn unfinished_patterns() {
        check("[abc", &["a", "c"], &["d", "[abc"]);
        check("[", &[], &["[", "a", ""]);
        check("[^", &["a"], &[""]);
        check("a\\", &["a\\"], &["a"]);
    }

    #[test]
    fn escapes() {
        check("\\*", &["*"], &["a", "\\*"]);
        check("a\\?c", &["a?c"], &["abc"]);
        check("\\\\", &["\\"], &["\\\\"]);
    }

    /// A recursive matcher would not end on this in a lifetime.
    #[test]
    fn many_stars_stay_cheap() {
        let pattern = "a*".repeat(200) + "b";
        let text = "a".repeat(60_000);
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
        assert!(matches(pattern.as_bytes(), (text + "b").as_bytes()));
    }
}
