//! Whether a value is kept at all: here what is small, and what was dear to make.

use larder_sdk::{Policy, Question, ShouldCache, Size};

larder_sdk::export! {
    name: "{{name}}",
    about: "Keeps what is small, and what was dear to make",
    should_cache: {{Name}},
}

/// What can be set in `{{name}}.toml` beside the policy.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// The largest value that is kept whatever it cost.
    #[parameter(default = "64KiB")]
    pub small: Size,
    /// What a larger one must have cost, in milliseconds, as the client says with COST.
    #[parameter(default = 20)]
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

impl ShouldCache for {{Name}} {
    fn should_cache(&mut self, question: &Question<'_>) -> bool {
        let small = question.value_bytes() <= self.parameters.small.0;
        let dear = |cost_ms| cost_ms >= self.parameters.dear_ms;
        small || question.cost_ms().is_some_and(dear)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    #[test]
    fn what_is_small_or_dear_is_kept() {
        let mut policy = {{Name}}::new(Parameters::default(), 1).unwrap();
        let large = || Ask::key("report:7").value_bytes(100_000);
        assert!(policy.should_cache(&Ask::key("a").value_bytes(100).question()));
        assert!(!policy.should_cache(&large().question()));
        assert!(!policy.should_cache(&large().cost_ms(19).question()));
        assert!(policy.should_cache(&large().cost_ms(20).question()));
    }
}
