//! What seals prove, and what is done without keys.

use super::*;

fn sealed_document(codec: &Codec) -> (Stored, Vec<u8>) {
    let stored = Stored {
        value: Documents::new(1).make(Topic::Track).into(),
        expires_at: Some(1_795_338_000_000),
        priority: 7,
        note: b"track".as_slice().into(),
        ..Stored::default()
    };
    let record = encoded(codec, &stored, MARKED);
    (stored, record)
}

#[test]
fn whatever_is_changed_of_a_sealed_record_is_detected() {
    for encrypt in [Encrypt::All, Encrypt::Marked] {
        let codec = codec(encrypt);
        let (stored, record) = sealed_document(&codec);
        let read = |record: &[u8]| codec.decode(own_key().borrow(), record);
        assert_eq!(read(&record), Ok(stored));
        let mut tampered = 0;
        for at in 0..record.len() {
            // The header in every way; of the rest each bit.
            for change in 1..=255_u8 {
                if at >= 24 && !change.is_power_of_two() {
                    continue;
                }
                let mut changed = record.clone();
                changed[at] ^= change;
                assert!(read(&changed).is_err(), "{encrypt:?}: byte {at} ^ {change}");
                tampered += 1;
            }
            assert!(read(&record[..at]).is_err(), "cut to {at}");
            tampered += 1;
            // Where open records are read, what is left might happen to be one.
            if encrypt == Encrypt::All {
                assert!(read(&record[at + 1..]).is_err(), "cut from {at}");
                tampered += 1;
            }
        }
        for more in [&[0][..], &[0; 16], &record] {
            assert!(read(&[&record, more].concat()).is_err());
            assert!(read(&[more, &record].concat()).is_err());
            tampered += 2;
        }
        assert_eq!(codec.figures().damaged.iter().sum::<u64>(), tampered);
    }
}

#[test]
fn a_record_is_worth_nothing_anywhere_else() {
    let codec = codec(Encrypt::All);
    let place = key("ab", 1, b"cd");
    let mut record = Vec::new();
    codec
        .encode(place.borrow(), &entry(&b"secret"[..]), WARM, &mut record)
        .unwrap();
    assert!(codec.decode(place.borrow(), &record).is_ok());
    let others = [
        key("ab", 1, b"ce"),
        key("ab", 1, b"cd\0"),
        key("ab", 1, b""),
        key("ab", 2, b"cd"),
        key("ax", 1, b"cd"),
        // The same bytes, divided elsewhere.
        key("a", b'b', b"\x01cd"),
        key("ab\x01", b'c', b"d"),
    ];
    for other in &others {
        assert_eq!(
            codec.decode(other.borrow(), &record),
            Err(Damage::Forged),
            "{other:?}"
        );
    }
    assert_eq!(codec.figures().damaged[5], others.len() as u64);
    assert_eq!(Damage::KINDS[5], "forged");
}

#[test]
fn a_seal_is_broken_where_the_dictionary_is_another_one_of_the_same_name() {
    let ring = KeyRing::generate(0).unwrap();
    let codec = || {
        let settings = settings(Encrypt::Marked);
        Codec::new(settings, Some(ring.clone()), Dictionaries::default())
    };
    let own = codec();
    let mut documents = Documents::new(1);
    for _ in 0..1100 {
        encoded(&own, &entry(documents.make(Topic::Track)), WARM);
    }
    assert_eq!(own.train(), 1);
    let stored = entry(documents.make(Topic::Track));
    let [sealed, open] = [MARKED, WARM].map(|handling| encoded(&own, &stored, handling));
    let id = Named::by(&sealed).unwrap().dictionary.unwrap();
    let dictionary = own.dictionaries.get(id).unwrap();

    let place = own_key();
    let other = codec();
    let gone = other.decode(place.borrow(), &sealed);
    assert_eq!(gone, Err(Damage::UnknownDictionary(id)));
    other.dictionaries.keep(dictionary.forged().into()).unwrap();
    let forged = other.decode(place.borrow(), &sealed);
    assert_eq!(forged, Err(Damage::Forged));
    // What is not sealed has nothing but the checksums of its tier.
    assert_ne!(other.decode(place.borrow(), &open), Ok(stored.clone()));
    other.dictionaries.keep(dictionary).unwrap();
    for record in [&sealed, &open] {
        assert_eq!(other.decode(place.borrow(), record), Ok(stored.clone()));
    }
}

#[test]
fn the_same_entry_is_never_sealed_alike_and_shows_nothing() {
    let codec = codec(Encrypt::All);
    let stored = entry(vec![b'x'; 40]);
    let records: Vec<_> = (0..50).map(|_| encoded(&codec, &stored, WARM)).collect();
    let mut nonces: Vec<_> = records.iter().map(|record| &record[8..32]).collect();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), 50);
    for record in &records {
        assert!(!record.windows(8).any(|bytes| bytes == b"xxxxxxxx"));
    }
}

#[test]
fn rotation_reads_what_was_and_tells_what_is_outdated() {
    let mut ring = KeyRing::generate(0).unwrap();
    let old = ring.active();
    let codec = Codec::new(
        settings(Encrypt::All),
        Some(ring.clone()),
        Dictionaries::default(),
    );
    let stored = entry(&b"value"[..]);
    let first = encoded(&codec, &stored, WARM);
    assert_eq!(Named::by(&first).unwrap().key, Some(old));
    assert_eq!(codec.form(&first), Form::Current);

    let new = ring.rotate(0).unwrap();
    codec.replace_ring(Some(ring.clone()));
    let second = encoded(&codec, &stored, WARM);
    assert_eq!(Named::by(&second).unwrap().key, Some(new));
    assert_eq!(codec.form(&first), Form::Outdated);
    assert_eq!(codec.form(&second), Form::Current);
    for record in [&first, &second] {
        assert_eq!(codec.decode(own_key().borrow(), record), Ok(stored.clone()));
    }

    ring.remove(old).unwrap();
    codec.replace_ring(Some(ring));
    // Its key may come back.
    assert_eq!(codec.form(&first), Form::Current);
    assert_eq!(
        codec.decode(own_key().borrow(), &first),
        Err(Damage::UnknownKey(old))
    );
    assert_eq!(codec.decode(own_key().borrow(), &second), Ok(stored));
    // Another ring altogether, and none.
    codec.replace_ring(Some(KeyRing::generate(0).unwrap()));
    assert_eq!(
        codec.decode(own_key().borrow(), &second),
        Err(Damage::UnknownKey(new))
    );
    codec.replace_ring(None);
    assert_eq!(
        codec.decode(own_key().borrow(), &second),
        Err(Damage::UnknownKey(new))
    );
}

#[test]
fn what_has_to_be_sealed_never_leaves_open_and_is_never_read_open() {
    let open = codec(Encrypt::None);
    let stored = entry(&b"value"[..]);
    let mut out = Vec::new();
    let refused = open.encode(own_key().borrow(), &stored, MARKED, &mut out);
    assert_eq!((refused, out.len()), (Err(Refusal::NoKey), 0));
    let plain = encoded(&open, &stored, WARM);
    let all = codec(Encrypt::All);
    assert_eq!(
        all.decode(own_key().borrow(), &plain),
        Err(Damage::Unsealed)
    );
    assert_eq!(
        codec(Encrypt::Marked).decode(own_key().borrow(), &plain),
        Ok(stored.clone())
    );
    // The flag that a record is marked, set by hand.
    let mut marked = plain.clone();
    marked[1] |= 1 << 3;
    assert_eq!(
        open.decode(own_key().borrow(), &marked),
        Err(Damage::Unsealed)
    );
    assert_eq!(all.form(&plain), Form::Void);
    assert_eq!(codec(Encrypt::Marked).form(&plain), Form::Current);
    let keyless = Codec::new(settings(Encrypt::All), None, Dictionaries::default());
    let refused = keyless.encode(own_key().borrow(), &stored, WARM, &mut Vec::new());
    assert_eq!(refused, Err(Refusal::NoKey));
    let marking = codec(Encrypt::Marked);
    assert!(
        Named::by(&encoded(&marking, &stored, MARKED))
            .unwrap()
            .key
            .is_some()
    );
    assert!(
        Named::by(&encoded(&marking, &stored, WARM))
            .unwrap()
            .key
            .is_none()
    );
}
