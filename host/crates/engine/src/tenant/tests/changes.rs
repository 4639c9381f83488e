//! What a listener is told.

use parking_lot::Mutex;

use super::*;
use crate::changes::{Change, Listener};
use crate::{FlushCursor, Store};

#[derive(Default)]
pub(in crate::tenant) struct Notes(Mutex<Vec<(String, Option<Change>)>>);

impl Notes {
    pub(in crate::tenant) fn take(&self) -> Vec<(String, Option<Change>)> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Listener for Notes {
    fn changed(&self, key: Key<'_>, change: Change) {
        let name = String::from_utf8_lossy(key.bytes);
        self.0
            .lock()
            .push((format!("{}:{name}", key.db), Some(change)));
    }

    fn emptied(&self, db: Option<u8>) {
        self.0.lock().push((format!("{db:?}"), None));
    }
}

pub(in crate::tenant) fn connect(tenant: &Tenant) -> Arc<Notes> {
    let notes = Arc::new(Notes::default());
    tenant.changes().connect(notes.clone());
    tenant.changes().want();
    notes
}

fn edit(tenant: &Tenant, edit: &Edit<'_>) {
    let update = |_: Option<Entry<'_>>| (edit.clone(), ());
    tenant
        .update(key(b"k"), NOW, Access::Write, 8, update)
        .unwrap();
}

#[test]
fn each_change_is_told_once_and_only_while_that_is_wanted() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let notes = connect(tenant);
    let others = connect(&engine.tenants()[1]);
    put(tenant, "k", b"v", Expiry::Never).unwrap();
    get(tenant, "k", NOW);
    put(tenant, "k", &[1; 500], Expiry::Never).unwrap();
    edit(tenant, &Edit::Append(b"w"));
    edit(tenant, &Edit::Keep);
    edit(tenant, &Edit::Expire(Some(NOW + 10)));
    edit(tenant, &Edit::Expire(None));
    tenant.remove(key(b"k"), NOW);
    tenant.remove(key(b"k"), NOW);
    put(tenant, "k", b"v", Expiry::At(NOW + 10)).unwrap();
    get(tenant, "k", NOW + 10);
    put(tenant, "k", b"v", Expiry::At(NOW + 10)).unwrap();
    while engine.maintain(NOW + 2000) {}
    let expected = [
        Change::Written,
        Change::Written,
        Change::Written,
        Change::Expiry,
        Change::Expiry,
        Change::Removed,
        Change::Written,
        Change::Expired,
        Change::Written,
        Change::Expired,
    ];
    let expected = expected.map(|change| ("0:k".to_owned(), Some(change)));
    assert_eq!(notes.take(), expected);
    tenant.changes().want_no_more();
    put(tenant, "k", b"v", Expiry::Never).unwrap();
    assert_eq!(notes.take(), []);
    assert_eq!(others.take(), [], "tenants hear of their own alone");
}

#[test]
fn what_is_evicted_is_told_key_by_key_and_what_is_flushed_is_told_at_its_end() {
    let engine = engine(4 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let notes = connect(tenant);
    for n in 0..30_000 {
        put(tenant, &n.to_string(), &[0; 100], Expiry::Never).unwrap();
    }
    let told = notes.take();
    let count = |wanted| {
        told.iter()
            .filter(|(_, told)| *told == Some(wanted))
            .count()
    };
    assert_eq!(count(Change::Written), 30_000);
    assert!(count(Change::Evicted) > 0);
    assert_eq!(count(Change::Evicted) as u64, tenant.stats().evictions);
    let mut at = FlushCursor::default();
    while let Some(next) = tenant.flush(Some(0), at) {
        assert_eq!(notes.take(), []);
        at = next;
    }
    assert_eq!(notes.take(), [("Some(0)".to_owned(), None)]);
    let mut held = Store::held(tenant.lock_all(), false);
    held.flush(None);
    assert_eq!(notes.take(), [("None".to_owned(), None)]);
}
