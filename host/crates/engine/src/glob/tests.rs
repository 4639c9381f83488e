use proptest::prelude::*;

use super::*;

fn matches(pattern: &[u8], text: &[u8]) -> bool {
    Pattern::new(pattern).matches(text)
}

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
    check("a*a", &["aa", "aba"], &["a", "ab"]);
    check("a*b*c", &["abc", "aXbYc", "abbcbc"], &["ab", "acb", "abcd"]);
    check("*a?c*c", &["abcc", "aabXaccc"], &["abc", "aabc", "acc"]);
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
    check("[*]*[?]", &["*?", "*a?"], &["a?", "*a"]);
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
    check("*\\**", &["*", "a*b"], &["", "ab"]);
}

/// Goes back to every star, as Redis does.
fn matches_slowly(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [b'*', rest @ ..] => (0..=text.len()).any(|skipped| matches_slowly(rest, &text[skipped..])),
        _ => match (split_element(pattern), text) {
            (None, _) => text.is_empty(),
            (Some((element, rest)), [byte, text @ ..]) => {
                element.fits(*byte) && matches_slowly(rest, text)
            }
            (Some(_), []) => false,
        },
    }
}

proptest! {
    #[test]
    fn whatever_way_is_taken_the_answer_is_the_same(
        pattern in r"[ab*?\[\]^\\-]{0,8}",
        text in "[ab]{0,12}",
    ) {
        let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(matches(pattern, text), matches_slowly(pattern, text));
    }

    #[test]
    fn pieces_are_found_where_they_are_first(
        piece in "[ab?]{1,100}",
        text in "[ab]{0,300}",
    ) {
        let all: Vec<Piece> = pieces(piece.as_bytes()).collect();
        let [piece] = &all[..] else { panic!("no star, one piece") };
        let mut places = text.as_bytes().windows(piece.len);
        let first = places.position(|place| piece.fits(place));
        let end = first.map(|start| start + piece.len);
        prop_assert_eq!(ByElement::new(piece).find(text.as_bytes()), end);
        prop_assert_eq!(Search::new(piece.clone()).find(text.as_bytes()), end);
    }

    #[test]
    fn a_class_has_the_members_that_fit(inside in r"[ab^\]\\-]{0,8}", byte: u8) {
        let class = Element::Class(inside.as_bytes());
        for byte in [byte, b'a', b'b', b'^', b'-', b'\\', b']'] {
            prop_assert_eq!(class.members()[usize::from(byte)], class.fits(byte));
        }
    }
}

/// Each of these takes more than a million times a million steps where every place is tried.
#[test]
fn what_nearly_fits_everywhere_stays_cheap() {
    let text = "a".repeat(65_000);
    for pattern in [
        "a*".repeat(200) + "b",
        format!("*{}b*", "a".repeat(1010)),
        format!("*{}[b]*", "?a".repeat(500)),
    ] {
        for _ in 0..20 {
            assert!(!matches(pattern.as_bytes(), text.as_bytes()));
        }
        assert!(matches(pattern.as_bytes(), (text.clone() + "b").as_bytes()));
    }
}

#[test]
fn effort_is_what_searching_takes() {
    for (pattern, expected) in [
        ("", 0),
        ("plain", 0),
        ("a*", 0),
        ("*[a-z]?", 0),
        ("a?*[b]", 0),
        ("**", 0),
        ("__key*__:*", 1),
        ("*a*b*", 2),
        ("*a?*b*", 1 + WORD_EFFORT),
        (&format!("*{}*", "?".repeat(65)), 2 * WORD_EFFORT),
    ] {
        assert_eq!(effort(pattern.as_bytes()), expected, "{pattern}");
    }
}

/// What takes its time is done once, not for each of many short texts.
#[test]
fn short_texts_are_compared_at_once_however_long_the_pattern_takes_to_prepare() {
    for pattern in [
        format!("*{}*", "?".repeat(1000)),
        format!("*{}*", "[a]".repeat(300)),
        format!("*[{}]*", "a".repeat(1000)),
        "*?".repeat(500),
    ] {
        let pattern = Pattern::new(pattern.as_bytes());
        for number in 0..100_000_u32 {
            assert!(
                !pattern.matches(&number.to_le_bytes()) || number.to_le_bytes().contains(&b'a')
            );
        }
    }
}
