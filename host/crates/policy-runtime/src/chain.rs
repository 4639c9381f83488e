//! How the answers of several policies make one verdict: admissions are ANDed, TTLs are piped, the
//! last priority wins, and one that finds a secret suffices.

use larder_abi::{Kind, Kinds, QuestionParts, SecurityAnswer, TtlAnswer};
use larder_engine::decision::Verdict;
use larder_engine::evictor::Unfit;

/// What answers questions about values, wherever it runs: one question after the other, each kind at
/// most once a question.
pub trait Answers: Send {
    /// Whether the value is kept.
    ///
    /// # Errors
    /// When it broke a rule, or does not decide over this; after that it is of no more use.
    fn should_cache(&mut self, _question: &QuestionParts<'_>) -> Result<bool, Unfit> {
        Err(undecided(Kind::ShouldCache))
    }

    /// For how long it is kept.
    ///
    /// # Errors
    /// As [`Self::should_cache`].
    fn ttl(&mut self, _question: &QuestionParts<'_>) -> Result<TtlAnswer, Unfit> {
        Err(undecided(Kind::Ttl))
    }

    /// What it is worth.
    ///
    /// # Errors
    /// As [`Self::should_cache`].
    fn priority(&mut self, _question: &QuestionParts<'_>) -> Result<u8, Unfit> {
        Err(undecided(Kind::Priority))
    }

    /// Whether it is a secret.
    ///
    /// # Errors
    /// As [`Self::should_cache`].
    fn security(&mut self, _question: &QuestionParts<'_>) -> Result<SecurityAnswer, Unfit> {
        Err(undecided(Kind::Security))
    }
}

/// That something does not decide over `kind`.
pub(crate) fn undecided(kind: Kind) -> Unfit {
    Unfit(format!(
        "this instance does not decide over {}",
        kind.name()
    ))
}

/// What one policy said, in the form in which it is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It answered; `None` for what it was not asked.
    Answer {
        /// Whether to keep the value.
        keep: Option<bool>,
        /// For how long.
        ttl: Option<TtlSaid>,
        /// What it is worth.
        priority: Option<u8>,
        /// Whether it is a secret.
        security: Option<SecurityAnswer>,
    },
    /// It broke a rule, so it has no say.
    Failed,
}

/// What became of a TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlSaid {
    /// It was left as it stood.
    Kept,
    /// It was set, to milliseconds or none.
    Set(Option<u64>),
    /// The policy would have lengthened it, which its side-car does not allow.
    NotLengthened,
}

/// The TTL after a policy's answer to one of `standing` milliseconds, `None` for none. A TTL that
/// stands may be shortened; lengthened, or taken away, only where `may_extend`.
pub fn pipe(standing: Option<u64>, answer: TtlAnswer, may_extend: bool) -> TtlSaid {
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

/// Asks one policy what it decides, and changes `verdict` accordingly. Once one said that the value is a secret, the
/// next see none of it.
///
/// # Errors
/// When it breaks a rule; `verdict` is as it was.
pub fn ask(
    answers: &mut (impl Answers + ?Sized),
    kinds: Kinds,
    may_extend: bool,
    question: &QuestionParts<'_>,
    verdict: &mut Verdict,
) -> Result<Said, Unfit> {
    let question = QuestionParts {
        ttl_ms: verdict.ttl_ms,
        value: match verdict.is_secret {
            true => &[],
            false => question.value,
        },
        ..*question
    };
    let mut next = *verdict;
    let (mut keep, mut ttl, mut priority, mut security) = (None, None, None, None);
    if kinds.has(Kind::ShouldCache) {
        next.keep = answers.should_cache(&question)?;
        keep = Some(next.keep);
    }
    if next.keep && kinds.has(Kind::Ttl) {
        let said = pipe(question.ttl_ms, answers.ttl(&question)?, may_extend);
        if let TtlSaid::Set(ttl_ms) = said {
            next.ttl_ms = ttl_ms;
        }
        ttl = Some(said);
    }
    if next.keep && kinds.has(Kind::Priority) {
        next.priority = answers.priority(&question)?;
        priority = Some(next.priority);
    }
    if next.keep && kinds.has(Kind::Security) {
        let answer = answers.security(&question)?;
        next.is_secret |= answer == SecurityAnswer::High;
        security = Some(answer);
    }
    *verdict = next;
    Ok(Said::Answer {
        keep,
        ttl,
        priority,
        security,
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

    /// Finds a secret in what begins with a number, and remembers what it saw.
    #[derive(Default)]
    struct Finder {
        seen: Vec<Vec<u8>>,
    }

    impl Answers for Finder {
        fn security(&mut self, question: &QuestionParts<'_>) -> Result<SecurityAnswer, Unfit> {
            self.seen.push(question.value.to_vec());
            Ok(match question.value.first() {
                Some(b'0'..=b'9') => SecurityAnswer::High,
                _ => SecurityAnswer::Keep,
            })
        }
    }

    #[test]
    fn one_that_finds_a_secret_suffices_and_the_next_see_nothing_of_it() {
        let kinds = Kinds::NONE.with(Kind::Security);
        for (value, is_secret, second_sees) in
            [(&b"1234"[..], true, &b""[..]), (b"abc", false, b"abc")]
        {
            let (mut first, mut second) = (Finder::default(), Finder::default());
            let question = QuestionParts {
                value,
                ..QuestionParts::default()
            };
            let mut verdict = Verdict {
                keep: true,
                ttl_ms: None,
                priority: 0,
                is_secret: false,
            };
            ask(&mut first, kinds, false, &question, &mut verdict).unwrap();
            ask(&mut second, kinds, false, &question, &mut verdict).unwrap();
            assert_eq!(verdict.is_secret, is_secret);
            assert_eq!((&*first.seen[0], &*second.seen[0]), (value, second_sees));
        }
    }
}
