use proptest::prelude::*;

use super::*;

fn headers() -> impl Strategy<Value = Header> {
    let packing = prop_oneof![
        Just(Packing::Plain),
        Just(Packing::Zstd),
        Just(Packing::Lz4),
        any::<u32>().prop_map(|id| Packing::Dictionary(DictionaryId(id))),
    ];
    let fields = (
        packing,
        any::<Option<u32>>(),
        any::<bool>(),
        prop::option::of(0..=EXPIRY_MAX),
        any::<u8>(),
        prop_oneof![0..70_000u32, any::<u32>()],
        any::<u16>(),
    );
    fields.prop_map(
        |(packing, key, is_marked, expires_at, priority, value_bytes, note_bytes)| Header {
            packing,
            sealed_under: key.map(KeyId),
            is_marked,
            expires_at,
            priority,
            value_bytes,
            note_bytes,
        },
    )
}

proptest! {
    #[test]
    fn a_header_comes_back_as_it_was_written(header in headers(), rest in any::<[u8; 3]>()) {
        let mut record = Vec::new();
        header.write(&mut record);
        prop_assert!((4..=23).contains(&record.len()));
        record.extend_from_slice(&rest);
        prop_assert_eq!(Header::read(&record), Ok((header, &rest[..])));
    }

    #[test]
    fn any_bytes_are_one_header_or_none(record in prop::collection::vec(any::<u8>(), 0..30)) {
        if let Ok((header, rest)) = Header::read(&record) {
            let mut again = Vec::new();
            header.write(&mut again);
            again.extend_from_slice(rest);
            prop_assert_eq!(again, record);
        }
    }
}

#[test]
fn a_small_entry_pays_four_bytes_and_one_that_expires_ten() {
    let mut stored = Stored {
        value: vec![0; 200].into(),
        ..Stored::default()
    };
    let bytes = |stored: &Stored| {
        let mut out = Vec::new();
        Header::of(stored, false, None).write(&mut out);
        out.len()
    };
    assert_eq!(bytes(&stored), 4);
    stored.expires_at = Some(1_795_338_000_000);
    assert_eq!(bytes(&stored), 10);
}

#[test]
fn other_forms_are_told_apart() {
    assert_eq!(Header::read(&[]), Err(Damage::Malformed));
    assert_eq!(Header::read(&[0x20, 0, 0, 0]), Err(Damage::Newer(0x20)));
    assert_eq!(Header::read(&[0x00, 0, 0, 0]), Err(Damage::Malformed));
    // A sealed form without the flag, and the flag without the form.
    assert_eq!(
        Header::read(&[SEALED, 0, 0, 0, 1, 1, 1, 1]),
        Err(Damage::Malformed)
    );
    assert_eq!(
        Header::read(&[PLAIN, IS_SEALED, 0, 0]),
        Err(Damage::Malformed)
    );
    // Wide without need.
    assert_eq!(
        Header::read(&[PLAIN, IS_WIDE, 9, 0, 0, 0]),
        Err(Damage::Malformed)
    );
}
