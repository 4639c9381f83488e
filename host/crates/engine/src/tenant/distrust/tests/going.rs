use super::*;

#[test]
fn what_nobody_asks_for_goes_slowly_and_for_no_want_of_room() {
    let host = Host::new();
    let tenant = host.tenant();
    let names: Vec<_> = (0..20_000).map(|n| format!("k{n}")).collect();
    names
        .iter()
        .for_each(|name| host.set(name.as_bytes(), b"v"));
    host.set(COMING, b"left out");
    tenant.distrust(true, NOW);
    assert_eq!(host.in_memory(COMING).unwrap(), b"left out");
    (0..100).for_each(|n| _ = tenant.maintain(NOW + n * 100));
    assert!(
        (18_000..20_000).contains(&tenant.len(0)),
        "{}",
        tenant.len(0)
    );
    host.wait();
    assert_eq!(tenant.len(0), 1, "what no other knows stays");
    assert_eq!(host.in_memory(COMING).unwrap(), b"left out");
    assert_eq!(tenant.stats().evictions, 0);
    host.check();
}

#[test]
fn what_others_have_cleared_is_doubted_alone() {
    let host = Host::new();
    let tenant = host.tenant();
    let names: Vec<_> = (0..1000).map(|n| format!("{}:{n}", n % 2)).collect();
    names
        .iter()
        .for_each(|name| host.set(name.as_bytes(), b"v"));
    let left = || {
        names
            .iter()
            .filter(|name| host.in_memory(name.as_bytes()).is_some())
            .count()
    };
    let watch = tenant.watch(Key::new(1, b"k"), NOW);
    tenant.distrust_cleared(Some(5), b"", NOW);
    assert_eq!(left(), 1000);
    let held = tenant.lock([Key::new(1, b"k")], 0, NOW);
    assert!(held.unwrap().is_unchanged(&watch, NOW));
    tenant.distrust_cleared(Some(0), b"1:", NOW);
    assert_eq!((left(), tenant.len(0)), (500, 1000));
    host.check();
    // These are known to be gone.
    (0..60).for_each(|n| _ = tenant.maintain(NOW + n * 100));
    assert_eq!((left(), tenant.len(0)), (500, 500));
    tenant.distrust_cleared(None, b"", NOW);
    assert_eq!(left(), 0);
    host.check();
}

#[test]
fn where_nobody_can_be_asked_for_too_long_what_is_here_goes() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    common.stale_ms_max.store(1000, Relaxed);
    let found = |name: &[u8], now: Millis| {
        [true, false].map(|is_given_up| {
            common.is_given_up.store(is_given_up, Relaxed);
            host.read_at(name, now).is_some()
        })
    };
    host.set(b"a", b"v");
    common.is_away.store(true, Relaxed);
    tenant.distrust(false, NOW);
    assert_eq!(found(b"a", NOW + 999), [true; 2]);
    assert_eq!(found(b"a", NOW + 1000), [false; 2], "nobody has looked");
    tenant.maintain(NOW + 500);
    host.set(b"b", b"v");
    tenant.distrust_again(NOW + 600);
    assert_eq!(found(b"a", NOW + 999), [true; 2]);
    tenant.maintain(NOW + 1000);
    assert_eq!((tenant.len(0), tenant.stats().evictions), (1, 0));
    // It became one later.
    assert_eq!(found(b"b", NOW + 1499), [true; 2]);
    // What was asked for meanwhile is as new, however often it is doubted.
    common.is_away.store(false, Relaxed);
    assert_eq!(found(b"b", NOW + 1499), [true; 2]);
    tenant.distrust_again(NOW + 1499);
    common.is_away.store(true, Relaxed);
    tenant.maintain(NOW + 2000);
    assert_eq!(found(b"b", NOW + 2498), [true; 2]);
    tenant.maintain(NOW + 2500);
    assert_eq!(found(b"b", NOW + 2500), [false; 2]);
    host.check();
}

#[test]
fn what_a_loader_brought_is_answered_to_who_asked_for_it() {
    let host = Host::new();
    let (tenant, common) = (host.tenant(), &host.common);
    common.stale_ms_max.store(1000, Relaxed);
    common.set(b"a", Some(b"w"));
    host.set(b"b", b"v");
    tenant.distrust(false, NOW);
    common.brings.store(true, Relaxed);
    assert_eq!(host.read_at(b"a", NOW + 1000).unwrap(), b"w");
    host.check();
}
