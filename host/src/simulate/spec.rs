//! How policies are named on the command line.

use std::str::FromStr;

/// `NAME` or `FILE.wasm` with `:param=value,…` behind it; several, which stand together, with `+`
/// between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    /// As it was given.
    pub(super) text: String,
    pub(super) pieces: Vec<Piece>,
}

/// One policy and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// A name, or a file.
    pub(super) policy: String,
    pub(super) parameters: Vec<(String, String)>,
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self {
            text: text.to_owned(),
            pieces: split(text, '+').map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

impl FromStr for Piece {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end_of_file = text.find(".wasm").map(|at| at + ".wasm".len());
        let from = end_of_file.unwrap_or(0);
        let (policy, parameters) = match text[from..].find(':') {
            Some(at) => (&text[..from + at], &text[from + at + 1..]),
            None => (text, ""),
        };
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in split(parameters, ',').filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(format!("'{pair}' has to be a parameter=value"));
            };
            let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
            if pairs.iter().any(|(before, _)| *before == name) {
                return Err(format!("'{name}' is given twice; leave one of them out"));
            }
            pairs.push((name, value));
        }
        Ok(Self {
            // In quotes a file's name may have a plus sign.
            policy: policy.trim_matches('"').to_owned(),
            parameters: pairs,
        })
    }
}

/// Splits at a character where it stands neither in quotes nor in brackets.
fn split(text: &str, at: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_listed) = (false, false);
    text.split(move |c| {
        match c {
            '"' => is_quoted = !is_quoted,
            '[' | ']' if !is_quoted => is_listed = c == '[',
            _ => {}
        }
        c == at && !is_quoted && !is_listed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Vec<(String, String)>)> {
        let spec: Spec = text.parse().unwrap();
        let pieces = spec.pieces.into_iter();
        pieces
            .map(|piece| (piece.policy, piece.parameters))
            .collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_piece_is_a_name_or_a_file_with_parameters() {
        assert_eq!(read("lru"), [("lru".to_owned(), vec![])]);
        let parameters = vec![pair("small_percent", "20"), pair("ghost_percent", "10")];
        assert_eq!(
            read("s3-fifo:small_percent=20,ghost_percent=10"),
            [("s3-fifo".to_owned(), parameters)]
        );
        assert_eq!(
            read("a:b/c.wasm:x=1"),
            [("a:b/c.wasm".to_owned(), vec![pair("x", "1")])]
        );
        assert!("lru:x".parse::<Spec>().unwrap_err().contains("'x'"));
    }

    #[test]
    fn lists_and_quotes_hold_together() {
        let rules = r#"["prefix a+b: 9", "x,]y: 1"]"#;
        let text = format!("business-priority:rules={rules},floor=1+lru");
        let parameters = vec![pair("rules", rules), pair("floor", "1")];
        let first = ("business-priority".to_owned(), parameters);
        assert_eq!(read(&text), [first, ("lru".to_owned(), vec![])]);
    }

    #[test]
    fn policies_stand_together() {
        let gate = ("size-gate".to_owned(), vec![pair("max_bytes", "4KiB")]);
        let lru = ("c/lru.wasm".to_owned(), vec![]);
        let plus = ("c++.wasm".to_owned(), vec![pair("x", "1")]);
        assert_eq!(read("\"c++.wasm\":x=1+c/lru.wasm"), [plus, lru.clone()]);
        assert_eq!(read("size-gate:max_bytes=4KiB+c/lru.wasm"), [gate, lru]);
    }
}
