//! Lists of keys that are made in steps between which other connections are served.

mod hot;
mod matching;

use larder_engine::{Millis, Store};
use larder_resp::Version;

pub(crate) use hot::HotList;
pub(crate) use matching::Matching;

/// What is said where a reply is longer than `output_bytes_max`.
pub(crate) const LIST_TOO_LONG: &str =
    "reply too large: ask for fewer keys by the pattern, or use SCAN";

/// See the module.
pub(crate) trait Listing {
    /// One bounded step. Whether the list is complete.
    fn step(&mut self, store: &mut Store<'_>, db: u8, version: Version, now: Millis) -> bool;

    /// Bytes that it holds.
    fn bytes(&self) -> usize;

    /// Bytes that the reply will have, about.
    fn reply_bytes(&self) -> usize;

    /// The reply, once the list is complete, and where it begins: moving it would take long.
    fn into_reply(self: Box<Self>, version: Version) -> (Vec<u8>, usize);
}
