//! Whether a value is a secret: here what has one of some types.

use larder_sdk::{Policy, Question, Security, SecurityAnswer};

larder_sdk::export! {
    name: "{{name}}",
    about: "Seals values of certain types",
    security: {{Name}},
}

/// What can be set in `{{name}}.toml` beside the policy.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Types of values that are secrets, as the client says with TYPE.
    #[parameter(default = ["token", "session"])]
    pub types: Vec<String>,
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

impl Security for {{Name}} {
    fn security(&mut self, question: &Question<'_>) -> SecurityAnswer {
        let mut types = self.parameters.types.iter();
        match types.any(|name| name.as_bytes() == question.data_type()) {
            true => SecurityAnswer::High,
            false => SecurityAnswer::Keep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    #[test]
    fn what_has_one_of_the_types_is_a_secret() {
        let mut policy = {{Name}}::new(Parameters::default(), 1).unwrap();
        let mut security = |mut ask: Ask| policy.security(&ask.question());
        assert_eq!(security(Ask::key("a").data_type("token")), SecurityAnswer::High);
        assert_eq!(security(Ask::key("a").data_type("page")), SecurityAnswer::Keep);
        assert_eq!(security(Ask::key("a")), SecurityAnswer::Keep);
    }
}
