//! Several keys at once.

use super::*;

#[test]
fn several_keys_change_at_once_or_not_at_all() {
    let engine = engine(8 << 20, s3_fifo());
    let tenant = Arc::clone(engine.default_tenant());
    let names: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let keys = || names.iter().map(|name| key(name.as_bytes()));
    let writer = |round: u8| {
        let mut locked = tenant.lock(keys(), 20, NOW).unwrap();
        for key in keys() {
            let value = [round];
            let put = Edit::put(&value[..], Expiry::Never);
            locked
                .update(key, NOW, Access::Write, |_| (put.clone(), ()))
                .unwrap();
        }
    };
    writer(0);
    std::thread::scope(|scope| {
        scope.spawn(|| (0..ROUNDS).for_each(|round| writer(round as u8)));
        scope.spawn(|| {
            for _ in 0..ROUNDS {
                let mut locked = tenant.lock(keys(), 0, NOW).unwrap();
                let values: HashSet<Vec<u8>> = keys()
                    .map(|key| {
                        locked
                            .get(key, NOW, |entry| entry.value().to_vec())
                            .unwrap()
                    })
                    .collect();
                assert_eq!(values.len(), 1);
            }
        });
    });
    let used_after_reserving = || {
        drop(tenant.lock(keys(), 1000, NOW).unwrap());
        tenant.stats().used_bytes
    };
    // The first hands events over that the writers left, and gives their room back.
    let used = used_after_reserving();
    assert_eq!(
        used_after_reserving(),
        used,
        "an unused reservation is given back"
    );
}

#[test]
fn a_locked_write_makes_room_but_never_of_the_entry_it_extends() {
    let engine = engine(4 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    for n in 0..40_000 {
        put(tenant, &format!("{n}"), &[0; 100], Expiry::Never).unwrap();
    }
    put(tenant, "grows", &[1; 1000], Expiry::Never).unwrap();
    for round in 1..200 {
        let mut locked = tenant.lock([key(b"grows")], 0, NOW).unwrap();
        let more = [1; 1000];
        locked
            .update(key(b"grows"), NOW, Access::Write, |_| {
                (Edit::Append(&more), ())
            })
            .unwrap();
        let len = locked.peek(key(b"grows"), NOW, |entry| entry.value().len());
        assert_eq!(len, Some(1000 * (round + 1)));
    }
    let stats = tenant.stats();
    assert!(
        stats.used_bytes <= stats.budget_bytes + 64 * 1024,
        "{stats:?}"
    );
}

#[test]
fn what_is_written_while_shards_are_held_takes_room_in_all_of_them() {
    let engine = engine(32 << 20, s3_fifo());
    let tenant = engine.default_tenant();
    let mut locked = tenant.lock_all();
    for n in 0..40_000 {
        let name = format!("k{n}");
        let edit = |_: Option<Entry<'_>>| (Edit::put(&[7; 1000][..], Expiry::Never), ());
        let put = locked.update(key(name.as_bytes()), NOW, Access::Write, edit);
        put.unwrap();
    }
    let held: Vec<_> = locked
        .states
        .iter()
        .map(|(_, state)| state.block_bytes())
        .collect();
    assert!(held.len() > 4, "{held:?}");
    let (least, most) = (held.iter().min().unwrap(), held.iter().max().unwrap());
    assert!(least * 4 > most * 3, "{held:?}");
}
