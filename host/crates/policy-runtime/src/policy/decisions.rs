//! A policy that decides over values, for one thread.

use std::sync::Arc;

use larder_abi::{
    Kind, Kinds, QUESTION_BYTES_MAX, QuestionParts, SecurityAnswer, TtlAnswer, export,
    fill_question, question_bytes,
};
use larder_engine::Unfit;

use super::Policy;
use super::instance::{Export, Instance, Purpose};
use super::offence::Offence;
use crate::chain::{Answers, undecided};

/// An instance that decides over values. After the first error it is of no more use.
pub struct Decisions {
    instance: Instance,
    should_cache: Option<Export<u32, u32>>,
    ttl: Option<Export<u32, i64>>,
    priority: Option<Export<u32, u32>>,
    security: Option<Export<u32, u32>>,
    value_prefix_bytes: usize,
    /// The kinds that it was asked about the present question.
    asked: Kinds,
}

impl Decisions {
    pub(super) fn new(
        policy: &Arc<Policy>,
        kinds: Kinds,
        seed: u64,
        purpose: Purpose,
    ) -> Result<Self, Unfit> {
        let mut instance = Instance::new(policy, kinds, seed, u64::MAX, purpose)?;
        let has = |kind| kinds.has(kind).then_some(());
        Ok(Self {
            should_cache: has(Kind::ShouldCache)
                .map(|()| instance.export(export::SHOULD_CACHE))
                .transpose()?,
            ttl: has(Kind::Ttl)
                .map(|()| instance.export(export::TTL))
                .transpose()?,
            priority: has(Kind::Priority)
                .map(|()| instance.export(export::PRIORITY))
                .transpose()?,
            security: has(Kind::Security)
                .map(|()| instance.export(export::SECURITY))
                .transpose()?,
            instance,
            value_prefix_bytes: policy.manifest.value_prefix_bytes,
            asked: Kinds::NONE,
        })
    }

    /// Writes the question into the guest's buffer; returns its bytes. What is asked about several
    /// kinds in turn counts as one question, whose calls share their time, until a kind comes again.
    #[inline]
    fn put(&mut self, question: &QuestionParts<'_>, kind: Kind) -> Result<u32, Unfit> {
        self.instance.check_fit()?;
        if self.asked.has(kind) {
            self.asked = Kinds::NONE;
        }
        if self.asked.is_empty() {
            self.instance.open_account(None);
        }
        self.asked = self.asked.with(kind);
        let prefix = self.value_prefix_bytes;
        let bytes = question_bytes(question, prefix);
        if bytes > QUESTION_BYTES_MAX {
            return self.put_short(question);
        }
        fill_question(question, prefix, self.instance.room(bytes)?);
        Ok(bytes as u32)
    }

    /// Asks without what a client can make as long as it likes.
    #[cold]
    fn put_short(&mut self, question: &QuestionParts<'_>) -> Result<u32, Unfit> {
        let short = QuestionParts {
            value: &[],
            data_type: &[],
            tags: &[],
            attributes: &[],
            ..*question
        };
        let bytes = question_bytes(&short, 0);
        fill_question(&short, 0, self.instance.room(bytes)?);
        Ok(bytes as u32)
    }

    fn wrong(&mut self, name: &'static str, why: String) -> Unfit {
        self.instance.offend(name, &Offence::Wrong(why))
    }
}

impl Answers for Decisions {
    fn should_cache(&mut self, question: &QuestionParts<'_>) -> Result<bool, Unfit> {
        let bytes = self.put(question, Kind::ShouldCache)?;
        let Some(export) = &self.should_cache else {
            return Err(undecided(Kind::ShouldCache));
        };
        match self.instance.call(export, bytes)? {
            1 => Ok(true),
            0 => {
                self.instance.tally().refused_values.add(1);
                Ok(false)
            }
            other => Err(self.wrong(
                export::SHOULD_CACHE,
                format!("answered {other}, which is neither 0 nor 1"),
            )),
        }
    }

    fn ttl(&mut self, question: &QuestionParts<'_>) -> Result<TtlAnswer, Unfit> {
        let bytes = self.put(question, Kind::Ttl)?;
        let Some(export) = &self.ttl else {
            return Err(undecided(Kind::Ttl));
        };
        let answer = self.instance.call(export, bytes)?;
        TtlAnswer::from_raw(answer).ok_or_else(|| {
            let why = format!(
                "answered {answer}, which is no TTL: milliseconds from 1 to a hundred years, -2 to \
                 keep it, -3 for ever"
            );
            self.wrong(export::TTL, why)
        })
    }

    fn priority(&mut self, question: &QuestionParts<'_>) -> Result<u8, Unfit> {
        let bytes = self.put(question, Kind::Priority)?;
        let Some(export) = &self.priority else {
            return Err(undecided(Kind::Priority));
        };
        let answer = self.instance.call(export, bytes)?;
        u8::try_from(answer).map_err(|_| {
            let why = format!("answered {}, which is not in 0 to 255", answer as i32);
            self.wrong(export::PRIORITY, why)
        })
    }

    fn security(&mut self, question: &QuestionParts<'_>) -> Result<SecurityAnswer, Unfit> {
        let bytes = self.put(question, Kind::Security)?;
        let Some(export) = &self.security else {
            return Err(undecided(Kind::Security));
        };
        let answer = self.instance.call(export, bytes)?;
        SecurityAnswer::from_raw(answer).ok_or_else(|| {
            let why = format!(
                "answered {}, which is neither 0 to keep it nor 1 for high",
                answer as i32
            );
            self.wrong(export::SECURITY, why)
        })
    }
}
