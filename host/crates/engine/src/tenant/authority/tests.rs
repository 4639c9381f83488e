use super::*;
use crate::authority::Mark;
use crate::tenant::tests::{NOW, engine, s3_fifo};
use crate::tier::Stored;
use crate::{Access, Edit, Expiry};

fn seen(value: Option<&str>, expires_at: Option<Millis>) -> Seen {
    let stored = value.map(|value| Stored {
        value: value.as_bytes().into(),
        expires_at,
        ..Stored::default()
    });
    Seen {
        stored,
        mark: Mark::default(),
    }
}

/// What becomes of a key that is seen so, and then edited.
fn made(seen: &Seen, edit: impl Fn() -> Edit<'static>) -> Becomes {
    let engine = engine(4 << 20, s3_fifo());
    let tenant = &engine.tenants()[0];
    let key = Key::new(0, b"k");
    let mut held = tenant.lock([key], 0, NOW).unwrap();
    // What memory has is not asked.
    let before = Edit::put(&b"in memory"[..], Expiry::Never);
    held.update(key, NOW, Access::Write, |_| (before.clone(), ()))
        .unwrap();
    held.borrow(key, seen, NOW).unwrap();
    let value = held.peek(key, NOW, |entry| entry.value().to_vec());
    let expected = seen
        .stored
        .as_ref()
        .filter(|stored| !stored.is_expired(NOW));
    assert_eq!(value.as_deref(), expected.map(|stored| &*stored.value));
    held.update(key, NOW, Access::Write, |_| (edit(), ()))
        .unwrap();
    let made = held.give_back(key, seen, NOW);
    assert_eq!(held.peek(key, NOW, |_| ()), None);
    drop(held);
    assert_eq!(tenant.len(0), 0, "nothing of it stays");
    made
}

#[test]
fn what_is_borrowed_is_as_it_was_seen_and_leaves_nothing() {
    let entry = |value: &str, expires_at, keeps_expiry| {
        let stored = seen(Some(value), expires_at).stored.unwrap();
        Becomes::Entry(Box::new(stored), keeps_expiry)
    };
    let soon = Some(NOW + 5_000);
    let put = |expiry| move || Edit::put(&b"new"[..], expiry);
    let one = seen(Some("one"), soon);
    assert_eq!(made(&one, || Edit::Keep), Becomes::Same);
    assert_eq!(made(&one, put(Expiry::Keep)), entry("new", soon, true));
    assert_eq!(made(&one, put(Expiry::Never)), entry("new", None, false));
    let later = Some(NOW + 9_000);
    assert_eq!(
        made(&one, put(Expiry::At(NOW + 9_000))),
        entry("new", later, false)
    );
    assert_eq!(
        made(&one, || Edit::Expire(Some(NOW + 9_000))),
        entry("one", later, false)
    );
    assert_eq!(made(&one, || Edit::Remove), Becomes::Nothing);
    // As it is is no change, whatever did it.
    assert_eq!(
        made(&one, || Edit::put(&b"one"[..], Expiry::Keep)),
        Becomes::Same
    );
    let none = seen(None, None);
    assert_eq!(made(&none, || Edit::Keep), Becomes::Same);
    assert_eq!(made(&none, || Edit::Remove), Becomes::Same);
    assert_eq!(made(&none, put(Expiry::Keep)), entry("new", None, false));
    let over = seen(Some("one"), Some(NOW));
    assert_eq!(made(&over, put(Expiry::Keep)), entry("new", None, false));
}
