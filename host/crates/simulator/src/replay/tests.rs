use larder_policy_lru::Lru;
use larder_sdk::{Event, NEWCOMER, Request as RoomRequest, Slot};

use super::*;

fn request(object: u32, time_seconds: u32, ttl_seconds: u32) -> Request {
    Request {
        object,
        id: u64::from(object),
        hash: object,
        size_bytes: 10,
        time_seconds,
        ttl_seconds,
        next_access: u64::MAX,
    }
}

#[test]
fn room_is_made_first_and_what_never_fits_is_rejected() {
    let mut cache = Replay::new(vec![Native(Lru::default())], 30).unwrap();
    let mut requests = [0, 1, 2, 0, 3, 1, 0]
        .map(|object| request(object, 0, 0))
        .to_vec();
    requests.push(Request {
        size_bytes: 31,
        ..request(9, 0, 0)
    });
    cache.run(&requests).unwrap();
    let tally = cache.tally();
    // 3 takes the place of 1, which takes that of 2.
    assert_eq!((tally.misses, tally.evictions, tally.rejected), (6, 2, 1));
    assert_eq!((tally.request_bytes, tally.miss_bytes), (101, 81));
    assert!(cache.policy_bytes() > 0);
}

#[test]
fn entries_expire_at_their_time_and_not_for_their_successors() {
    let mut cache = Replay::new(vec![Native(Lru::default())], 20).unwrap();
    let requests = [
        request(0, 100, 10),
        request(0, 109, 0),
        request(0, 110, 10),
        request(1, 111, 0),
        // Takes the slot of 0, whose time comes later.
        request(2, 112, 0),
        request(2, 121, 0),
    ];
    cache.run(&requests).unwrap();
    let tally = cache.tally();
    assert_eq!((tally.misses, tally.expired, tally.evictions), (4, 1, 1));
}

#[test]
fn what_memory_has_no_room_for_is_found_below_and_comes_up() {
    let cache = Replay::new(vec![Native(Lru::default())], 20).unwrap();
    let mut cache = cache.above(Some(Below::new(6400)));
    let requests = [0, 1, 2, 0, 0, 2, 1].map(|object| request(object, 0, 0));
    cache.run(&requests).unwrap();
    let tally = cache.tally();
    // 0 went for 2 and 1 for 0; then 2 is there still, and 1 is found below.
    assert_eq!((tally.misses, tally.hits_below, tally.requests), (3, 2, 7));
    assert_eq!(tally.miss_bytes, 30);
    // As large as when it was stored, and gone from both when its time has come.
    let cache = Replay::new(vec![Native(Lru::default())], 20).unwrap();
    let mut cache = cache.above(Some(Below::new(6400)));
    let larger = Request {
        size_bytes: 20,
        ..request(0, 103, 0)
    };
    let requests = [
        request(0, 100, 10),
        request(1, 101, 0),
        request(2, 102, 0),
        larger,
        request(2, 104, 0),
        request(0, 110, 0),
    ];
    cache.run(&requests).unwrap();
    assert_eq!((cache.tally().misses, cache.tally().hits_below), (4, 1));
    assert_eq!(cache.tally().expired, 1);
}

/// Names what it was told to.
struct Names(Vec<Slot>);

impl Driver for Names {
    fn hit(&mut self, _slot: Slot, _hash: u32) -> Result<(), Unfit> {
        Ok(())
    }

    fn tell(&mut self, _event: Event) -> Result<(), Unfit> {
        Ok(())
    }

    fn victims(&mut self, _request: &RoomRequest, out: &mut Vec<Slot>) -> Result<(), Unfit> {
        out.extend(&self.0);
        Ok(())
    }

    fn wants_misses(&self) -> bool {
        false
    }

    fn bytes(&self) -> u64 {
        0
    }
}

#[test]
fn an_offence_is_an_error_with_its_place() {
    for (names, why) in [
        (vec![], "named 0 victims"),
        (vec![7], "named 7, which is no slot"),
        (vec![NEWCOMER, 0], "which is no slot"),
    ] {
        let mut cache = Replay::new(vec![Names(names)], 20).unwrap();
        let requests = [0, 1, 2, 3].map(|object| request(object, 0, 0));
        let fault = cache.run(&requests).unwrap_err();
        assert_eq!(fault.request, 2);
        assert!(fault.to_string().contains(why), "{fault}");
    }
    let mut cache = Replay::new(vec![Names(vec![0, 0])], 10).unwrap();
    let large = Request {
        size_bytes: 10,
        ..request(2, 0, 0)
    };
    cache.run(&[request(0, 0, 0), large]).unwrap();
    let mut cache = Replay::new(vec![Names(vec![NEWCOMER])], 10).unwrap();
    cache
        .run(&[request(0, 0, 0), request(1, 0, 0), request(0, 0, 0)])
        .unwrap();
    assert_eq!((cache.tally().rejected, cache.tally().misses), (1, 2));
}
