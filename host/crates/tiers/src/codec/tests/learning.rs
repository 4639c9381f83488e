//! Dictionaries: when they are trained, of what, and how long they last.

use super::*;

fn feed(
    codec: &Codec,
    documents: &mut Documents,
    topic: Topic,
    count: usize,
    handling: Handling,
) -> Vec<(Stored, Vec<u8>)> {
    let each = |_| {
        let stored = Stored {
            note: topic.name().as_bytes().into(),
            ..entry(documents.make(topic))
        };
        let record = encoded(codec, &stored, handling);
        (stored, record)
    };
    (0..count).map(each).collect()
}

fn bytes(entries: &[(Stored, Vec<u8>)]) -> (usize, usize) {
    let each = entries
        .iter()
        .map(|(stored, record)| (stored.value.len(), record.len()));
    each.fold((0, 0), |(a, b), (c, d)| (a + c, b + d))
}

#[test]
fn small_documents_become_much_smaller_with_a_dictionary_of_other_ones() {
    let codec = codec(Encrypt::None);
    for topic in Topic::ALL {
        feed(&codec, &mut Documents::new(1), topic, 1100, WARM);
    }
    assert_eq!(codec.train(), 3);
    assert_eq!(codec.train(), 0);
    for topic in Topic::ALL {
        let plain = Codec::new(settings(Encrypt::None), None, Dictionaries::default());
        let (bytes_in, without) = bytes(&feed(&plain, &mut Documents::new(2), topic, 200, WARM));
        let entries = feed(&codec, &mut Documents::new(2), topic, 200, WARM);
        let (_, with) = bytes(&entries);
        let ratio = |left: usize| bytes_in as f64 / left as f64;
        println!(
            "{topic:?}: {:.2} without, {:.2} with a dictionary",
            ratio(without),
            ratio(with)
        );
        assert!(ratio(without) < 1.8 && ratio(with) > 2.5);
        for (stored, record) in entries {
            assert_eq!(codec.decode(own_key().borrow(), &record), Ok(stored));
        }
        let figures = kind(&codec, topic.name());
        assert_eq!(
            (figures.dictionary.records, figures.dictionary_version),
            (200, 1)
        );
    }
    assert_eq!(codec.figures().dictionaries, 3);
}

#[test]
fn the_same_values_and_seed_give_the_same_dictionary_and_tenants_have_their_own() {
    let trained = |seed| {
        let codec = Codec::new(
            Settings {
                seed,
                ..settings(Encrypt::None)
            },
            None,
            Dictionaries::default(),
        );
        feed(&codec, &mut Documents::new(1), Topic::Session, 2000, WARM);
        assert_eq!(codec.train(), 1);
        let (_, record) = feed(&codec, &mut Documents::new(2), Topic::Session, 1, WARM).remove(0);
        let theirs = key("other", 0, b"key");
        let mut other = Vec::new();
        let document = Documents::new(2).make(Topic::Session);
        codec
            .encode(theirs.borrow(), &entry(document), WARM, &mut other)
            .unwrap();
        assert_eq!(Named::by(&other).unwrap().dictionary, None);
        Named::by(&record).unwrap().dictionary.unwrap()
    };
    assert_eq!(trained(1), trained(1));
    assert_ne!(trained(1), trained(2));
}

#[test]
fn sealed_values_train_nothing_and_noise_gives_no_dictionary() {
    let sealing = codec(Encrypt::Marked);
    feed(&sealing, &mut Documents::new(1), Topic::Track, 1500, MARKED);
    assert_eq!((sealing.train(), sealing.figures().memory_bytes), (0, 0));
    feed(&sealing, &mut Documents::new(2), Topic::Track, 1100, WARM);
    assert_eq!(sealing.train(), 1);
    // They may use what others trained.
    let (stored, record) =
        feed(&sealing, &mut Documents::new(3), Topic::Track, 1, MARKED).remove(0);
    assert!(Named::by(&record).unwrap().dictionary.is_some());
    assert_eq!(sealing.decode(own_key().borrow(), &record), Ok(stored));

    let codec = codec(Encrypt::None);
    for seed in 0..1100_u64 {
        use rand::{Rng, SeedableRng};
        let mut noise = vec![0; 100];
        rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut noise);
        encoded(
            &codec,
            &Stored {
                note: b"noise".as_slice().into(),
                ..entry(noise)
            },
            WARM,
        );
    }
    assert_eq!((codec.train(), codec.figures().dictionaries), (0, 0));
}

#[test]
fn dictionaries_outlast_the_codec_while_records_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let dictionaries = Dictionaries::open(folder.path().join("dictionaries")).unwrap();
        Codec::new(settings(Encrypt::None), None, dictionaries)
    };
    let codec = open();
    feed(&codec, &mut Documents::new(1), Topic::Results, 1100, WARM);
    assert_eq!(codec.train(), 1);
    let (stored, record) = feed(&codec, &mut Documents::new(2), Topic::Results, 1, WARM).remove(0);
    drop(codec);

    let again = open();
    assert_eq!(again.decode(own_key().borrow(), &record), Ok(stored));
    let (_, later) = feed(&again, &mut Documents::new(3), Topic::Results, 1, WARM).remove(0);
    assert_eq!(Named::by(&later), Named::by(&record));
    // The newest stays though no record names it.
    assert_eq!(again.retire_dictionaries(|_| false), 0);

    // Values of that type change altogether, so another dictionary takes over.
    let note: Box<[u8]> = Topic::Results.name().as_bytes().into();
    let mut sessions = Documents::new(4);
    for _ in 0..(1 << 16) + 1100 {
        again
            .kinds
            .of("default", Some(&note), b"", &again.dictionaries)
            .offer(&sessions.make(Topic::Session));
    }
    assert!(!again.has_old_dictionaries());
    assert_eq!((again.train(), again.figures().dictionaries), (1, 2));
    assert!(again.has_old_dictionaries());
    let (new_stored, new_record) = feed(&again, &mut sessions, Topic::Results, 1, WARM).remove(0);
    assert_ne!(Named::by(&new_record), Named::by(&record));
    let census = Census::default();
    census.add(Named::by(&record).unwrap());
    assert_eq!(again.retire_dictionaries(|id| census.needs(id)), 0);
    census.remove(Named::by(&record).unwrap());
    assert_eq!(again.retire_dictionaries(|id| census.needs(id)), 1);
    let gone = Named::by(&record).unwrap().dictionary.unwrap();
    assert_eq!(
        again.decode(own_key().borrow(), &record),
        Err(Damage::UnknownDictionary(gone))
    );
    assert_eq!(
        open().decode(own_key().borrow(), &new_record),
        Ok(new_stored)
    );
    assert_eq!(open().figures().dictionaries, 1);
}

#[test]
fn what_others_read_as_well_names_no_dictionary_and_trains_none() {
    let codec = codec(Encrypt::None);
    let portable = Handling {
        is_portable: true,
        ..WARM
    };
    feed(&codec, &mut Documents::new(1), Topic::Track, 1100, portable);
    assert_eq!(codec.train(), 0);
    feed(&codec, &mut Documents::new(1), Topic::Track, 1100, WARM);
    assert_eq!(codec.train(), 1);
    let other = Codec::new(settings(Encrypt::None), None, Dictionaries::default());
    for (stored, record) in feed(&codec, &mut Documents::new(2), Topic::Track, 200, portable) {
        assert_eq!(other.decode(own_key().borrow(), &record), Ok(stored));
    }
    let (_, record) = feed(&codec, &mut Documents::new(3), Topic::Track, 1, WARM).remove(0);
    assert!(Named::by(&record).unwrap().dictionary.is_some());
}

#[test]
fn one_tenant_leaves_the_others_their_share_of_samples() {
    let settings = Settings {
        tenants: 2,
        ..settings(Encrypt::None)
    };
    let codec = Codec::new(settings, None, Dictionaries::default());
    let offer = |tenant: &str, types: usize| {
        for number in 0..types {
            let data_type = format!("type {number}");
            let kinds = &codec.kinds;
            let kind = kinds.of(tenant, Some(data_type.as_bytes()), b"", &codec.dictionaries);
            (0..1024).for_each(|_| kind.offer(&[b'x'; 8 << 10]));
        }
        codec.figures().memory_bytes
    };
    assert_eq!(offer("greedy", 3), 4 << 20);
    assert_eq!(offer("other", 1), 8 << 20);
}
