//! What every policy is made of: parameters, and a way to be made from them.

use crate::Parameters;

/// A policy of any kind.
///
/// The host makes many instances of it: for eviction one a shard, for decisions one a thread. They
/// share nothing.
pub trait Policy: Sized {
    /// What can be set in the file beside the policy's; `()` for nothing.
    type Parameters: Parameters;

    /// Makes an instance. Whatever randomness it needs comes from `seed`, so that the same calls
    /// give the same answers ([`crate::random::Random`]).
    ///
    /// # Errors
    /// Why these parameters cannot work, for the person who set them. The policy is not deployed
    /// then; the one before stays.
    fn new(parameters: Self::Parameters, seed: u64) -> Result<Self, String>;
}
