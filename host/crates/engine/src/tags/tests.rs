mod shared;

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const START: Known = Known {
    now: 1,
    floor: 0,
    tags: Vec::new(),
};

/// A note with these tags and something behind them, as it is handed in.
fn note(tags: &[&[u8]]) -> Vec<u8> {
    let mut note = UNSTAMPED.to_vec();
    for tag in tags {
        note.push(TAG_PART);
        note.extend_from_slice(&(tag.len() as u16).to_le_bytes());
        note.extend_from_slice(tag);
    }
    note.extend_from_slice(b"\x01\x04\0json");
    note
}

fn written(tags: &Tags, names: &[&[u8]]) -> Vec<u8> {
    stamped(&note(names), tags.now()).unwrap()
}

fn invalidate(tags: &Tags, names: &[&[u8]]) {
    tags.invalidate(names.iter().copied(), KNOWN_MAX);
}

#[test]
fn what_was_written_before_is_void_and_what_comes_after_is_not() {
    let tags = Tags::new([1, 2], &START);
    let long = vec![7; 40_000];
    let before = written(&tags, &[b"", b"a", &long]);
    let other = written(&tags, &[b"b"]);
    assert!(!tags.is_void(&before));
    invalidate(&tags, &[b"c", &long]);
    assert!(tags.is_void(&before) && !tags.is_void(&other));
    let after = written(&tags, &[b"a", &long]);
    assert!(!tags.is_void(&after));
    invalidate(&tags, &[b"d"]);
    assert!(!tags.is_void(&after) && !tags.is_void(&other));
    assert_eq!(tags.figures().known, 3);
    // What has no tags, or is no note of ours, concerns nobody.
    for other in [&b""[..], b"\x01\x04\0json", &UNSTAMPED[..10], &[STAMP_PART]] {
        assert!(!tags.is_void(other) && stamped(other, 1).is_none());
    }
}

#[test]
fn a_note_is_stamped_once_and_anew_only_when_that_is_wanted() {
    let tags = Tags::new([1, 2], &START);
    let mut before = written(&tags, &[b"a"]);
    assert_eq!(stamped(&before, 9), None);
    invalidate(&tags, &[b"a"]);
    assert!(tags.is_void(&before));
    unstamp(&mut before);
    assert!(!tags.is_void(&stamped(&before, tags.now()).unwrap()));
    let (mut short, mut none) = ([STAMP_PART, 8, 0, 1], []);
    unstamp(&mut short);
    unstamp(&mut none);
    assert_eq!(short, [STAMP_PART, 8, 0, 1]);
}

#[test]
fn as_many_tags_are_known_as_may_be_and_the_oldest_are_forgotten_together() {
    let tags = Tags::new([1, 2], &START);
    let name = |n: u32| n.to_le_bytes();
    let first = written(&tags, &[b"never"]);
    for n in 0..1024 {
        tags.invalidate([&name(n)[..]], 1024);
    }
    assert_eq!(tags.figures().floor_raises, 0);
    assert!(!tags.is_void(&first));
    let eldest = written(&tags, &[b"never"]);
    tags.invalidate([&name(1024)[..]], 1024);
    let figures = tags.figures();
    assert_eq!((figures.floor_raises, figures.known), (1, 1024 - 128 + 1));
    assert!(tags.is_void(&first) && !tags.is_void(&eldest));
    assert!(tags.memory_bytes() <= 4096 * 16);
    // More at once than may be known.
    let names: Vec<_> = (2000..4000).map(name).collect();
    tags.invalidate(names.iter().map(|name| &name[..]), 16);
    assert!(tags.is_void(&eldest) && tags.figures().known <= 16);
    assert!(!tags.is_void(&written(&tags, &[b"never"])));
}

#[test]
fn what_is_known_is_known_again() {
    let tags = Tags::new([1, 2], &START);
    let (a, b) = (written(&tags, &[b"a"]), written(&tags, &[b"b"]));
    invalidate(&tags, &[b"a"]);
    let late = written(&tags, &[b"a"]);
    let mut known = tags.known();
    let again = Tags::new([1, 2], &known);
    assert!(again.is_void(&a) && !again.is_void(&b) && !again.is_void(&late));
    assert_eq!(again.known(), known);
    invalidate(&tags, &[b"c"]);
    assert!(again.is_void(&written(&tags, &[b"b"])), "of another count");
    known.floor = known.now;
    let again = Tags::new([1, 2], &known);
    assert!(again.is_void(&b) && !again.is_void(&late));
}

#[derive(Debug, Clone)]
enum Step {
    Write(usize, Vec<u8>),
    Invalidate(Vec<u8>),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let tags = || prop::collection::vec(0..40_u8, 0..4);
    prop_oneof![
        4 => (0..30_usize, tags()).prop_map(|(at, tags)| Step::Write(at, tags)),
        4 => tags().prop_map(Step::Invalidate),
        1 => Just(Step::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    /// Beside a model that forgets nothing: what is void there is void here, and what is void here alone was written
    /// before a tag was invalidated that is forgotten.
    #[test]
    fn nothing_void_lives(steps in prop::collection::vec(step(), 1..300), known_max in 1..48_usize) {
        let mut tags = Tags::new([3, 4], &START);
        let mut entries: HashMap<usize, (Vec<u8>, Vec<u8>, u64)> = HashMap::new();
        let mut invalidated: HashMap<u8, u64> = HashMap::new();
        for (time, step) in (1..).zip(steps) {
            match step {
                Step::Write(at, names) => {
                    let parts: Vec<_> = names.iter().map(std::slice::from_ref).collect();
                    entries.insert(at, (written(&tags, &parts), names, time));
                }
                Step::Invalidate(names) => {
                    tags.invalidate(names.iter().map(std::slice::from_ref), known_max);
                    invalidated.extend(names.into_iter().map(|name| (name, time)));
                }
                Step::Restart => tags = Tags::new([3, 4], &tags.known()),
            }
            let known = tags.known();
            prop_assert!(known.tags.len() <= known_max);
            for (note, names, written) in entries.values() {
                let is_void = names.iter().any(|name| invalidated.get(name) > Some(written));
                let (stamp, _) = split(note).unwrap();
                let is_forgotten = stamp < known.floor;
                prop_assert_eq!(tags.is_void(note), is_void || is_forgotten);
                prop_assert!(!is_forgotten || known_max < 40);
            }
        }
    }
}

#[test]
fn what_others_have_invalidated_is_learned_in_any_order() {
    let tags = Tags::new([1, 2], &START);
    tags.share();
    let tick = |tick: u64| tick * STAMPS_A_TICK;
    let long = [7; 200];
    let told = |name: &[u8], at: u64| Invalidated {
        now: tick(at),
        floor: 0,
        tags: vec![(id_of(name).into(), tick(at))],
    };
    assert!(tags.learn(&told(b"x", 5), 64).is_some());
    let before = written(&tags, &[b"a", &long]);
    assert!(tags.learn(&told(&long, 9), 64).is_some() && tags.is_void(&before));
    let after = written(&tags, &[b"a", &long]);
    for (name, at) in [(&b"a"[..], 8), (&long, 7), (&long, 9)] {
        let is_new = tags.learn(&told(name, at), 64).is_some();
        assert_eq!(is_new, at == 8);
        assert!(!tags.is_void(&after) && tags.now() == tick(9));
    }
    // What others have written since, and what they forget.
    let ahead = stamped(&note(&[b"a"]), tick(50)).unwrap();
    assert!(!tags.is_void(&ahead) && tags.now() == tick(50));
    let beyond = stamped(&note(&[b"a"]), tick(100_000_000)).unwrap();
    assert!(tags.is_void(&beyond));
    let floor = Invalidated {
        now: tick(60),
        floor: tick(50),
        tags: Vec::new(),
    };
    assert!(tags.learn(&floor, 64).is_some());
    assert!(tags.is_void(&after) && !tags.is_void(&ahead));
    assert!(tags.learn(&floor, 64).is_none());
    assert_eq!((tags.figures().known, tags.known().floor), (0, tick(50)));
    assert!(tags.learn(&told(b"a", 40), 64).is_none() && !tags.is_void(&ahead));
    for n in 0..200_u8 {
        tags.learn(&told(&[n], 100 + u64::from(n)), 64);
        assert!(tags.figures().known <= 64);
    }
    assert!(tags.is_void(&ahead));
}
