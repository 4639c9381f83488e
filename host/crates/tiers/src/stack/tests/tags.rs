//! What goes with others, by a tag or a prefix, is gone below, too.

use larder_engine::Label;
use larder_engine::tags::{TAG_PART, UNSTAMPED};
use larder_engine::tier::PREFIXES_MAX;

use super::*;

/// Writes a value with a tag, of one byte.
fn set(bench: &Bench, name: &str, tag: u8) {
    let note = [&UNSTAMPED[..], &[TAG_PART, 1, 0, tag]].concat();
    let label = Label {
        note: &note,
        ..Label::NONE
    };
    let put = || Edit::Put {
        value: b"v".into(),
        expiry: Expiry::Never,
        label: Some(label),
    };
    bench
        .tenant()
        .update(key(name), NOW, Access::Write, 0, |_| (put(), ()))
        .unwrap();
}

fn fetch(bench: &Bench, name: &str) -> bool {
    let fetched = bench
        .tenant()
        .fetch(key(name), Reach::Cache, || NOW, |_| ());
    wait(fetched).unwrap().is_some()
}

#[test]
fn what_is_void_is_not_found_below_whether_it_is_there_or_on_its_way() {
    let around = Rules {
        write: WritePolicy::Around,
        ..Rules::default()
    };
    let bench = Bench::new(Gated::new(8, 0), around);
    for tag in [1, 2] {
        set(&bench, &format!("there{tag}"), tag);
        bench.tier.writes.add_permits(1);
        bench.settle();
    }
    for tag in [1, 2] {
        set(&bench, &format!("coming{tag}"), tag);
    }
    bench.tenant().invalidate_tags([&[1][..]]);
    set(&bench, "new", 1);
    let looks = ["there1", "there2", "coming1", "coming2", "new"].map(|name| fetch(&bench, name));
    assert_eq!(looks, [false, true, false, true, true]);
    assert_eq!(
        bench.below().sight(key("coming1"), Reach::Cache, NOW),
        Sight::Absent
    );
    bench.tier.writes.add_permits(8);
    bench.settle();
    assert!(!fetch(&bench, "coming1") && bench.tier.value("coming1").is_some());
}

/// It is not void when it is found, but when it comes into memory.
#[test]
fn what_was_invalidated_while_it_was_looked_for_does_not_come_back() {
    let bench = Bench::new(Gated::new(0, 8), Rules::default());
    set(&bench, "k", 1);
    bench.settle();
    let stored = bench.tier.kept.lock().values().next().cloned().unwrap();
    bench.tenant().invalidate_tags([&[2][..]]);
    let mut held = bench.tenant().lock([key("k")], 0, NOW).unwrap();
    held.remove(key("k"), NOW);
    drop(held);
    let ticket = bench.tenant().ticket(key("k"), NOW);
    bench.tenant().invalidate_tags([&[1][..]]);
    let mut held = bench.tenant().lock([key("k")], 100, NOW).unwrap();
    assert!(held.admit(&ticket, Ok(Some(&stored)), NOW).unwrap());
    assert_eq!(held.peek(key("k"), NOW, |_| ()), None);
    drop(held);
}

#[test]
fn what_was_invalidated_before_the_process_ended_is_void_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tags");
    let tier = Gated::open();
    let start = |now| {
        let config = StackConfig {
            end_timeout: PATIENCE,
            seed: 7,
        };
        let own: Arc<dyn Tier> = Arc::<Gated>::clone(&tier);
        let tiers = vec![(own, patient(64 << 10))];
        let stack = Stack::start(tiers, &config, || NOW).unwrap();
        stack.keep_tags(TagFile::open(path.clone(), now).unwrap());
        Bench::over(Arc::clone(&tier), stack, Rules::default())
    };
    let bench = start(NOW);
    for (name, tag) in [("a", 1), ("b", 2)] {
        set(&bench, name, tag);
    }
    let told = bench.below().told();
    bench.tenant().invalidate_tags([&[1][..]]);
    assert_ne!(bench.below().told(), told);
    set(&bench, "late", 1);
    // As if it were killed: nothing is told to end.
    bench.settle();
    drop(bench);
    let bench = start(NOW);
    assert_eq!(
        ["a", "b", "late"].map(|name| fetch(&bench, name)),
        [false, true, true]
    );
    bench.tenant().invalidate_tags([&[2][..]]);
    bench.settle();
    drop(bench);
    // Where the file is gone nobody knows what was void.
    std::fs::remove_file(&path).unwrap();
    let bench = start(NOW + 1);
    assert_eq!(
        ["a", "b", "late"].map(|name| fetch(&bench, name)),
        [false; 3]
    );
}

#[test]
fn a_prefix_hides_what_was_before_and_not_what_came_after() {
    let bench = Bench::new(Gated::new(8, 0), Rules::default());
    bench.put_below("a:old", b"v");
    bench.put_below("b:old", b"v");
    for name in ["a:queued", "b:queued"] {
        bench.set(name, b"v");
    }
    let clears = bench.below().clears();
    assert_eq!(bench.below().clear_prefix(0, b"a:"), Ok(()));
    assert_ne!(bench.below().clears(), clears);
    bench.set("a:new", b"v");
    let names = ["a:old", "a:queued", "a:new", "b:old", "b:queued"];
    let is_there = [false, false, true, true, true];
    let sight = |name: &str| bench.below().sight(key(name), Reach::Cache, NOW) != Sight::Absent;
    assert_eq!(names.map(sight), is_there);
    bench.tier.writes.add_permits(8);
    bench.settle();
    assert_eq!(names.map(|name| bench.tier.value(name).is_some()), is_there);
}

#[test]
fn prefixes_are_refused_while_too_many_are_on_their_way() {
    let bench = Bench::new(Gated::new(0, 0), Rules::default());
    bench.put_below("last:1", b"v");
    for n in 0..PREFIXES_MAX {
        let cleared = bench.below().clear_prefix(0, &n.to_be_bytes());
        assert_eq!(cleared, Ok(()), "{n}");
    }
    let refused = bench.below().clear_prefix(0, b"last:");
    assert!(matches!(refused, Err(TierError::Refused(_))), "{refused:?}");
    bench.tier.writes.add_permits(8);
    bench.settle();
    assert!(bench.tier.value("last:1").is_some());
    assert_eq!(bench.below().clear_prefix(0, b"last:"), Ok(()));
    bench.settle();
    assert_eq!(bench.tier.value("last:1"), None);
}
