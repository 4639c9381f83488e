//! The policies that are compiled in and decide over newcomers.

use larder_abi::write_question;
use larder_engine::Unfit;
use larder_policy_runtime::chain::Answers;
use larder_policy_runtime::{Settings, native_setup};
use larder_sdk::{
    Kind, Kinds, Parameters as _, Policy, Priority, Question, QuestionParts, Security,
    SecurityAnswer, Setup, ShouldCache, Ttl, TtlAnswer,
};

use super::judge::Chain;

/// Makes a policy of a setup and a seed.
type Make = fn(&[u8], u64) -> Result<Box<dyn Answers>, String>;

/// A policy by name.
pub(super) struct NativeDecider {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    manifest: &'static str,
    make: Make,
}

macro_rules! deciders {
    ($($name:literal: $kind:ident $module:ident::$policy:ident),* $(,)?) => {
        /// All of them.
        pub(super) const DECIDERS: &[NativeDecider] = &[$(NativeDecider {
            name: $name,
            kind: Kind::$kind,
            manifest: $module::MANIFEST,
            make: |setup, seed| {
                let parameters = <$module::$policy as Policy>::Parameters::read(&Setup::new(setup));
                let policy = $module::$policy::new(parameters, seed)?;
                Ok(Box::new(answers::$kind { policy, record: Vec::new() }))
            },
        }),*];
    };
}

deciders! {
    "adaptive-ttl": Ttl larder_policy_adaptive_ttl::AdaptiveTtl,
    "business-priority": Priority larder_policy_business_priority::Rules,
    "mark-by-prefix": Security larder_policy_mark_by_prefix::MarkByPrefix,
    "second-hit": ShouldCache larder_policy_second_hit::SecondHit,
    "size-gate": ShouldCache larder_policy_size_gate::SizeGate,
    "tinylfu-gate": ShouldCache larder_policy_tinylfu_gate::TinyLfuGate,
    "ttl-by-prefix": Ttl larder_policy_ttl_by_prefix::TtlByPrefix,
    "ttl-by-type": Ttl larder_policy_ttl_by_type::TtlByType,
    "ttl-jitter": Ttl larder_policy_ttl_jitter::TtlJitter,
}

impl NativeDecider {
    /// Appends it to a chain.
    ///
    /// # Errors
    /// What of its settings cannot be.
    pub(super) fn join(
        &self,
        chain: &mut Chain,
        settings: &Settings,
        seed: u64,
    ) -> Result<(), String> {
        let setup = native_setup(self.manifest, settings, seed).map_err(|refusal| refusal.0)?;
        let answers = (self.make)(&setup, seed)?;
        chain.add(answers, Kinds::NONE.with(self.kind));
        Ok(())
    }
}

/// A policy of one kind, asked as one from a file is: by a record. Named as the kinds.
mod answers {
    use super::*;

    macro_rules! answers {
        ($($kind:ident: $method:ident -> $answer:ty),* $(,)?) => {$(
            pub(super) struct $kind<P> {
                pub(super) policy: P,
                pub(super) record: Vec<u8>,
            }

            impl<P: super::$kind + Send> Answers for $kind<P> {
                fn $method(&mut self, question: &QuestionParts<'_>) -> Result<$answer, Unfit> {
                    write_question(question, 0, &mut self.record);
                    Ok(self.policy.$method(&Question::new(&self.record)))
                }
            }
        )*};
    }

    answers! {
        ShouldCache: should_cache -> bool,
        Ttl: ttl -> TtlAnswer,
        Priority: priority -> u8,
        Security: security -> SecurityAnswer,
    }
}
