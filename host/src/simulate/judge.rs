//! Policies that decide over newcomers, one after the other, as a server asks them.

use larder_engine::Unfit;
use larder_engine::decision::Verdict;
use larder_policy_runtime::chain::{self, Answers};
use larder_sdk::{Kinds, QuestionParts};
use larder_simulator::replay::Judge;

/// The policies of a contender in order, each with the kinds that it decides over.
#[derive(Default)]
pub(super) struct Chain {
    links: Vec<(Box<dyn Answers>, Kinds)>,
}

impl Chain {
    pub(super) fn add(&mut self, answers: Box<dyn Answers>, kinds: Kinds) {
        self.links.push((answers, kinds));
    }

    /// It, where it has anything to say.
    pub(super) fn judge(self) -> Option<Box<dyn Judge>> {
        (!self.links.is_empty()).then(|| Box::new(self) as Box<_>)
    }
}

impl Judge for Chain {
    fn decide(&mut self, question: &QuestionParts<'_>) -> Result<Verdict, Unfit> {
        let mut verdict = Verdict {
            keep: true,
            ttl_ms: question.ttl_ms,
            priority: 0,
            is_secret: false,
        };
        for (answers, kinds) in &mut self.links {
            // As without a side-car: what the trace says may not be lengthened.
            chain::ask(&mut **answers, *kinds, false, question, &mut verdict)?;
            if !verdict.keep {
                break;
            }
        }
        Ok(verdict)
    }
}
