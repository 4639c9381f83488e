use std::collections::{HashMap, HashSet};

use xxhash_rust::xxh3::xxh3_64;

use super::*;
use crate::trace::write;

fn small() -> Generator {
    Generator {
        requests: 20_000,
        objects: 2_000,
        scan_objects: 100,
        ..Generator::default()
    }
}

#[test]
fn same_description_same_trace() {
    assert_eq!(small().records(), small().records());
    assert_ne!(
        small().records(),
        Generator { seed: 2, ..small() }.records()
    );
}

#[test]
fn next_access_is_the_next_request_of_the_object() {
    let records = small().records();
    for (index, record) in records.iter().enumerate() {
        let later = records[index + 1..]
            .iter()
            .position(|other| other.id == record.id);
        assert_eq!(
            record.next_access,
            later.map(|steps| (index + 1 + steps) as u64)
        );
    }
}

#[test]
fn sizes_belong_to_objects_and_fill_their_range() {
    let records = Generator {
        size_bytes: (10, 13),
        ..small()
    }
    .records();
    let mut sizes = HashMap::new();
    for record in &records {
        assert_eq!(
            *sizes.entry(record.id).or_insert(record.size_bytes),
            record.size_bytes
        );
    }
    let distinct: HashSet<u32> = sizes.into_values().collect();
    assert_eq!(distinct, HashSet::from([10, 11, 12, 13]));
}

#[test]
fn each_part_shows() {
    let ids = |generator: Generator| -> HashSet<u64> {
        generator.records().iter().map(|record| record.id).collect()
    };
    let none = Generator {
        one_hit_share: 0.0,
        scan_share: 0.0,
        drift_requests: 0,
        ..small()
    };
    let plain = ids(none).len();
    assert!(
        ids(Generator {
            one_hit_share: 0.5,
            ..none
        })
        .len()
            > plain + 9_000 - 2_000
    );
    assert!(
        ids(Generator {
            scan_share: 0.5,
            ..none
        })
        .len()
            > plain
    );

    let favourite = |records: &[Record]| {
        let mut counts = HashMap::new();
        records
            .iter()
            .for_each(|record| *counts.entry(record.id).or_insert(0) += 1);
        counts
            .into_iter()
            .max_by_key(|&(_, count)| count)
            .map(|(id, _)| id)
    };
    let halves = |generator: Generator| {
        let records = generator.records();
        let (before, after) = records.split_at(records.len() / 2);
        (favourite(before), favourite(after))
    };
    let (before, after) = halves(none);
    assert_eq!(before, after);
    let (before, after) = halves(Generator {
        drift_requests: 100,
        ..none
    });
    assert_ne!(before, after);
}

/// Nothing but a popular catalogue.
fn plain() -> Generator {
    Generator {
        one_hit_share: 0.0,
        scan_share: 0.0,
        drift_requests: 0,
        ..small()
    }
}

fn objects(generator: Generator) -> Vec<u64> {
    let records = generator.records();
    records.iter().map(|record| record.id).collect()
}

#[test]
fn a_description_names_the_same_records_for_ever() {
    let checksum = |generator: Generator| {
        let mut file = Vec::new();
        write(&generator.records(), &mut file).unwrap();
        xxh3_64(&file)
    };
    assert_eq!(checksum(Generator::default()), 0x0EB2_8795_14E8_2C47);
    let sized = Generator {
        seed: 9,
        size_bytes: (10, 9_000),
        ..small()
    };
    assert_eq!(checksum(sized), 0xE403_D759_4E3E_FEEE);
}

#[test]
fn a_stream_is_the_records_without_their_next_accesses() {
    let records = small().records();
    let unlinked = records.iter().map(|record| Record {
        next_access: None,
        ..*record
    });
    assert!(small().stream().unwrap().eq(unlinked));
}

#[test]
fn the_loop_asks_for_the_same_in_the_same_order_again_and_again() {
    let looped = Generator {
        loop_share: 0.5,
        loop_objects: 300,
        ..plain()
    };
    let popular: HashSet<u64> = objects(plain()).into_iter().collect();
    let catalogue: HashSet<u64> = (0..plain().objects).map(mix).collect();
    assert!(popular.is_subset(&catalogue));
    let mut swept = objects(looped);
    swept.retain(|id| !catalogue.contains(id));
    assert!((9_500..10_500).contains(&swept.len()), "{}", swept.len());
    assert_eq!(swept.iter().collect::<HashSet<_>>().len(), 300);
    assert!(
        swept
            .iter()
            .zip(&swept[300..])
            .all(|(one, other)| one == other)
    );
}

#[test]
fn whoever_hears_a_track_hears_the_one_behind_it_next() {
    let generator = Generator {
        playlist_share: 1.0,
        playlists: 200,
        playlist_tracks: 10,
        listeners: 4,
        ..plain()
    };
    let heard = objects(generator);
    let distinct: HashSet<_> = heard.iter().collect();
    assert!(
        (1_900..=2_000).contains(&distinct.len()),
        "{}",
        distinct.len()
    );
    // Follow-ups within the next few requests: the same for a track every time, as it has one place.
    let tracks: HashMap<u64, u64> = (0..2_000).map(|at| (mix((1 << 62) + at), at)).collect();
    let mut followed = 0;
    for (at, id) in heard.iter().enumerate() {
        let track = tracks[id];
        let later = &heard[at + 1..heard.len().min(at + 40)];
        followed += u32::from(track % 10 < 9 && later.iter().any(|id| tracks[id] == track + 1));
    }
    assert!(followed > 17_500, "{followed}");
    // Several at once: the next request is seldom the next track.
    let in_turn = heard
        .windows(2)
        .filter(|pair| tracks[&pair[1]] == tracks[&pair[0]] + 1);
    assert!(in_turn.count() < 8_000);
    // Some lists are heard far more often than others.
    let mut starts = [0_u32; 200];
    for track in heard
        .iter()
        .map(|id| tracks[id])
        .filter(|track| track % 10 == 0)
    {
        starts[track as usize / 10] += 1;
    }
    assert!(starts[0] > 10 * starts[199].max(1), "{starts:?}");
}

#[test]
fn a_shuffled_play_has_each_track_of_its_list_once_in_an_order_of_its_own() {
    let generator = Generator {
        playlist_share: 1.0,
        playlists: 1,
        playlist_tracks: 10,
        listeners: 1,
        shuffled_share: 1.0,
        ..plain()
    };
    let heard = objects(generator);
    let plays: Vec<&[u64]> = heard.chunks_exact(10).collect();
    let orders: HashSet<&[u64]> = plays.iter().copied().collect();
    assert!(orders.len() > plays.len() * 9 / 10, "{}", orders.len());
    for play in plays {
        assert_eq!(play.iter().collect::<HashSet<_>>().len(), 10);
    }
}

#[test]
fn an_hour_has_favourites_that_come_back_the_next_day() {
    let generator = Generator {
        requests: 200_000,
        daily_share: 0.5,
        requests_per_second: 1.0,
        ..plain()
    };
    let records = generator.records();
    let favourites = |hour: u64| -> HashSet<u64> {
        let mut counts: HashMap<u64, u32> = HashMap::new();
        let within = |record: &&Record| u64::from(record.time_seconds) / 3_600 == hour;
        for record in records.iter().filter(within) {
            *counts.entry(record.id).or_default() += 1;
        }
        let mut counts: Vec<_> = counts.into_iter().collect();
        counts.sort_unstable_by_key(|&(id, count)| (std::cmp::Reverse(count), id));
        counts.into_iter().take(10).map(|(id, _)| id).collect()
    };
    let shared = |one: u64, other: u64| favourites(one).intersection(&favourites(other)).count();
    assert!(shared(20, 44) >= 7, "{}", shared(20, 44));
    assert!(shared(20, 15) <= 6, "{}", shared(20, 15));
}

#[test]
fn times_to_live_belong_to_objects_and_fill_their_range() {
    let generator = Generator {
        size_bytes: (1, 4),
        ttl_seconds: (60, 62),
        ..small()
    };
    let mut lives = HashMap::new();
    for record in generator.records() {
        let live = *lives.entry(record.id).or_insert(record.ttl_seconds);
        assert_eq!(live, record.ttl_seconds);
    }
    let distinct: HashSet<u32> = lives.into_values().collect();
    assert_eq!(distinct, HashSet::from([60, 61, 62]));
}

#[track_caller]
fn check_refused(change: fn(&mut Generator), told: &str) {
    let mut generator = small();
    change(&mut generator);
    let why = generator.stream().err().expect("an error");
    assert!(why.contains(told), "{why}");
}

#[test]
fn counts_out_of_range_are_named() {
    check_refused(|it| it.objects = 0, "0 objects of the catalogue");
    check_refused(|it| it.objects = 1 << 53, "1 to 4503599627370496");
    check_refused(|it| it.scan_objects = 0, "0 objects of a scan");
    check_refused(|it| it.loop_objects = 0, "0 objects of the loop");
    check_refused(|it| it.playlists = 0, "0 playlists");
    check_refused(|it| it.playlist_tracks = 0, "0 tracks of a playlist");
    check_refused(|it| it.playlist_tracks = 1 << 50, "1 to 4503599627370");
    check_refused(|it| it.listeners = 65_537, "allowed: 1 to 65536");
    check_refused(
        |it| (it.shuffled_share, it.playlist_tracks) = (0.5, 65_537),
        "65537 tracks of a playlist; allowed: 1 to 65536",
    );
}

#[test]
fn shares_ranges_and_rates_out_of_range_are_named() {
    check_refused(|it| it.zipf = -0.1, "the skew is -0.1");
    check_refused(|it| it.zipf = f64::NAN, "the skew is NaN");
    check_refused(|it| it.scan_share = -0.1, "the share of scans is -0.1");
    check_refused(|it| it.daily_share = 1.1, "hour's favourites is 1.1");
    check_refused(|it| it.shuffled_share = 1.1, "of shuffled plays is 1.1");
    check_refused(|it| it.loop_share = 0.9, "add up to 1.1");
    check_refused(|it| it.size_bytes = (2, 1), "of the sizes, 2");
    check_refused(|it| it.ttl_seconds = (2, 1), "of the times to live, 2");
    check_refused(|it| it.requests_per_second = 0.0, "0 requests a second");
    check_refused(|it| it.requests_per_second = f64::INFINITY, "inf requests");
}

#[test]
fn times_end_at_32_bits() {
    let slow = |requests: usize, daily_share: f64| Generator {
        requests,
        daily_share,
        requests_per_second: 1.0 / (1 << 30) as f64,
        ..small()
    };
    let last = slow(4, 0.0).records()[3].time_seconds;
    assert_eq!(last, 3 << 30);
    assert!(slow(4, 0.5).stream().is_ok());
    for daily_share in [0.0, 0.5] {
        let why = slow(5, daily_share).stream().err().expect("an error");
        assert!(why.contains("second 2^32"), "{why}");
    }
}
