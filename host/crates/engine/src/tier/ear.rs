//! What a tier that several hosts share tells each of them.

use std::sync::Arc;
use std::time::Instant;

use super::{Answer, TierKeyBuf};
use crate::tags::Invalidated;

/// What other hosts did to what a tier holds that several share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A key was changed; who reads the tier finds it so.
    Changed(TierKeyBuf),
    /// The keys of a tenant's database, or of all of them, were removed that begin so.
    Cleared(Arc<str>, Option<u8>, Box<[u8]>),
    /// Anything may have been done.
    Missed {
        /// Whether nothing is heard, so that more may be.
        is_deaf: bool,
    },
}

/// Whoever has copies of what a tier holds.
pub trait Ear: Send + Sync {
    /// Told in their order, for each key. It must not wait for anybody.
    fn hear(&self, heard: Heard);

    /// What was told before is as good as all that others did, until then. Told as [`Self::hear`] is, and behind it.
    fn rely(&self, until: Instant);

    /// Ready once all that was told so far is followed.
    fn followed(&self) -> Answer<'static, ()>;

    /// Tags of a tenant were invalidated. What is read from the tier is judged by that when it has returned; it must not
    /// wait for anybody either.
    fn learn(&self, tenant: &str, invalidated: &Invalidated);

    /// The tenants that there are.
    fn tenants(&self) -> Vec<Arc<str>>;

    /// The stamp of the last invalidation that is known of a tenant; `None` where there is none.
    fn tags_now(&self, tenant: &str) -> Option<u64>;
}
