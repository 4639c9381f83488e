//! How the answers of several policies make one verdict: admissions are ANDed, TTLs are piped, the
//! last priority wins.

use larder_abi::{Kind, Kinds, QuestionParts, TtlAnswer};
use larder_engine::decision::Verdict;
use larder_engine::evictor::Unfit;

use crate::policy::Decisions;

/// What one policy said, in the form in which it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// It answered; `None` for what it was not asked.
    Answer {
        keep: Option<bool>,
        ttl: Option<TtlSaid>,
        priority: Option<u8>,
    },
    /// It broke a rule, so it has no say.
    Failed,
}

/// What became of a TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TtlSaid {
    /// It was left as it stood.
    Kept,
    /// It was set, to milliseconds or none.
    Set(Option<u64>),
    /// The policy would have lengthened it, which its side-car does not allow.
    NotLengthened,
}

/// The TTL after a policy's answer to one of `standing` milliseconds, `None` for none. A TTL that
/// stands may be shortened; lengthened, or taken away, only where `may_extend`.
pub(super) fn pipe(standing: Option<u64>, answer: TtlAnswer, may_extend: bool) -> TtlSaid {
    let wanted = match answer {
        TtlAnswer::Keep => return TtlSaid::Kept,
        TtlAnswer::Never => None,
        TtlAnswer::Millis(ms) => Some(ms),
    };
    let is_longer = match (standing, wanted) {
        (None, _) => false,
        (Some(_), None) => true,
        (Some(standing), Some(wanted)) => wanted > standing,
    };
    if wanted == standing {
        TtlSaid::Kept
    } else if is_longer && !may_extend {
        TtlSaid::NotLengthened
    } else {
        TtlSaid::Set(wanted)
    }
}

/// Asks one policy what it decides, and changes `verdict` accordingly.
///
/// # Errors
/// When it breaks a rule; `verdict` is as it was.
pub(super) fn ask(
    decisions: &mut Decisions,
    kinds: Kinds,
    may_extend: bool,
    question: &QuestionParts<'_>,
    verdict: &mut Verdict,
) -> Result<Said, Unfit> {
    let question = QuestionParts {
        ttl_ms: verdict.ttl_ms,
        ..*question
    };
    let mut next = *verdict;
    let (mut keep, mut ttl, mut priority) = (None, None, None);
    if kinds.has(Kind::ShouldCache) {
        next.keep = decisions.should_cache(&question)?;
        keep = Some(next.keep);
    }
    if next.keep && kinds.has(Kind::Ttl) {
        let said = pipe(question.ttl_ms, decisions.ttl(&question)?, may_extend);
        if let TtlSaid::Set(ttl_ms) = said {
            next.ttl_ms = ttl_ms;
        }
        ttl = Some(said);
    }
    if next.keep && kinds.has(Kind::Priority) {
        next.priority = decisions.priority(&question)?;
        priority = Some(next.priority);
    }
    *verdict = next;
    Ok(Said::Answer {
        keep,
        ttl,
        priority,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_is_shortened_freely_and_lengthened_by_leave() {
        use TtlAnswer::{Keep, Millis, Never};
        use TtlSaid::{Kept, NotLengthened, Set};
        for (standing, answer, without_leave, with_leave) in [
            (None, Keep, Kept, Kept),
            (None, Never, Kept, Kept),
            (None, Millis(5), Set(Some(5)), Set(Some(5))),
            (Some(10), Keep, Kept, Kept),
            (Some(10), Millis(5), Set(Some(5)), Set(Some(5))),
            (Some(10), Millis(10), Kept, Kept),
            (Some(10), Millis(11), NotLengthened, Set(Some(11))),
            (Some(10), Never, NotLengthened, Set(None)),
        ] {
            let case = format!("{standing:?} {answer:?}");
            assert_eq!(pipe(standing, answer, false), without_leave, "{case}");
            assert_eq!(pipe(standing, answer, true), with_leave, "{case}");
        }
    }
}
