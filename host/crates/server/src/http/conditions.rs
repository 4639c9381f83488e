//! Conditional requests and parts of a value (RFC 9110, sections 13 and 14).

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, IF_MATCH, IF_NONE_MATCH, IF_RANGE, RANGE};

use super::problem::{Answer, Problem};

/// The entity tag of a value with that digest.
pub(super) fn etag(digest: u64) -> String {
    format!("\"{digest:016x}\"")
}

/// Entity tags that a header names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Tags {
    /// `*`: whatever is there.
    Any,
    /// Digests; tags that are none of ours are left out, as they match nothing.
    Digests(Vec<u64>),
}

impl Tags {
    fn of(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let mut digests = Vec::new();
        let mut values = headers.get_all(name).iter().peekable();
        values.peek()?;
        for value in values {
            for tag in value.to_str().unwrap_or_default().split(',').map(str::trim) {
                if tag == "*" {
                    return Some(Self::Any);
                }
                // A weak tag is no proof that a value is the same to the byte.
                let is_strong = name == IF_MATCH;
                let quoted = tag.strip_prefix("W/").filter(|_| !is_strong).unwrap_or(tag);
                let digits = quoted
                    .strip_prefix('"')
                    .and_then(|tag| tag.strip_suffix('"'));
                let digits = digits.filter(|digits| digits.len() == 16);
                digests.extend(digits.and_then(|digits| u64::from_str_radix(digits, 16).ok()));
            }
        }
        Some(Self::Digests(digests))
    }

    fn names(&self, digest: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Digests(digests) => digests.contains(&digest),
        }
    }
}

/// What a reader gets of a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// From the first byte to the last, that one included.
    Range(usize, usize),
    /// Nothing: it has what is there.
    NotModified,
    /// Nothing: what it asks for is not there.
    Unsatisfiable,
}

/// What a GET with that head gets of a value of `len` bytes.
pub(super) fn part(headers: &HeaderMap, digest: u64, len: usize) -> Answer<Part> {
    if Tags::of(headers, &IF_MATCH).is_some_and(|tags| !tags.names(digest)) {
        return Err(Problem::precondition());
    }
    if Tags::of(headers, &IF_NONE_MATCH).is_some_and(|tags| tags.names(digest)) {
        return Ok(Part::NotModified);
    }
    let is_same = headers
        .get(IF_RANGE)
        .is_none_or(|tag| tag.as_bytes() == etag(digest).as_bytes());
    let range = headers.get(RANGE).filter(|_| is_same);
    let range = range.and_then(|range| range.to_str().ok());
    Ok(range
        .and_then(|range| range_of(range, len))
        .unwrap_or(Part::Whole))
}

/// One range of bytes; `None` for what is no range, or several, which may be passed over.
fn range_of(range: &str, len: usize) -> Option<Part> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| -> Option<usize> {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // What is larger than any size is past the end.
        is_number.then(|| text.parse().unwrap_or(usize::MAX))
    };
    let (first, last) = match (first, last) {
        ("", suffix) => match number(suffix)? {
            0 => return Some(Part::Unsatisfiable),
            suffix => (len.saturating_sub(suffix), usize::MAX),
        },
        (first, "") => (number(first)?, usize::MAX),
        (first, last) => (number(first)?, number(last)?),
    };
    if last < first {
        return None;
    }
    Some(match first < len {
        true => Part::Range(first, last.min(len - 1)),
        false => Part::Unsatisfiable,
    })
}

/// What If-Match asks of a write, as arguments of CACHE.SET and DELEX.
pub(super) fn if_match(headers: &HeaderMap) -> Answer<Vec<Vec<u8>>> {
    match Tags::of(headers, &IF_MATCH) {
        None => Ok(Vec::new()),
        Some(Tags::Any) => Ok(vec![b"XX".to_vec()]),
        // A tag that is none of ours is nobody's.
        Some(Tags::Digests(tags)) if tags.is_empty() => Err(Problem::precondition()),
        Some(Tags::Digests(tags)) => one("IFDEQ", &tags),
    }
}

/// What If-None-Match asks of a write, as arguments of CACHE.SET.
pub(super) fn if_none_match(headers: &HeaderMap) -> Answer<Vec<Vec<u8>>> {
    match Tags::of(headers, &IF_NONE_MATCH) {
        None => Ok(Vec::new()),
        Some(Tags::Any) => Ok(vec![b"NX".to_vec()]),
        // Tags that are none of ours match nothing.
        Some(Tags::Digests(tags)) if tags.is_empty() => Ok(Vec::new()),
        Some(Tags::Digests(tags)) => one("IFDNE", &tags),
    }
}

fn one(word: &str, tags: &[u64]) -> Answer<Vec<Vec<u8>>> {
    match tags {
        [digest] => Ok(vec![word.into(), format!("{digest:016x}").into_bytes()]),
        _ => Err(Problem::bad(
            "a write depends on one entity tag of ours, or on *",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()));
        pairs.collect()
    }

    #[test]
    fn ranges_are_one_or_none() {
        for (range, expected) in [
            ("bytes=0-0", Part::Range(0, 0)),
            ("bytes=2-", Part::Range(2, 9)),
            ("bytes=-3", Part::Range(7, 9)),
            ("bytes=-30", Part::Range(0, 9)),
            ("bytes=8-99999999999999999999999", Part::Range(8, 9)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=-", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(
                part(&head(&[(RANGE, range)]), 1, 10).unwrap(),
                expected,
                "{range}"
            );
        }
        let stale = head(&[(RANGE, "bytes=0-0"), (IF_RANGE, "\"0000000000000002\"")]);
        assert_eq!(part(&stale, 1, 10).unwrap(), Part::Whole);
        assert_eq!(range_of("bytes=0-", 0), Some(Part::Unsatisfiable));
    }

    #[test]
    fn readers_are_told_when_they_have_it_already() {
        let (own, other) = ("\"0000000000000001\"", "\"0000000000000002\"");
        let ask = |pairs: &[(HeaderName, &str)]| part(&head(pairs), 1, 10);
        for list in [own, "*", &format!("{other}, W/{own}")] {
            assert_eq!(
                ask(&[(IF_NONE_MATCH, list)]).unwrap(),
                Part::NotModified,
                "{list}"
            );
            let is_strong = !list.contains("W/");
            assert_eq!(ask(&[(IF_MATCH, list)]).is_ok(), is_strong, "{list}");
        }
        for list in [other, "\"x\"", ""] {
            assert_eq!(
                ask(&[(IF_NONE_MATCH, list)]).unwrap(),
                Part::Whole,
                "{list}"
            );
            assert!(ask(&[(IF_MATCH, list)]).is_err(), "{list}");
        }
    }

    #[test]
    fn writes_depend_on_one_tag() {
        let own = "\"00000000000000ab\"";
        let words = |args: Answer<Vec<Vec<u8>>>| {
            let args = args.ok()?.join(&b' ');
            String::from_utf8(args).ok()
        };
        let yes = |text: &str| words(if_match(&head(&[(IF_MATCH, text)])));
        let no = |text: &str| words(if_none_match(&head(&[(IF_NONE_MATCH, text)])));
        assert_eq!(words(if_match(&HeaderMap::new())).as_deref(), Some(""));
        assert_eq!(yes("*").as_deref(), Some("XX"));
        assert_eq!(no("*").as_deref(), Some("NX"));
        assert_eq!(yes(own).as_deref(), Some("IFDEQ 00000000000000ab"));
        assert_eq!(no(own).as_deref(), Some("IFDNE 00000000000000ab"));
        let both = format!("{own}, \"0000000000000000\"");
        assert_eq!((yes(&both), no(&both)), (None, None));
        let foreign = "\"x\"";
        assert_eq!((yes(foreign), no(foreign).as_deref()), (None, Some("")));
    }
}
