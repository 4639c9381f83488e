//! A loaded policy and its instances.
//!
//! An instance has its own memory and is used by one thread at a time. What it answers is checked
//! here, and whether slots are who they should be in the engine.

mod decisions;
mod evictor;
mod figures;
mod guest;
mod instance;
mod manifest;
mod offence;
mod trial;

use std::sync::Arc;

use larder_abi::Kinds;
use larder_engine::{Evictor, Unfit};
use wasmtime::InstancePre;

use crate::sandbox::{Beat, Limits};
use evictor::WasmEvictor;
use guest::{Log, Pace};
use instance::Purpose;

pub use decisions::Decisions;
pub use figures::Figures;
pub(crate) use guest::{Guest, link};
pub(crate) use manifest::Parameters;
pub use manifest::{Manifest, Parameter};
pub(crate) use trial::try_out;

/// Offences of a policy that are logged; with many shards, one is as good as all.
const OFFENCES_LOGGED_A_SECOND: u32 = 1;

/// What a policy is made of, once it is checked and compiled.
pub(crate) struct Checked {
    pub(crate) manifest: Manifest,
    /// SHA-256 of the file, hexadecimal.
    pub(crate) digest: String,
    pub(crate) parameters: Parameters,
    pub(crate) linked: InstancePre<Guest>,
    pub(crate) limits: Limits,
    pub(crate) beat: Arc<Beat>,
}

/// A policy that may run.
pub struct Policy {
    name: String,
    manifest: Manifest,
    digest: String,
    parameters: Parameters,
    linked: InstancePre<Guest>,
    limits: Limits,
    beat: Arc<Beat>,
    figures: Arc<Figures>,
    log: Arc<Log>,
    offences: Pace,
}

impl Policy {
    pub(crate) fn new(name: &str, checked: Checked, figures: Arc<Figures>) -> Self {
        let log = Log {
            policy: name.to_owned(),
            pace: Pace::new(checked.limits.log_lines_max_a_second),
        };
        Self {
            name: name.to_owned(),
            manifest: checked.manifest,
            digest: checked.digest,
            parameters: checked.parameters,
            linked: checked.linked,
            limits: checked.limits,
            beat: checked.beat,
            figures,
            log: Arc::new(log),
            offences: Pace::new(OFFENCES_LOGGED_A_SECOND),
        }
    }

    /// The name that it goes by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it says of itself.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What it decides.
    pub fn kinds(&self) -> Kinds {
        self.manifest.kinds
    }

    /// SHA-256 of the file, hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Names and values of its parameters, as in force.
    pub fn parameters(&self) -> &[(String, String)] {
        &self.parameters.shown
    }

    /// What it did.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// An instance for one shard, which may take half of the shard's share of the memory at most. The
    /// same seed and events give the same victims.
    ///
    /// # Errors
    /// When it breaks a rule, or says that it cannot work so.
    pub fn evictor(
        self: &Arc<Self>,
        seed: u64,
        share_bytes: u64,
    ) -> Result<Box<dyn Evictor>, Unfit> {
        let purpose = Purpose::Serve;
        Ok(Box::new(WasmEvictor::new(
            self,
            seed,
            share_bytes,
            purpose,
        )?))
    }

    /// An instance that decides over values, for one thread. `kinds` are some of its own.
    ///
    /// # Errors
    /// As [`Self::evictor`].
    pub fn decisions(self: &Arc<Self>, kinds: Kinds, seed: u64) -> Result<Decisions, Unfit> {
        Decisions::new(self, kinds, seed, Purpose::Serve)
    }
}

#[cfg(test)]
mod border_tests;
#[cfg(test)]
mod tests;
