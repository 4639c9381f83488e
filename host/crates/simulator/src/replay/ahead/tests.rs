use larder_policy_lru::Lru;
use larder_predict::{Budget, Config};

use super::*;
use crate::Interner;
use crate::replay::{Cell, Native};
use crate::trace::Generator;

/// What comes of a made trace in a small cache, with somebody who foretells or without.
fn replay(generator: &Generator, capacity_bytes: u64, foresight: Option<Foresight>) -> Tally {
    let mut interner = Interner::default();
    let records = generator.records();
    let requests = records.iter().filter_map(|record| interner.request(record));
    let requests: Vec<Request> = requests.map(|(request, _)| request).collect();
    let ahead = foresight.map(|foresight| Ahead::new(foresight, 10, true));
    let replay = Replay::new(vec![Native(Lru::default())], capacity_bytes);
    let mut replay = replay.unwrap().ahead(ahead);
    replay.run(&requests).unwrap();
    replay.tally()
}

fn predictor() -> Option<Foresight> {
    let predictor = Predictor::new(Config::default());
    Some(Foresight::Predictor(Box::new(predictor)))
}

fn oracle() -> Option<Foresight> {
    Some(Foresight::Oracle(Purse::new(Budget::default())))
}

fn nothing() -> Generator {
    Generator {
        requests: 60_000,
        one_hit_share: 0.0,
        scan_share: 0.0,
        drift_requests: 0,
        ..Generator::default()
    }
}

#[test]
fn playlists_are_foretold_and_the_oracle_knows_better() {
    let playlists = Generator {
        playlist_share: 1.0,
        playlists: 200,
        ..nothing()
    };
    let [off, on, oracle] = [None, predictor(), oracle()].map(|one| replay(&playlists, 240, one));
    assert!(
        on.misses * 10 < off.misses * 7,
        "{} of {}",
        on.misses,
        off.misses
    );
    assert!(
        on.hits_ahead * 10 > on.fetched * 6,
        "{} of {}",
        on.hits_ahead,
        on.fetched
    );
    assert!(oracle.misses < on.misses);
    assert_eq!((off.fetched, off.hits_ahead), (0, 0));
}

#[test]
fn chance_is_not_foretold() {
    let chance = Generator {
        zipf: 0.0,
        objects: 5_000,
        ..nothing()
    };
    let [off, on] = [None, predictor()].map(|one| replay(&chance, 250, one));
    assert_eq!((on.misses, on.fetched), (off.misses, 0));
}

#[test]
fn what_is_fetched_and_not_asked_for_leaves_in_time_and_never_takes_more_than_its_share() {
    let mut ahead = Ahead::new(Foresight::Oracle(Purse::new(Budget::default())), 10, true);
    let replay = Replay::new(vec![Native(Lru::default())], 100);
    let mut replay = replay.unwrap();
    let request = |id: u64, time_seconds| Request {
        object: id as u32,
        id,
        hash: mix(id) as u32,
        size_bytes: 1,
        time_seconds,
        ttl_seconds: 0,
        next_access: u64::MAX,
    };
    // Foretold are ten of those to come; they do not come.
    let coming: Vec<_> = (1_000..1_050).map(|id| request(id, 9)).collect();
    for id in 0..200 {
        replay.made(&mut ahead, &request(id, 1), &coming).unwrap();
        let waiting = replay.shards[0].waiting.bytes();
        assert!(waiting <= 10, "{waiting}");
    }
    assert_eq!(
        (replay.tally.fetched, replay.shards[0].waiting.bytes()),
        (10, 10)
    );
    assert!(replay.tally.misses == 200 && replay.tally.evictions == 110);
    replay.made(&mut ahead, &request(0, 3_600), &[]).unwrap();
    assert_eq!(replay.shards[0].waiting.bytes(), 0);
}
