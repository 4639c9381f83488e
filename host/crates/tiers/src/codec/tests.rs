mod learning;
mod sealing;

use larder_engine::tier::TierKeyBuf;
use proptest::prelude::*;

use super::*;
use crate::documents::{Documents, Topic};

const WARM: Handling = Handling {
    is_marked: false,
    heat: Heat::Warm,
    is_portable: false,
};
const MARKED: Handling = Handling {
    is_marked: true,
    ..WARM
};

/// Notes of these tests are types.
fn whole_note(note: &[u8]) -> Option<&[u8]> {
    Some(note).filter(|note| !note.is_empty())
}

fn settings(encrypt: Encrypt) -> Settings {
    Settings {
        compress: true,
        encrypt,
        content_bytes_max: 1 << 20,
        data_type_of: whole_note,
        tenants: 1,
        seed: 1,
    }
}

fn codec(encrypt: Encrypt) -> Codec {
    let ring = match encrypt {
        Encrypt::None => None,
        Encrypt::All | Encrypt::Marked => Some(KeyRing::generate(0).unwrap()),
    };
    Codec::new(settings(encrypt), ring, Dictionaries::default())
}

fn key(tenant: &str, db: u8, bytes: &[u8]) -> TierKeyBuf {
    TierKeyBuf {
        tenant: tenant.into(),
        db,
        bytes: bytes.into(),
    }
}

fn own_key() -> TierKeyBuf {
    key("default", 0, b"key")
}

fn entry(value: impl Into<Box<[u8]>>) -> Stored {
    Stored {
        value: value.into(),
        ..Stored::default()
    }
}

fn encoded(codec: &Codec, stored: &Stored, handling: Handling) -> Vec<u8> {
    let mut record = Vec::new();
    codec
        .encode(own_key().borrow(), stored, handling, &mut record)
        .unwrap();
    record
}

fn kind(codec: &Codec, data_type: &str) -> KindFigures {
    let kinds = codec.figures().kinds;
    kinds
        .into_iter()
        .find(|kind| kind.data_type == data_type)
        .unwrap()
}

fn entries() -> impl Strategy<Value = Stored> {
    let value = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(b'a'..b'e', 0..20_000),
        (any::<u64>(), 0..3usize).prop_map(|(seed, at)| Documents::new(seed).make(Topic::ALL[at])),
    ];
    let note = prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 1..100)];
    let expires_at = prop::option::of(0..1_u64 << 48);
    (value, note, any::<u8>(), expires_at).prop_map(|(value, note, priority, expires_at)| Stored {
        value: value.into(),
        expires_at,
        priority,
        note: note.into(),
        ..Stored::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..Default::default() })]

    #[test]
    fn entries_come_back_as_they_were_and_take_no_more_than_their_header(
        stored in entries(),
        key_bytes in prop::collection::vec(any::<u8>(), 0..50),
        is_marked: bool,
        heat in prop_oneof![Just(Heat::Cold), Just(Heat::Warm), Just(Heat::Hot)],
        is_sealing: bool,
        is_portable: bool,
    ) {
        let codec = codec(if is_sealing { Encrypt::Marked } else { Encrypt::None });
        let key = key("a tenant", 3, &key_bytes);
        let handling = Handling { is_marked: is_marked && is_sealing, heat, is_portable };
        let mut record = b"before".to_vec();
        codec.encode(key.borrow(), &stored, handling, &mut record).unwrap();
        let overhead = 23 + if handling.is_marked { 40 } else { 0 };
        prop_assert!(record.len() <= 6 + stored.value.len() + stored.note.len() + overhead);
        prop_assert_eq!(&codec.decode(key.borrow(), &record[6..]), &Ok(stored));
        prop_assert_eq!(codec.figures().sealed, u64::from(handling.is_marked));
        prop_assert_eq!(codec.figures().opened, u64::from(handling.is_marked));
    }

    #[test]
    fn no_bytes_are_more_than_an_entry_or_damage(record in prop::collection::vec(any::<u8>(), 0..200)) {
        for encrypt in [Encrypt::None, Encrypt::All] {
            let codec = codec(encrypt);
            if let Ok(stored) = codec.decode(own_key().borrow(), &record) {
                prop_assert!(encrypt == Encrypt::None && stored.value.len() + stored.note.len() <= 1 << 20);
            }
        }
    }
}

#[test]
fn each_way_of_packing_is_read_again_and_counted() {
    let codec = codec(Encrypt::None);
    let text: Vec<u8> = (0..4000)
        .flat_map(|number| format!("line {number}\n").into_bytes())
        .collect();
    let with_heat = |value: &[u8], heat| {
        let stored = entry(value);
        let record = encoded(&codec, &stored, Handling { heat, ..WARM });
        assert_eq!(codec.decode(own_key().borrow(), &record), Ok(stored));
        record.len()
    };
    let (cold, warm) = (with_heat(&text, Heat::Cold), with_heat(&text, Heat::Warm));
    assert!(
        cold < warm && warm < text.len() / 3,
        "{cold}, {warm}, {}",
        text.len()
    );
    let hot: Vec<_> = (0..20).map(|_| with_heat(&text, Heat::Hot)).collect();
    let figures = kind(&codec, "text");
    // Eight rounds of a contest. Each line differs from the last by a digit, which entropy coding is good at: zstd saves more.
    assert_eq!(
        (figures.zstd.records, figures.lz4.records),
        (22, 0),
        "{hot:?}"
    );
    let repeated = text[..500].repeat(100);
    let contested = Codec::new(settings(Encrypt::None), None, Dictionaries::default());
    for _ in 0..20 {
        let stored = entry(&*repeated);
        let hot = Handling {
            heat: Heat::Hot,
            ..WARM
        };
        let record = encoded(&contested, &stored, hot);
        assert_eq!(contested.decode(own_key().borrow(), &record), Ok(stored));
    }
    let figures = kind(&contested, "text");
    assert_eq!((figures.zstd.records, figures.lz4.records), (8, 12));
    assert_eq!(figures.lz4.bytes_in, 12 * 50_000);
    assert!(figures.lz4.bytes_out < 12 * 2_000);
}

#[test]
fn what_does_not_pay_is_left_alone() {
    let codec = codec(Encrypt::None);
    let mut random = Documents::new(1);
    // Hexadecimal digits pay; bytes of full entropy do not.
    let noise = |seed: u64| -> Vec<u8> {
        use rand::{Rng, SeedableRng};
        let mut bytes = vec![0xff; 1000];
        rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes[1..]);
        bytes
    };
    for seed in 0..100 {
        let stored = entry(noise(seed));
        assert_eq!(encoded(&codec, &stored, WARM).len(), 1004);
        let document = entry(random.make(Topic::Session));
        assert!(encoded(&codec, &document, WARM).len() < document.value.len());
    }
    encoded(&codec, &entry(&b"\xff\0short"[..]), WARM);
    let figures = kind(&codec, "binary");
    let expected = LeftAlone {
        small: 1,
        in_vain: 32,
        resting: 68,
        off: 0,
    };
    assert_eq!((figures.left_alone, figures.plain.records), (expected, 101));
    assert_eq!(kind(&codec, "json").zstd.records, 100);
    let off = Codec::new(
        Settings {
            compress: false,
            ..settings(Encrypt::None)
        },
        None,
        Dictionaries::default(),
    );
    assert_eq!(encoded(&off, &entry(vec![b'a'; 500]), WARM).len(), 504);
    assert_eq!(kind(&off, "text").left_alone.off, 1);
}

#[test]
fn entries_have_a_bound_and_a_bomb_is_refused() {
    let codec = codec(Encrypt::None);
    let longest = vec![b'a'; 1 << 20];
    let record = encoded(&codec, &entry(longest.clone()), WARM);
    assert!(record.len() < 1000);
    let (mut out, mut longer) = (b"before".to_vec(), entry(longest));
    longer.note = b"t".as_slice().into();
    let refused = codec.encode(own_key().borrow(), &longer, WARM, &mut out);
    assert_eq!(refused, Err(Refusal::TooLarge((1 << 20) + 1, 1 << 20)));
    assert_eq!(out, b"before");
    let strict = Settings {
        content_bytes_max: (1 << 20) - 1,
        ..settings(Encrypt::None)
    };
    let strict = Codec::new(strict, None, Dictionaries::default());
    assert_eq!(
        strict.decode(own_key().borrow(), &record),
        Err(Damage::TooLarge(1 << 20))
    );
    // A header that says less than what the frame unpacks to, or more.
    for said in [(1_u32 << 20) - 1, 70_000] {
        let mut lying = record.clone();
        lying[2..6].copy_from_slice(&said.to_le_bytes());
        assert_eq!(
            codec.decode(own_key().borrow(), &lying),
            Err(Damage::Unpackable)
        );
    }
}
