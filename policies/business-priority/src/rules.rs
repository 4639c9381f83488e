//! The priority of a value, by rules.

use larder_sdk::{Policy, Priority, Question};

use crate::Parameters;

/// Says what a value is worth.
#[derive(Debug)]
pub struct Rules {
    /// Highest priority first.
    rules: Vec<(What, u8)>,
    default: u8,
}

/// What a rule is about.
#[derive(Debug)]
enum What {
    Tenant(Vec<u8>),
    Type(Vec<u8>),
    Tag(Vec<u8>),
    Attribute { name: Vec<u8>, value: Vec<u8> },
    Prefix(Vec<u8>),
}

impl Policy for Rules {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let rules = parameters
            .rules
            .iter()
            .map(|rule| read(rule).map_err(|why| format!("rule \"{rule}\": {why}")));
        let mut rules: Vec<_> = rules.collect::<Result<_, _>>()?;
        rules.sort_by_key(|(_, priority)| u8::MAX - priority);
        Ok(Self {
            rules,
            default: parameters.default,
        })
    }
}

fn read(rule: &str) -> Result<(What, u8), String> {
    let (condition, priority) = rule
        .rsplit_once(':')
        .ok_or("no colon: write WHAT TEXT: PRIORITY, such as \"tag vip: 255\"")?;
    let priority = priority.trim();
    let priority = priority
        .parse()
        .map_err(|_| format!("\"{priority}\" is no priority from 0 to 255"))?;
    let (what, text) = condition.split_once(' ').unwrap_or((condition, ""));
    let bytes = text.as_bytes().to_vec();
    let what = match what {
        "tenant" => What::Tenant(bytes),
        "type" => What::Type(bytes),
        "tag" => What::Tag(bytes),
        "prefix" => What::Prefix(bytes),
        "attribute" => {
            let (name, value) = text
                .split_once('=')
                .ok_or("an attribute is NAME=VALUE, such as \"attribute plan=gold: 220\"")?;
            What::Attribute {
                name: name.into(),
                value: value.into(),
            }
        }
        _ => {
            let message = "is none of tenant, type, tag, attribute and prefix";
            return Err(format!("\"{what}\" {message}"));
        }
    };
    Ok((what, priority))
}

impl What {
    fn fits(&self, question: &Question<'_>) -> bool {
        match self {
            Self::Tenant(tenant) => question.tenant() == tenant,
            Self::Type(data_type) => question.data_type() == data_type,
            Self::Tag(tag) => question.tags().any(|found| found == tag),
            Self::Attribute { name, value } => question.attribute(name) == Some(value),
            Self::Prefix(prefix) => question.key().starts_with(prefix),
        }
    }
}

impl Priority for Rules {
    fn priority(&mut self, question: &Question<'_>) -> u8 {
        let rule = self.rules.iter().find(|(what, _)| what.fits(question));
        rule.map_or(self.default, |(_, priority)| *priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn policy(rules: &[&str]) -> Result<Rules, String> {
        let parameters = Parameters {
            rules: rules.iter().map(|&rule| rule.into()).collect(),
            ..Parameters::default()
        };
        Rules::new(parameters, 1)
    }

    #[test]
    fn the_highest_rule_that_fits_wins() {
        let mut rules = policy(&[
            "tenant shop: 50",
            "type session: 200",
            "tag vip: 255",
            "attribute plan=gold: 220",
            "prefix cart:: 180",
            "prefix a b=c: 7: 9",
        ])
        .unwrap();
        let mut priority = |mut ask: Ask| rules.priority(&ask.question());
        assert_eq!(priority(Ask::key("x")), 100);
        assert_eq!(priority(Ask::key("x").tenant("shop")), 50);
        assert_eq!(priority(Ask::key("cart:1").tenant("shop")), 180);
        assert_eq!(priority(Ask::key("cart")), 100);
        assert_eq!(priority(Ask::key("cart:1").data_type("session")), 200);
        assert_eq!(priority(Ask::key("x").attribute("plan", "gold")), 220);
        assert_eq!(priority(Ask::key("x").attribute("plan", "golden")), 100);
        assert_eq!(
            priority(Ask::key("x").attribute("plan", "gold").tag("a").tag("vip")),
            255
        );
        assert_eq!(priority(Ask::key("a b=c: 7")), 9);
    }

    #[test]
    fn rules_that_cannot_be_read_are_named() {
        for (rule, reason) in [
            ("tag vip", "rule \"tag vip\": no colon"),
            ("tag vip: 256", "\"256\" is no priority from 0 to 255"),
            ("tag vip: high", "\"high\" is no priority"),
            ("cart:: 9", "\"cart:\" is none of tenant, type"),
            ("attribute plan: 9", "an attribute is NAME=VALUE"),
        ] {
            let why = policy(&[rule]).unwrap_err();
            assert!(why.contains(reason), "{why}");
        }
    }
}
