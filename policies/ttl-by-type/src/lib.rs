//! A time to live by the type of the data that the client said.

use larder_sdk::{Policy, Question, Ttl, TtlAnswer, read_ttl};

larder_sdk::export! {
    name: "ttl-by-type",
    about: "A time to live by the type of the data, as the client said it",
    ttl: TtlByType,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Each "TYPE: TTL", with a TTL such as 30s or never; a type may end in * for all that begin
    /// so.
    #[parameter(default = [])]
    pub rules: Vec<String>,
    /// The TTL of types that no rule is for; empty to leave them as they are.
    #[parameter(default = "")]
    pub default: String,
    /// The TTL of values whose type was not said; empty to leave them as they are.
    #[parameter(default = "")]
    pub untyped: String,
}

/// The policy.
#[derive(Debug)]
pub struct TtlByType {
    /// The one that wins comes first.
    rules: Vec<(Types, TtlAnswer)>,
    default: TtlAnswer,
    untyped: TtlAnswer,
}

/// What a rule is for.
#[derive(Debug, PartialEq, Eq)]
struct Types {
    text: Vec<u8>,
    /// Whether it is for all that begin with `text`, or for that alone.
    is_beginning: bool,
}

impl Policy for TtlByType {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let mut rules: Vec<(Types, TtlAnswer)> = Vec::new();
        for rule in &parameters.rules {
            let (types, ttl) = read_rule(rule).map_err(|why| format!("rule \"{rule}\": {why}"))?;
            if rules.iter().any(|(known, _)| *known == types) {
                return Err(format!("rule \"{rule}\": there is another for that type"));
            }
            rules.push((types, ttl));
        }
        rules.sort_by_key(|(types, _)| (usize::MAX - types.text.len(), types.is_beginning));
        let read = |name: &str, text: &str| match text {
            "" => Ok(TtlAnswer::Keep),
            ttl => read_ttl(ttl).map_err(|why| format!("{name}: {why}")),
        };
        Ok(Self {
            rules,
            default: read("default", &parameters.default)?,
            untyped: read("untyped", &parameters.untyped)?,
        })
    }
}

fn read_rule(rule: &str) -> Result<(Types, TtlAnswer), String> {
    let parts = rule.rsplit_once(':');
    let (types, ttl) = parts.ok_or("no colon: write TYPE: TTL, such as \"session: 30m\"")?;
    let types = types.trim();
    let beginning = types.strip_suffix('*');
    if types.is_empty() {
        return Err("no type: the TTL of values without one is `untyped`".into());
    }
    let types = Types {
        text: beginning.unwrap_or(types).into(),
        is_beginning: beginning.is_some(),
    };
    Ok((types, read_ttl(ttl)?))
}

impl Types {
    fn has(&self, data_type: &[u8]) -> bool {
        match self.is_beginning {
            true => data_type.starts_with(&self.text),
            false => data_type == self.text,
        }
    }
}

impl Ttl for TtlByType {
    fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer {
        let data_type = question.data_type();
        if data_type.is_empty() {
            return self.untyped;
        }
        let rule = self.rules.iter().find(|(types, _)| types.has(data_type));
        rule.map_or(self.default, |(_, ttl)| *ttl)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(rules: &[&str], default: &str, untyped: &str) -> Result<TtlByType, String> {
        let parameters = Parameters {
            rules: rules.iter().map(|&rule| rule.into()).collect(),
            default: default.into(),
            untyped: untyped.into(),
        };
        TtlByType::new(parameters, 1)
    }

    fn ttl(policy: &mut TtlByType, data_type: &str) -> TtlAnswer {
        let mut ask = Ask::key("session:1").data_type(data_type).ttl_ms(5);
        policy.ttl(&ask.question())
    }

    #[test]
    fn the_type_itself_wins_then_the_longest_beginning() {
        let rules = [
            "img*: 1h",
            "image/*: 2h",
            "image/svg*: 3h",
            "image/svg: 4h",
            "a:b : never",
        ];
        let mut policy = policy(&rules, "", "").unwrap();
        let mut hours = |data_type| match ttl(&mut policy, data_type) {
            TtlAnswer::Millis(ttl_ms) => ttl_ms / 3_600_000,
            other => panic!("{other:?} for {data_type}"),
        };
        assert_eq!(["img", "image/png"].map(&mut hours), [1, 2]);
        assert_eq!(["image/svg+xml", "image/svg"].map(&mut hours), [3, 4]);
        assert_eq!(ttl(&mut policy, "a:b"), TtlAnswer::Never);
        assert_eq!(ttl(&mut policy, "a:bc"), TtlAnswer::Keep);
        assert_eq!(ttl(&mut policy, "session"), TtlAnswer::Keep);
    }

    #[test]
    fn the_default_is_for_other_types_and_not_for_none() {
        let mut both = policy(&["json: 1s"], "10m", "7ms").unwrap();
        assert_eq!(ttl(&mut both, "html"), TtlAnswer::Millis(600_000));
        assert_eq!(ttl(&mut both, ""), TtlAnswer::Millis(7));
        let mut all = policy(&["*: 1s"], "10m", "").unwrap();
        assert_eq!(ttl(&mut all, "html"), TtlAnswer::Millis(1000));
        assert_eq!(ttl(&mut all, ""), TtlAnswer::Keep);
    }

    #[test]
    fn rules_that_cannot_be_read_are_named() {
        for (rules, default, untyped, reason) in [
            (&["json"][..], "", "", "rule \"json\": no colon"),
            (&[": 1s"], "", "", "rule \": 1s\": no type"),
            (&["a: soon"], "", "", "rule \"a: soon\": \"soon\" is no TTL"),
            (&["a: 0s"], "", "", "\"0s\" is not from 1ms"),
            (&["a*: 1s", "a* : 2s"], "", "", "there is another"),
            (&[], "30", "", "default: \"30\" is no TTL"),
            (&[], "", "99999d", "untyped: \"99999d\" is not from"),
        ] {
            let why = policy(rules, default, untyped).unwrap_err();
            assert!(why.contains(reason), "{why}");
        }
        assert!(policy(&["a: 1s", "a*: 2s"], "", "").is_ok());
    }
}
