//! For how long a value is kept: here at most so long, and sessions shorter.

use std::time::Duration;

use larder_sdk::{Policy, Question, Ttl, TtlAnswer};

larder_sdk::export! {
    name: "{{name}}",
    about: "A longest time to live, and a shorter one for sessions",
    ttl: {{Name}},
}

/// What can be set in `{{name}}.toml` beside the policy.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// The longest that anything is kept.
    #[parameter(default = "1d", min = "1s", max = "365d")]
    pub longest: Duration,
    /// The longest that a session is kept.
    #[parameter(default = "30m", min = "1s", max = "365d")]
    pub session: Duration,
}

/// The policy. Each thread of the server has one.
#[derive(Debug)]
pub struct {{Name}} {
    parameters: Parameters,
}

impl Policy for {{Name}} {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        if parameters.session > parameters.longest {
            return Err("session is longer than longest".into());
        }
        Ok(Self { parameters })
    }
}

impl Ttl for {{Name}} {
    fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer {
        let longest = match question.key().starts_with(b"session:") {
            true => self.parameters.session,
            false => self.parameters.longest,
        };
        let longest_ms = longest.as_millis() as u64;
        match question.ttl_ms() {
            Some(asked_ms) if asked_ms <= longest_ms => TtlAnswer::Keep,
            _ => TtlAnswer::Millis(longest_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    #[test]
    fn nothing_lives_longer_than_it_may() {
        let mut policy = {{Name}}::new(Parameters::default(), 1).unwrap();
        let mut ttl = |mut ask: Ask| policy.ttl(&ask.question());
        assert_eq!(ttl(Ask::key("a")), TtlAnswer::Millis(86_400_000));
        assert_eq!(ttl(Ask::key("a").ttl_ms(1000)), TtlAnswer::Keep);
        assert_eq!(ttl(Ask::key("session:7")), TtlAnswer::Millis(1_800_000));
    }
}
