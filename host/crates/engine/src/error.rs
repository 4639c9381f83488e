//! What can go wrong.

use thiserror::Error;

use crate::tier::TierError;

/// Why a write was refused. Nothing was changed, but for [`Error::Refused`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Error {
    /// An entry may take an eighth of its tenant's memory at most.
    #[error(
        "the entry takes {bytes} bytes; {bytes_max} are allowed, an eighth of the tenant's memory"
    )]
    EntryTooLarge {
        /// Bytes it would take.
        bytes: usize,
        /// Bytes it may take.
        bytes_max: usize,
    },
    /// See [`crate::KEY_BYTES_MAX`].
    #[error("the key has {bytes} bytes; {bytes_max} are allowed")]
    KeyTooLong {
        /// Bytes it has.
        bytes: usize,
        /// Bytes it may have.
        bytes_max: usize,
    },
    /// See [`crate::LABEL_NOTE_BYTES_MAX`].
    #[error("the note has {bytes} bytes; {bytes_max} are allowed")]
    NoteTooLong {
        /// Bytes it has.
        bytes: usize,
        /// Bytes it may have.
        bytes_max: usize,
    },
    /// The lease by which it was written is not in force: the key was written or removed since, or its
    /// time is up.
    #[error("the lease is over")]
    LeaseOver,
    /// The eviction policy would rather keep what is there. The key is absent now.
    #[error("the eviction policy does not keep it")]
    Refused,
    /// The value is to be kept sealed alone, and cannot be, with the reason.
    #[error("the value cannot be sealed: {0}")]
    NotSealed(String),
    /// The key is not in memory and may be below. Only where it is asked for: [`crate::Store::look_below`].
    #[error("the key has to be fetched from below first")]
    Lacking,
    /// Nothing was left to evict, or the allocator gave nothing.
    #[error("no room is left, and nothing to evict")]
    OutOfMemory,
}

/// Why an entry could not be brought into memory.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FetchError {
    /// The memory does not take it.
    #[error(transparent)]
    Memory(#[from] Error),
    /// What lies below could not be read, or its loader failed.
    #[error(transparent)]
    Below(#[from] TierError),
}

/// Why an engine cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// See [`crate::MEMORY_BYTES_MIN`].
    #[error("memory is {bytes} bytes; at least {bytes_min} are needed")]
    MemoryTooSmall {
        /// As configured.
        bytes: u64,
        /// The least.
        bytes_min: u64,
    },
    /// See [`crate::TENANT_BYTES_MIN`].
    #[error("the memory of tenant '{tenant}' is {bytes} bytes; at least {bytes_min} are needed")]
    ShareTooSmall {
        /// Whose.
        tenant: String,
        /// As configured.
        bytes: u64,
        /// The least.
        bytes_min: u64,
    },
    /// The tenants' shares sum to more than there is.
    #[error("the tenants' memory sums to {sum_bytes} bytes; there are {bytes}")]
    SharesTooLarge {
        /// Their sum.
        sum_bytes: u64,
        /// The whole.
        bytes: u64,
    },
    /// Two tenants have the same name.
    #[error("there are two tenants named '{tenant}'")]
    TenantTwice {
        /// The name.
        tenant: String,
    },
    /// A tenant's evictor cannot be made.
    #[error("the evictor of tenant '{tenant}' cannot be made: {reason}")]
    Evictor {
        /// Whose.
        tenant: String,
        /// Why.
        reason: String,
    },
    /// There is no tenant at all.
    #[error("there is no tenant; at least one is needed")]
    NoTenant,
}
