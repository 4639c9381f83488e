//! A time to live by the beginning of the key.

use larder_sdk::{Policy, Question, Ttl, TtlAnswer, read_ttl};

larder_sdk::export! {
    name: "ttl-by-prefix",
    about: "A time to live by the beginning of the key, the longest beginning wins",
    ttl: TtlByPrefix,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Each "PREFIX: TTL", with a TTL such as 30s or never; the last colon ends the prefix.
    #[parameter(default = [])]
    pub rules: Vec<String>,
    /// The TTL of keys that no rule is for; empty to leave them as they are.
    #[parameter(default = "")]
    pub default: String,
}

/// The policy.
#[derive(Debug)]
pub struct TtlByPrefix {
    /// Longest prefix first.
    rules: Vec<(Vec<u8>, TtlAnswer)>,
    default: TtlAnswer,
}

impl Policy for TtlByPrefix {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let mut rules: Vec<(Vec<u8>, TtlAnswer)> = Vec::new();
        for rule in &parameters.rules {
            let (prefix, ttl) = read_rule(rule)?;
            if rules.iter().any(|(known, _)| known == prefix.as_bytes()) {
                return Err(format!("rule \"{rule}\": there is another for that prefix"));
            }
            rules.push((prefix.into(), ttl));
        }
        rules.sort_by_key(|(prefix, _)| usize::MAX - prefix.len());
        let default = match parameters.default.as_str() {
            "" => TtlAnswer::Keep,
            ttl => read_ttl(ttl).map_err(|why| format!("default: {why}"))?,
        };
        Ok(Self { rules, default })
    }
}

fn read_rule(rule: &str) -> Result<(&str, TtlAnswer), String> {
    let parts = rule.rsplit_once(':');
    let (prefix, ttl) = parts.ok_or_else(|| {
        format!("rule \"{rule}\": no colon: write PREFIX: TTL, such as \"session:: 30m\"")
    })?;
    let ttl = read_ttl(ttl).map_err(|why| format!("rule \"{rule}\": {why}"))?;
    Ok((prefix, ttl))
}

impl Ttl for TtlByPrefix {
    fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer {
        let key = question.key();
        let rule = self
            .rules
            .iter()
            .find(|(prefix, _)| key.starts_with(prefix));
        rule.map_or(self.default, |(_, ttl)| *ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(rules: &[&str], default: &str) -> Result<TtlByPrefix, String> {
        let parameters = Parameters {
            rules: rules.iter().map(|&rule| rule.into()).collect(),
            default: default.into(),
        };
        TtlByPrefix::new(parameters, 1)
    }

    fn ttl(policy: &mut TtlByPrefix, key: &str) -> TtlAnswer {
        policy.ttl(&Ask::key(key).ttl_ms(5).question())
    }

    #[test]
    fn the_longest_prefix_wins() {
        let rules = ["user:: 1h", "user:7:: 250ms", "user:7:name: never", "u: 2d"];
        let mut policy = policy(&rules, "").unwrap();
        assert_eq!(ttl(&mut policy, "user:8"), TtlAnswer::Millis(3_600_000));
        assert_eq!(ttl(&mut policy, "user:7:age"), TtlAnswer::Millis(250));
        assert_eq!(ttl(&mut policy, "user:7:name"), TtlAnswer::Never);
        assert_eq!(ttl(&mut policy, "ufo"), TtlAnswer::Millis(172_800_000));
        assert_eq!(ttl(&mut policy, "cart:1"), TtlAnswer::Keep);
    }

    #[test]
    fn the_default_is_for_the_rest_and_an_empty_prefix_for_all() {
        let mut some = policy(&["a: 1s"], "10m").unwrap();
        assert_eq!(ttl(&mut some, "b"), TtlAnswer::Millis(600_000));
        let mut all = policy(&[": 1s"], "10m").unwrap();
        assert_eq!(ttl(&mut all, ""), TtlAnswer::Millis(1000));
    }

    #[test]
    fn rules_that_cannot_be_read_are_named() {
        for (rules, default, reason) in [
            (&["session"][..], "", "rule \"session\": no colon"),
            (&["a: soon"], "", "rule \"a: soon\": \"soon\" is no TTL"),
            (&["a: 0s"], "", "\"0s\" is not from 1ms"),
            (&["a: 99999d"], "", "\"99999d\" is not from 1ms"),
            (&["a: 1s", "a: 2s"], "", "rule \"a: 2s\": there is another"),
            (&[], "30", "default: \"30\" is no TTL"),
        ] {
            let why = policy(rules, default).unwrap_err();
            assert!(why.contains(reason), "{why}");
        }
    }
}
