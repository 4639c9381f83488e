//! The hottest keys.

use larder_engine::{HotCursor, Hottest, Millis, Store};
use larder_resp::{Reply, Version};

use super::Listing;

/// Looks at some entries in one step of the list.
const LOOKS: usize = 4;

/// The hottest keys of a database, so many at most.
pub(crate) struct HotList {
    hottest: Hottest,
    at: HotCursor,
}

impl HotList {
    /// `bytes_max` bounds what it holds, and with it how many there are.
    pub(crate) fn new(count_max: usize, bytes_max: usize) -> Self {
        Self {
            hottest: Hottest::new(count_max, bytes_max),
            at: HotCursor::default(),
        }
    }
}

impl Listing for HotList {
    fn step(&mut self, store: &mut Store<'_>, db: u8, _version: Version, now: Millis) -> bool {
        let tenant = store.tenant();
        for _ in 0..LOOKS {
            match tenant.offer_hottest(Some(db), self.at, now, &mut self.hottest) {
                Some(next) => self.at = next,
                None => return true,
            }
        }
        false
    }

    fn bytes(&self) -> usize {
        self.hottest.bytes()
    }

    fn reply_bytes(&self) -> usize {
        self.hottest.bytes()
    }

    fn into_reply(self: Box<Self>, version: Version) -> (Vec<u8>, usize) {
        let keys = self.hottest.into_keys();
        let mut out = Vec::new();
        let mut reply = Reply::new(&mut out, version);
        reply.array(keys.len());
        keys.iter().for_each(|hot| reply.bulk(&hot.key));
        (out, 0)
    }
}
