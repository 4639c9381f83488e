use super::*;

fn table(bytes_max: usize) -> (Arc<Budget>, Table) {
    let budget = Arc::new(Budget::new(bytes_max));
    (budget.clone(), Table::new(budget, bytes_max / 2))
}

#[test]
fn readers_are_counted_paid_for_and_forgotten() {
    let (budget, table) = table(1 << 20);
    for reader in [1, 2, 2, 3] {
        assert_eq!(table.add(b"a", reader), Added::Done);
    }
    assert_eq!(table.add(b"b", 1), Added::Done);
    assert_eq!((table.len(), table.items()), (2, 4));
    assert!(budget.used_bytes() > 0);
    assert_eq!(table.remove(b"a", Some(4)), [1, 2, 3]);
    assert!(table.remove(b"a", None).is_empty());
    table.add(b"a", 1);
    table.add(b"a", 2);
    assert_eq!(table.remove(b"a", Some(1)), [2]);
    assert_eq!(table.remove(b"a", None), [1]);
    free(table.clear());
    assert_eq!((table.len(), table.items(), budget.used_bytes()), (0, 0, 0));
}

#[test]
fn the_oldest_goes_first_and_what_came_again_is_young() {
    let (_, table) = table(1 << 20);
    for key in [b"a", b"b", b"c"] {
        table.add(key, 1);
    }
    table.remove(b"a", None);
    table.add(b"a", 2);
    let mut order = Vec::new();
    while let Some((key, readers)) = table.forget_oldest() {
        order.push((key[0], readers[0]));
    }
    assert_eq!(order, [(b'b', 1), (b'c', 1), (b'a', 2)]);
}

#[test]
fn it_does_not_grow_beyond_what_it_may() {
    let (budget, table) = table(200_000);
    for n in 0..100_000_u32 {
        let key = n.to_le_bytes();
        while table.add(&key, 1) != Added::Done {
            assert!(table.forget_oldest().is_some());
        }
        if n % 3 == 0 {
            table.remove(&key, None);
        }
        let part = table.part(table.number(&key));
        // Nothing is left behind that would have to be looked through one day.
        assert_eq!(part.order.len(), part.known.len());
    }
    assert!((50_000..=100_000).contains(&budget.used_bytes()));
    drop(table);
    assert_eq!(budget.used_bytes(), 0);
    let (_, table) = self::table(100);
    assert_eq!(table.add(b"a", 1), Added::Full);
    assert!(table.forget_oldest().is_none());
}

#[test]
fn a_million_keys_are_many_small_parts_that_are_freed_behind_the_locks() {
    let (budget, table) = table(1 << 29);
    let keys = if cfg!(miri) { 1000 } else { 200_000_u32 };
    for n in 0..keys {
        assert_eq!(table.add(&n.to_le_bytes(), 1), Added::Done);
    }
    let largest = (0..PARTS)
        .map(|number| table.part(number).known.len())
        .max();
    assert!(largest.is_some_and(|most| most < 2 * keys as usize / PARTS));
    let parts = table.clear();
    assert_eq!((table.len(), table.items()), (0, 0));
    assert!(budget.used_bytes() > 0, "they are still there");
    assert_eq!(table.add(b"a", 1), Added::Done);
    drop(parts);
    assert_eq!(budget.used_bytes(), bytes(b"a", 1) as u64);
}

#[test]
fn readers_who_have_gone_make_room_for_others() {
    let (budget, table) = table(1 << 20);
    let (mut most, is_there) = (0, |reader| reader == 7);
    for reader in 0..10_000 {
        while table.add(b"a", reader) == Added::Crowded {
            table.keep(b"a", is_there);
        }
        most = most.max(table.items());
    }
    assert!(most <= CROWD_MIN, "{most}");
    assert!(budget.used_bytes() <= bytes(b"a", CROWD_MIN) as u64);
    assert!(table.remove(b"a", None).contains(&7));
    // Those who are there stay, however many they are.
    for reader in 0..1000 {
        while table.add(b"a", reader) == Added::Crowded {
            table.keep(b"a", |_| true);
        }
    }
    assert_eq!(table.remove(b"a", None).len(), 1000);
    assert_eq!(budget.used_bytes(), 0);
}
