use xxhash_rust::xxh3::xxh3_64;

use crate::codec::{Damage, Dictionaries, Encrypt, KeyRing, Settings};
use crate::documents::{Documents, Topic};

use super::*;

const KEY: Key<'static> = Key::new(3, b"k");
const MARK: &[u8] = b"marked";

fn codec(ring: Option<KeyRing>) -> Arc<Codec> {
    let settings = Settings {
        compress: true,
        // It concerns what leaves the memory.
        encrypt: Encrypt::None,
        content_bytes_max: 1 << 20,
        data_type_of: |_| None,
        tenants: 1,
        seed: 1,
    };
    Arc::new(Codec::new(settings, ring, Dictionaries::default()))
}

fn safe(codec: &Arc<Codec>, tenant: &str) -> Safe {
    Safe::new(Arc::clone(codec), tenant, |note| note == MARK, Some(1_000))
}

#[test]
fn what_is_marked_is_sealed_where_it_belongs_and_all_else_is_left_alone() {
    let codec = codec(Some(KeyRing::generate(0).unwrap()));
    let own = safe(&codec, "own");
    assert_eq!(own.shut(KEY, b"note", b"open"), Ok(None));
    for value in [&b""[..], b"secret", &[7; 70_000]] {
        let shut = own.shut(KEY, MARK, value).unwrap().unwrap();
        assert_eq!(own.open(KEY, &shut).as_deref(), Some(value));
        assert!(shut.len() <= value.len() + 56);
        assert!(value.is_empty() || !shut.windows(value.len()).any(|part| part == value));
        for (tenant, key) in [
            ("other", KEY),
            ("own", Key::new(2, b"k")),
            ("own", Key::new(3, b"l")),
        ] {
            assert_eq!(safe(&codec, tenant).open(key, &shut), None);
        }
        let mut forged = shut.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(own.open(KEY, &forged), None);
    }
    let figures = codec.figures();
    assert_eq!((figures.sealed, figures.opened), (3, 3));
    assert_eq!(Damage::KINDS[5], "forged");
    assert_eq!(figures.damaged[5], 12);
}

#[test]
fn what_is_long_is_compressed_where_that_saves_a_quarter() {
    let codec = codec(None);
    let own = safe(&codec, "own");
    let mut documents = Documents::new(1);
    let page: Vec<u8> = (0..20)
        .flat_map(|_| documents.make(Topic::Results))
        .collect();
    let shut = own.shut(KEY, b"", &page).unwrap().unwrap();
    assert!(
        shut.len() * 4 <= page.len() * 3,
        "{} of {}",
        shut.len(),
        page.len()
    );
    assert_eq!(
        own.shut(KEY, b"", &page).unwrap().as_ref(),
        Some(&shut),
        "the same again"
    );
    assert_eq!(own.open(KEY, &shut).as_deref(), Some(&page[..]));
    let packed = codec.figures().packed;
    assert_eq!(
        (packed.records, packed.bytes_in),
        (2, 2 * page.len() as u64)
    );
    assert_eq!(packed.bytes_out, 2 * shut.len() as u64);
    assert_eq!(own.open(KEY, &shut[..shut.len() - 1]), None);
    assert_eq!(codec.figures().damaged.iter().sum::<u64>(), 1);
    assert_eq!(
        own.shut(KEY, b"", &page[..999]).unwrap(),
        None,
        "it is short"
    );
    let noise = (0..250_u64).flat_map(|n| xxh3_64(&n.to_le_bytes()).to_le_bytes());
    let noise: Vec<u8> = noise.collect();
    assert_eq!(
        own.shut(KEY, b"", &noise).unwrap(),
        None,
        "it saves nothing"
    );
}

#[test]
fn a_value_under_a_key_that_is_gone_is_absent_and_counted() {
    let codec = codec(Some(KeyRing::generate(0).unwrap()));
    let own = safe(&codec, "own");
    let shut = own.shut(KEY, MARK, b"secret").unwrap().unwrap();
    codec.replace_ring(Some(KeyRing::generate(0).unwrap()));
    assert_eq!(own.open(KEY, &shut), None);
    assert_eq!(Damage::KINDS[3], "unknown_key");
    assert_eq!(codec.figures().damaged[3], 1);
    codec.replace_ring(None);
    let refused = own.shut(KEY, MARK, b"secret").unwrap_err();
    assert!(refused.to_string().contains("larder keys new"), "{refused}");
}
