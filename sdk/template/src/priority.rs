//! What a value is worth: here more for customers with a plan, and more the longer it took to make.

use larder_sdk::{Policy, Priority, Question};

larder_sdk::export! {
    name: "{{name}}",
    about: "Customers with a plan first, then what was dear to make",
    priority: {{Name}},
}

/// What can be set in `{{name}}.toml` beside the policy.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// The plan that is worth most, as the client says with ATTR plan.
    #[parameter(default = "gold")]
    pub best_plan: String,
    /// What is worth as much without a plan: a cost in milliseconds.
    #[parameter(default = 200, min = 1)]
    pub dear_ms: u64,
}

/// The policy. Each thread of the server has one.
#[derive(Debug)]
pub struct {{Name}} {
    parameters: Parameters,
}

impl Policy for {{Name}} {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        Ok(Self { parameters })
    }
}

impl Priority for {{Name}} {
    fn priority(&mut self, question: &Question<'_>) -> u8 {
        if question.attribute(b"plan") == Some(self.parameters.best_plan.as_bytes()) {
            return 255;
        }
        let dear_ms = self.parameters.dear_ms;
        let cost_ms = question.cost_ms().unwrap_or(0).min(dear_ms);
        (255 * u128::from(cost_ms) / u128::from(dear_ms)) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    #[test]
    fn plans_and_costs_raise_the_priority() {
        let mut policy = {{Name}}::new(Parameters::default(), 1).unwrap();
        let mut priority = |mut ask: Ask| policy.priority(&ask.question());
        assert_eq!(priority(Ask::key("a")), 0);
        assert_eq!(priority(Ask::key("a").cost_ms(100)), 127);
        assert_eq!(priority(Ask::key("a").cost_ms(u64::MAX)), 255);
        assert_eq!(priority(Ask::key("a").attribute("plan", "gold")), 255);
        assert_eq!(priority(Ask::key("a").attribute("plan", "free")), 0);
    }
}
