//! One version of a policy: a module with its side-car, loaded.

use std::sync::Arc;

use larder_abi::{Kind, Kinds};
use larder_engine::evictor::Unfit;
use larder_engine::{Evictor, EvictorFactory, Millis};

use crate::folder::SideCar;
use crate::policy::Policy;

/// A version that was loaded. Two are the same if they are one allocation.
pub(super) struct Version {
    pub(super) name: String,
    /// See [`super::disk::version_id`].
    pub(super) id: String,
    pub(super) policy: Arc<Policy>,
    pub(super) side_car: SideCar,
    pub(super) loaded_ms: Millis,
}

impl Version {
    /// Whether it decides over evictions.
    pub(super) fn evicts(&self) -> bool {
        self.policy.kinds().has(Kind::Eviction)
    }

    /// What it decides over values.
    pub(super) fn decisions(&self) -> Kinds {
        let eviction = Kinds::NONE.with(Kind::Eviction);
        Kinds::from_bits(self.policy.kinds().bits() & !eviction.bits())
    }

    /// Whether it decides over values of that tenant.
    pub(super) fn covers(&self, tenant: usize) -> bool {
        self.side_car.scope.covers(tenant)
    }

    /// Whether it decides over values under that key.
    pub(super) fn matches(&self, key: &[u8]) -> bool {
        let keys = self.side_car.keys.as_ref();
        keys.is_none_or(|keys| keys.matches(key))
    }
}

/// Makes the evictors of a tenant's shards.
pub(super) struct VersionFactory(pub(super) Arc<Version>);

impl EvictorFactory for VersionFactory {
    fn name(&self) -> &str {
        &self.0.name
    }

    fn build(&self, seed: u64, share_bytes: u64) -> Result<Box<dyn Evictor>, Unfit> {
        self.0.policy.evictor(seed, share_bytes)
    }
}
