use super::*;
use crate::changes::Change;
use crate::tags::{TAG_PART as TAG, UNSTAMPED};
use crate::tenant::tests::{NOW, changes, engine, get, s3_fifo};
use crate::{Access, Edit, Entry, Expiry, FlushCursor, Key, Label, Lease, Times};

fn note(tag: &str) -> Vec<u8> {
    let len = (tag.len() as u16).to_le_bytes();
    [&UNSTAMPED, &[TAG][..], &len, tag.as_bytes()].concat()
}

fn key(name: &str) -> Key<'_> {
    Key::new(0, name.as_bytes())
}

/// Writes a value with a tag that expires at `NOW + 10`, and is kept for as long again.
fn put_by(tenant: &Tenant, name: &str, tag: &str, access: Access) {
    let note = note(tag);
    let times = Times {
        stale_ms: 10,
        ..Times::NONE
    };
    let label = Label {
        note: &note,
        times,
        ..Label::NONE
    };
    let put = || Edit::Put {
        value: b"v".into(),
        expiry: Expiry::At(NOW + 10),
        label: Some(label),
    };
    let write = |_: Option<Entry<'_>>| (put(), ());
    tenant.update(key(name), NOW, access, 99, write).unwrap();
}

fn put(tenant: &Tenant, name: &str, tag: &str) {
    put_by(tenant, name, tag, Access::Write);
}

fn invalidate(tenant: &Tenant, tag: &str) {
    tenant.invalidate_tags([tag.as_bytes()]);
}

fn scanned(tenant: &Tenant) -> usize {
    let mut count = 0;
    let end = tenant.scan(0, 0, 100_000, NOW, &mut |_| count += 1);
    assert_eq!(end, 0);
    count
}

#[test]
fn nobody_finds_what_is_void() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let see = |entry: Option<Entry<'_>>| (Edit::Keep, entry.is_some());
    let looks: [&dyn Fn() -> bool; 8] = [
        &|| get(tenant, "k", NOW).is_some(),
        &|| tenant.peek(key("k"), NOW, |_| ()).is_some(),
        &|| tenant.standing(key("k"), NOW).is_some(),
        &|| tenant.random(0, NOW, |_| ()).is_some(),
        &|| tenant.peek_stale(key("k"), NOW, |_, _| ()).is_some(),
        &|| scanned(tenant) > 0,
        &|| tenant.update(key("k"), NOW, Access::Write, 0, see).unwrap(),
        &|| tenant.remove(key("k"), NOW),
    ];
    for (number, look) in looks.into_iter().enumerate() {
        put(tenant, "k", "a");
        assert!(look(), "look {number}");
        put(tenant, "k", "a");
        invalidate(tenant, "a");
        assert!(!look(), "look {number}");
        tenant.remove(key("k"), NOW);
    }
    // Nor who asks for stale values, whether its end was noted before or not.
    for is_noted in [true, false] {
        put(tenant, "k", "a");
        let stale = || tenant.peek_stale(key("k"), NOW + 15, |_, late_ms| late_ms);
        if is_noted {
            assert_eq!(stale(), Some(5));
        }
        invalidate(tenant, "a");
        assert_eq!(stale(), None);
        assert_eq!((tenant.len(0), tenant.stats().stale), (0, 0));
    }
}

#[test]
fn who_wants_to_know_hears_of_it_once() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let notes = changes::connect(tenant);
    put(tenant, "k", "a");
    put(tenant, "other", "b");
    let watches = ["k", "other"].map(|name| tenant.watch(key(name), NOW));
    notes.take();
    invalidate(tenant, "a");
    let mut held = tenant.lock_all();
    let unchanged = watches
        .each_ref()
        .map(|watch| held.is_unchanged(watch, NOW));
    assert_eq!(unchanged, [false, true]);
    drop(held);
    assert_eq!(get(tenant, "k", NOW), None);
    tenant.maintain(NOW);
    let told = [("0:k".to_owned(), Some(Change::Invalidated))];
    assert_eq!(notes.take(), told);
    let stats = tenant.stats();
    assert_eq!((stats.invalidated, stats.expired), (1, 0));
    assert_eq!((stats.invalidations, stats.tags.known), ([1, 0, 0], 1));
    drop(watches);
}

#[test]
fn an_entry_is_as_old_as_its_value() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for edit in [Edit::Append(b"w"), Edit::Expire(None)] {
        put(tenant, "k", "a");
        invalidate(tenant, "b");
        let change = |_: Option<Entry<'_>>| (edit.clone(), ());
        tenant
            .update(key("k"), NOW, Access::Write, 9, change)
            .unwrap();
        assert!(get(tenant, "k", NOW).is_some());
        invalidate(tenant, "a");
        assert_eq!(get(tenant, "k", NOW), None);
    }
    put(tenant, "k", "a");
    invalidate(tenant, "c");
    // A copy has the note as it is, with its stamp.
    let label = tenant.peek(key("k"), NOW, |entry| entry.label().note.to_vec());
    let note = label.unwrap();
    invalidate(tenant, "a");
    let copy = |_: Option<Entry<'_>>| {
        let label = Label {
            note: &note,
            ..Label::NONE
        };
        let edit = Edit::Put {
            value: b"v".into(),
            expiry: Expiry::Never,
            label: Some(label),
        };
        (edit, ())
    };
    tenant
        .update(key("copy"), NOW, Access::Write, 9, copy)
        .unwrap();
    assert_eq!(get(tenant, "copy", NOW), None);
    put(tenant, "copy", "a");
    assert!(get(tenant, "copy", NOW).is_some());
}

#[test]
fn what_is_made_by_a_lease_is_as_old_as_the_lease() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let lease = || match tenant
        .lock([key("k")], 0, NOW)
        .unwrap()
        .lease(key("k"), NOW, 1000)
    {
        Lease::Won(token) => Access::Lease(token),
        other => panic!("{other:?}"),
    };
    let early = lease();
    invalidate(tenant, "a");
    put_by(tenant, "k", "a", early);
    assert_eq!(get(tenant, "k", NOW), None);
    put_by(tenant, "k", "a", lease());
    assert!(get(tenant, "k", NOW).is_some());
}

#[test]
fn maintenance_removes_what_nobody_asks_for_a_little_at_a_time() {
    let engine = engine(16 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for number in 0..20_000 {
        let tag = if number % 2 == 0 { "a" } else { "b" };
        put(tenant, &format!("{number:05}"), tag);
    }
    let (used_bytes, entries) = (tenant.used(), tenant.len(0));
    tenant.maintain(NOW);
    assert_eq!(tenant.len(0), entries);
    invalidate(tenant, "a");
    assert_eq!(tenant.len(0), entries);
    tenant.maintain(NOW);
    let gone = entries - tenant.len(0);
    let step = u64::from(SWEPT_SLOTS) * SWEPT_LOCKS as u64;
    assert!(gone > 0 && gone < step, "{gone} in a step");
    for _ in 0..entries / step + tenant.shards() as u64 {
        tenant.maintain(NOW);
    }
    assert_eq!((tenant.len(0), scanned(tenant)), (10_000, 10_000));
    assert!(tenant.used() < used_bytes);
    assert_eq!(tenant.stats().invalidated, 10_000);
}

#[test]
fn tags_are_memory_of_the_tenant() {
    let engine = engine(64 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let before = tenant.used();
    let names: Vec<_> = (0..50_000_u32).map(u32::to_le_bytes).collect();
    for part in names.chunks(1000) {
        tenant.invalidate_tags(part.iter().map(|name| &name[..]));
    }
    let figures = tenant.stats().tags;
    let known_max = (32 << 20) / TAG_PART;
    assert!(figures.known <= known_max && figures.floor_raises > 0);
    let taken = tenant.used() - before;
    assert!(
        (16 * known_max..=64 * known_max).contains(&taken),
        "{taken}"
    );
    assert_eq!(engine.tenants()[1].stats().tags.known, 0);
}

#[test]
fn keys_that_begin_alike_go_step_by_step_and_no_other() {
    let engine = engine(16 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for number in 0..20_000 {
        let name = if number % 2 == 0 { "a:" } else { "b:" };
        put(tenant, &format!("{name}{number:05}"), "t");
    }
    put(tenant, "a", "t");
    let other = Key::new(3, b"a:1");
    let write = |_: Option<Entry<'_>>| (Edit::put(&b"v"[..], Expiry::Never), ());
    tenant.update(other, NOW, Access::Write, 9, write).unwrap();
    let notes = changes::connect(tenant);
    let watches = ["a:00000", "b:00001"].map(|name| tenant.watch(key(name), NOW));
    let (mut at, mut steps) = (Some(FlushCursor::default()), 0);
    while let Some(cursor) = at {
        at = tenant.flush_prefix(0, b"a:", cursor).unwrap();
        steps += 1;
        // What comes behind may stay.
        if steps == 3 {
            put(tenant, "c:1", "t");
        }
    }
    assert!(steps > 10, "{steps}");
    assert_eq!((tenant.len(0), tenant.len(3)), (10_002, 1));
    let told = notes.take();
    let gone = told
        .iter()
        .filter(|(_, what)| *what == Some(Change::Invalidated));
    assert_eq!(gone.count(), 10_000);
    let unchanged = watches.each_ref().map(|watch| {
        let mut held = tenant.lock_all();
        held.is_unchanged(watch, NOW)
    });
    assert_eq!(unchanged, [false, true]);
    drop(watches);
    let stats = tenant.stats();
    assert_eq!(
        (stats.invalidated, stats.invalidations),
        (10_000, [0, 1, 0])
    );
}
