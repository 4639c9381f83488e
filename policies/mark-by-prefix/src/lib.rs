//! What is a secret, by the beginning of the key.

use larder_sdk::{Policy, Question, Security, SecurityAnswer};

larder_sdk::export! {
    name: "mark-by-prefix",
    about: "Values whose keys begin so are secrets: sealed, and shown to nobody but their readers",
    security: MarkByPrefix,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// What the keys of secrets begin with.
    #[parameter(default = [])]
    pub prefixes: Vec<String>,
    /// What keys begin with that are no secrets all the same; the longest beginning of both lists wins.
    #[parameter(default = [])]
    pub except: Vec<String>,
}

/// The policy.
#[derive(Debug)]
pub struct MarkByPrefix {
    /// Longest prefix first.
    rules: Vec<(Vec<u8>, SecurityAnswer)>,
}

impl Policy for MarkByPrefix {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let Parameters { prefixes, except } = parameters;
        if let Some(twice) = prefixes.iter().find(|prefix| except.contains(prefix)) {
            return Err(format!("\"{twice}\" is in prefixes and in except"));
        }
        let secret = prefixes
            .into_iter()
            .map(|prefix| (prefix, SecurityAnswer::High));
        let open = except
            .into_iter()
            .map(|prefix| (prefix, SecurityAnswer::Keep));
        let rules = secret.chain(open);
        let mut rules: Vec<_> = rules
            .map(|(prefix, answer)| (prefix.into_bytes(), answer))
            .collect();
        rules.sort_by_key(|(prefix, _)| usize::MAX - prefix.len());
        Ok(Self { rules })
    }
}

impl Security for MarkByPrefix {
    fn security(&mut self, question: &Question<'_>) -> SecurityAnswer {
        let key = question.key();
        let mut rules = self.rules.iter();
        let rule = rules.find(|(prefix, _)| key.starts_with(prefix));
        rule.map_or(SecurityAnswer::Keep, |(_, answer)| *answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(prefixes: &[&str], except: &[&str]) -> Result<MarkByPrefix, String> {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let parameters = Parameters {
            prefixes: texts(prefixes),
            except: texts(except),
        };
        MarkByPrefix::new(parameters, 1)
    }

    fn is_secret(policy: &mut MarkByPrefix, key: &str) -> bool {
        policy.security(&Ask::key(key).question()) == SecurityAnswer::High
    }

    #[test]
    fn the_longest_prefix_wins() {
        let mut policy = policy(&["user:", "user:7:name:first"], &["user:7:name"]).unwrap();
        assert!(is_secret(&mut policy, "user:8"));
        assert!(!is_secret(&mut policy, "user:7:name"));
        assert!(is_secret(&mut policy, "user:7:name:first"));
        assert!(!is_secret(&mut policy, "cart:1"));
        assert!(!is_secret(&mut policy, ""));
    }

    #[test]
    fn without_prefixes_nothing_is_a_secret_and_with_an_empty_one_all_is() {
        assert!(!is_secret(&mut policy(&[], &[]).unwrap(), "a"));
        let mut all = policy(&[""], &["page:"]).unwrap();
        assert!(is_secret(&mut all, "") && is_secret(&mut all, "a"));
        assert!(!is_secret(&mut all, "page:1"));
    }

    #[test]
    fn what_is_in_both_lists_is_named() {
        let why = policy(&["a", "b"], &["b"]).unwrap_err();
        assert!(why.contains("\"b\" is in prefixes and in except"), "{why}");
    }
}
