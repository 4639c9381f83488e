use super::*;

const VERDICT: Verdict = Verdict {
    keep: true,
    ttl_ms: None,
    priority: 0,
    is_secret: false,
};

fn put(below: &mut Below, object: u32, size_bytes: u32) {
    let request = Request {
        object,
        id: u64::from(object),
        hash: object,
        size_bytes,
        time_seconds: 100,
        ttl_seconds: 0,
        next_access: u64::MAX,
    };
    below.put(&request, VERDICT);
}

fn held(below: &mut Below, objects: std::ops::Range<u32>) -> usize {
    objects
        .filter(|object| below.read(*object, 100).is_some())
        .count()
}

#[test]
fn it_keeps_to_its_bytes_and_the_oldest_goes_first() {
    let mut below = Below::new(6400);
    for object in 0..10_000 {
        put(&mut below, object, 10);
        assert!(below.sealed_bytes + below.active.bytes <= 6400);
    }
    let kept = held(&mut below, 0..10_000);
    assert!((440..=640).contains(&kept), "{kept}");
    assert_eq!(held(&mut below, 10_000 - 440..10_000), 440);
    assert_eq!(below.live_bytes, 10 * kept as u64);
}

#[test]
fn what_is_written_again_costs_its_old_place_alone() {
    let mut below = Below::new(6400);
    for round in 0..100 {
        for object in 0..400 {
            put(&mut below, object, 10);
        }
        assert_eq!(held(&mut below, 0..400), 400, "{round}");
    }
    assert_eq!(below.live_bytes, 4000);
}

#[test]
fn what_is_read_outlives_what_is_not() {
    let mut below = Below::new(6400);
    for object in 0..5_000 {
        put(&mut below, object, 10);
        for wanted in (0..=object.min(999)).step_by(10) {
            assert!(below.read(wanted, 100).is_some(), "{wanted} after {object}");
        }
    }
}

#[test]
fn what_was_evicted_above_comes_back_once_and_what_expired_does_not() {
    let mut below = Below::new(640);
    put(&mut below, 0, 10);
    below.demote(0, 100);
    assert_eq!(below.records, 1, "it was there");
    for object in 1..1000 {
        put(&mut below, object, 10);
    }
    assert!(below.read(0, 100).is_none());
    below.demote(0, 100);
    assert!(below.read(0, 100).is_some());
    let mut request = Request {
        object: 2000,
        id: 2000,
        hash: 0,
        size_bytes: 10,
        time_seconds: 100,
        ttl_seconds: 0,
        next_access: u64::MAX,
    };
    let verdict = Verdict {
        ttl_ms: Some(5_000),
        priority: 7,
        ..VERDICT
    };
    below.put(&request, verdict);
    let found = below.read(2000, 103).unwrap();
    assert_eq!(
        (found.verdict.ttl_ms, found.verdict.priority),
        (Some(2_000), 7)
    );
    assert!(below.read(2000, 105).is_none());
    // An eighth is the most that it takes.
    request.size_bytes = 81;
    below.put(&request, VERDICT);
    assert!(below.read(2000, 100).is_none());
}
