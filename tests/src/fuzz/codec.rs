//! Fuzz body of the codec: any bytes as a record, and records that were changed.

use std::sync::OnceLock;

use larder_engine::tier::{Stored, TierKeyBuf};
use larder_tiers::codec::{Codec, Dictionaries, Encrypt, Handling, Heat, KeyRing, Named, Settings};
use larder_tiers::documents::{Documents, Topic};

const CONTENT_BYTES_MAX: usize = 64 * 1024;

/// Reads `data` as a record; then takes it as an entry whose record is changed as it says, and read again.
///
/// # Panics
/// When an entry does not come back, is longer than allowed, takes more than its header and seal, or when a sealed
/// record that was changed is read.
pub fn codec(data: &[u8]) {
    let codecs = codecs();
    let key = key(b"key");
    for (codec, _) in codecs {
        if let Ok(stored) = codec.decode(key.borrow(), data) {
            assert!(stored.value.len() + stored.note.len() <= CONTENT_BYTES_MAX);
            assert!(Named::by(data).is_some());
        }
    }
    let Some((&[how, place, change], content)) = data.split_first_chunk() else {
        return;
    };
    let (codec, encrypt) = &codecs[usize::from(how % 3)];
    let content = &content[..content.len().min(CONTENT_BYTES_MAX)];
    let (note, value) = content.split_at(content.len().min(usize::from(how / 16)));
    let stored = Stored {
        value: value.into(),
        expires_at: (how & 4 != 0).then_some(u64::from(place) << 40),
        priority: how / 8,
        note: note.into(),
        ..Stored::default()
    };
    let handling = Handling {
        is_marked: *encrypt == Encrypt::Marked,
        heat: [Heat::Cold, Heat::Warm, Heat::Hot][usize::from(place % 3)],
        is_portable: place % 2 == 0,
    };
    let mut record = Vec::new();
    codec
        .encode(key.borrow(), &stored, handling, &mut record)
        .expect("it is short enough, and there are keys");
    let is_sealed = *encrypt != Encrypt::None;
    let overhead = 23 + if is_sealed { 40 } else { 0 };
    assert!(
        record.len() <= content.len() + overhead,
        "{} of {}",
        record.len(),
        content.len()
    );
    let read = codec.decode(key.borrow(), &record);
    assert!(read.as_ref() == Ok(&stored), "{read:?}");
    if is_sealed && change != 0 {
        let at = usize::from(place) * record.len() / 256;
        record[at] ^= change;
        assert!(
            codec.decode(key.borrow(), &record).is_err(),
            "byte {at} ^ {change}"
        );
    }
}

fn key(bytes: &[u8]) -> TierKeyBuf {
    TierKeyBuf {
        tenant: "default".into(),
        db: 0,
        bytes: bytes.into(),
    }
}

/// One of each way to encrypt, with a dictionary for what looks like text.
fn codecs() -> &'static [(Codec, Encrypt); 3] {
    static CODECS: OnceLock<[(Codec, Encrypt); 3]> = OnceLock::new();
    let make = |encrypt| {
        let ring = KeyRing::generate(0).expect("the system gives random numbers");
        let settings = Settings {
            compress: true,
            encrypt,
            content_bytes_max: CONTENT_BYTES_MAX,
            data_type_of: |_| None,
            tenants: 1,
            seed: 1,
        };
        (
            Codec::new(settings, Some(ring), Dictionaries::default()),
            encrypt,
        )
    };
    CODECS.get_or_init(|| {
        let codecs = [Encrypt::None, Encrypt::Marked, Encrypt::All].map(make);
        let warm = Handling {
            is_marked: false,
            heat: Heat::Warm,
            is_portable: false,
        };
        let mut documents = Documents::new(1);
        for number in 0..1100 {
            let stored = Stored {
                value: documents.make(Topic::ALL[number % 3]).into(),
                ..Stored::default()
            };
            for (codec, _) in &codecs[..2] {
                let mut record = Vec::new();
                let encoded = codec.encode(key(b"key").borrow(), &stored, warm, &mut record);
                encoded.expect("it is short enough, and not to be sealed");
            }
        }
        for (codec, encrypt) in &codecs {
            let trained = usize::from(*encrypt != Encrypt::All);
            assert_eq!(codec.train(), trained, "sealed values train nothing");
        }
        codecs
    })
}
