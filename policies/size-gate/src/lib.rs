//! Keeps values of a certain size only.

use larder_sdk::{Policy, Question, ShouldCache, Size};

larder_sdk::export! {
    name: "size-gate",
    about: "Keeps values of a certain size only",
    should_cache: SizeGate,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// The largest value that is kept.
    #[parameter(default = "1MiB")]
    pub max_bytes: Size,
    /// The smallest value that is kept.
    #[parameter(default = "0B")]
    pub min_bytes: Size,
}

/// The policy.
#[derive(Debug)]
pub struct SizeGate(Parameters);

impl Policy for SizeGate {
    type Parameters = Parameters;

    fn new(parameters: Parameters, _seed: u64) -> Result<Self, String> {
        let (Size(min), Size(max)) = (parameters.min_bytes, parameters.max_bytes);
        if min > max {
            return Err(format!(
                "min_bytes ({min}) is above max_bytes ({max}): nothing would be kept"
            ));
        }
        Ok(Self(parameters))
    }
}

impl ShouldCache for SizeGate {
    fn should_cache(&mut self, question: &Question<'_>) -> bool {
        let size = Size(question.value_bytes());
        (self.0.min_bytes..=self.0.max_bytes).contains(&size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::testing::Ask;

    fn keeps(gate: &mut SizeGate, bytes: u64) -> bool {
        gate.should_cache(&Ask::key("k").value_bytes(bytes).question())
    }

    #[test]
    fn both_limits_are_kept() {
        let parameters = Parameters {
            max_bytes: Size(100),
            min_bytes: Size(10),
        };
        let mut gate = SizeGate::new(parameters, 1).unwrap();
        let kept = [0, 9, 10, 100, 101].map(|bytes| keeps(&mut gate, bytes));
        assert_eq!(kept, [false, false, true, true, false]);
    }

    #[test]
    fn a_mebibyte_is_kept_by_default_and_no_more() {
        let mut gate = SizeGate::new(Parameters::default(), 1).unwrap();
        assert!(keeps(&mut gate, 0) && keeps(&mut gate, 1 << 20));
        assert!(!keeps(&mut gate, (1 << 20) + 1));
        assert!(!keeps(&mut gate, 1 << 40));
    }

    #[test]
    fn limits_that_keep_nothing_are_refused() {
        let parameters = Parameters {
            max_bytes: Size(1),
            min_bytes: Size(2),
        };
        let why = SizeGate::new(parameters, 1).unwrap_err();
        assert!(
            why.contains("min_bytes (2) is above max_bytes (1)"),
            "{why}"
        );
    }
}
