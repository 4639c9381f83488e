//! What decides over newcomers before room is made for them.

use std::fmt::Write;

use larder_engine::Unfit;
use larder_engine::decision::Verdict;
use larder_sdk::{Operation, QuestionParts};

use crate::Request;

/// Decides over newcomers as a server's policies decide over values that are written.
pub trait Judge: Send {
    /// The verdict on a newcomer. All that is known of it is its number (as text, which is its key),
    /// its size, and for how long the trace says it lives.
    ///
    /// # Errors
    /// When a policy failed; it is not asked again.
    fn decide(&mut self, question: &QuestionParts<'_>) -> Result<Verdict, Unfit>;
}

/// Everybody comes in, or whom a judge lets in.
#[derive(Default)]
pub(super) struct Door {
    pub(super) judge: Option<Box<dyn Judge>>,
    key: String,
}

impl Door {
    #[inline]
    pub(super) fn decide(&mut self, request: &Request) -> Result<Verdict, Unfit> {
        let seconds = u64::from(request.ttl_seconds);
        let ttl_ms = (seconds != 0).then_some(seconds * 1000);
        match &mut self.judge {
            Some(judge) => ask(&mut **judge, &mut self.key, request, ttl_ms),
            None => Ok(Verdict {
                keep: true,
                ttl_ms,
                priority: 0,
                is_secret: false,
            }),
        }
    }
}

fn ask(
    judge: &mut dyn Judge,
    key: &mut String,
    request: &Request,
    ttl_ms: Option<u64>,
) -> Result<Verdict, Unfit> {
    key.clear();
    // Writing to a string cannot fail.
    let _ = write!(key, "{}", request.object);
    judge.decide(&QuestionParts {
        now_ms: u64::from(request.time_seconds) * 1000,
        operation: Operation::Write,
        tier: 1,
        key: key.as_bytes(),
        tenant: "default",
        value_bytes: u64::from(request.size_bytes),
        ttl_ms,
        ..QuestionParts::default()
    })
}
