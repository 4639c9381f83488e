//! Who listens to what is asked for.

use std::sync::Arc;

use super::Tenant;
use crate::entry::{Key, Millis};
use crate::foresight::Listener;

impl Tenant {
    /// Has `listener` hear of all accesses from now on, in place of the one before; `None`: nobody.
    pub fn listen(&self, listener: Option<&Arc<dyn Listener>>) {
        for shard in &self.shards {
            shard.state.lock().listen(listener.cloned());
        }
    }

    /// The hash of a key, as a [`Listener`] is told it.
    pub fn hash_of(&self, key: Key<'_>) -> u64 {
        self.at(key, 0).hash
    }

    /// Whether a key of that hash is in memory, and will be for a while if a loader brought it.
    pub fn holds(&self, hash: u64, now: Millis) -> bool {
        self.shard_of(hash).state.lock().holds(hash, now)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::Expiry;
    use crate::foresight::{Asked, AskedFor};
    use crate::tenant::tests::{NOW, engine, get, put, s3_fifo};

    /// Writes everything down.
    #[derive(Default)]
    struct Notes(Mutex<Vec<(AskedFor, u64, u32)>>);

    impl Listener for Notes {
        fn hears_hits(&self) -> bool {
            true
        }

        fn hear(&self, asked: &Asked<'_>) {
            assert_eq!((asked.key.bytes, asked.now), (&b"k"[..], NOW));
            let note = (asked.what, asked.hash, asked.bytes);
            self.0.lock().unwrap().push(note);
        }
    }

    #[test]
    fn who_listens_hears_what_is_asked_for_in_order_and_in_its_own_tenant_alone() {
        let engine = engine(8 << 20, s3_fifo());
        let [tenant, other] = engine.tenants() else {
            panic!("there are two");
        };
        let notes = Arc::<Notes>::default();
        let listener: Arc<dyn Listener> = notes.clone();
        tenant.listen(Some(&listener));
        let hash = tenant.hash_of(Key::new(0, b"k"));
        assert!(get(tenant, "k", NOW).is_none() && !tenant.holds(hash, NOW));
        put(tenant, "k", &[1; 100], Expiry::At(NOW + 9)).unwrap();
        assert!(get(tenant, "k", NOW).is_some() && tenant.holds(hash, NOW));
        assert!(!tenant.holds(hash, NOW + 9), "its time is over then");
        assert!(get(other, "other", NOW).is_none());
        tenant.listen(None);
        assert!(get(tenant, "k", NOW).is_some());
        let heard = notes.0.lock().unwrap();
        let kinds: Vec<_> = heard.iter().map(|(what, ..)| *what).collect();
        assert_eq!(kinds, [AskedFor::Miss, AskedFor::Kept, AskedFor::Hit]);
        assert!(heard.iter().all(|note| note.1 == hash));
        assert!(heard[0].2 == 0 && heard[1].2 > 100 && heard[2].2 == heard[1].2);
    }
}
