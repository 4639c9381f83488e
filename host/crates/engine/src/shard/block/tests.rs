use super::*;

const CLASSES: SizeClasses = SizeClasses::Jemalloc;

fn block(key: &[u8], value: &[u8], expiry: Millis) -> Block {
    let content = Content {
        key: Key::new(3, key),
        label: Label::NONE,
        value: Laid::plain(value),
        more: b"!",
        expiry,
        stamp: 7,
    };
    Block::new(CLASSES, &content).unwrap()
}

#[test]
fn holds_what_it_was_given() {
    for key_len in [0, 1, 16, 300, crate::KEY_BYTES_MAX] {
        let key = vec![b'k'; key_len];
        let mut block = block(&key, b"value", 1_700_000_000_123);
        assert_eq!(
            (block.key(), block.value(), block.db()),
            (&key[..], &b"value!"[..], 3)
        );
        assert_eq!(
            (block.expires_at(), block.stamp()),
            (Some(1_700_000_000_123), 7)
        );
        block.set_expiry(0);
        block.set_stamp(9);
        assert_eq!(
            (block.expires_at(), block.stamp(), block.db()),
            (None, 9, 3)
        );
        assert!(block.is_key(Key::new(3, &key)) && !block.is_key(Key::new(2, &key)));
        block.free(CLASSES);
    }
}

#[test]
fn a_value_changes_in_place_only_within_its_size_class() {
    let mut block = block(b"0123456789abcdef", &[1; 63], 0);
    assert_eq!(block.bytes(CLASSES), 96);
    assert!(block.overwrite(CLASSES, Some(Label::NONE), Laid::plain(&[2; 49])));
    assert_eq!(block.value(), [2; 49]);
    assert!(block.extend(CLASSES, &[3; 15]));
    assert!(!block.extend(CLASSES, &[4]));
    assert!(!block.overwrite(CLASSES, Some(Label::NONE), Laid::plain(&[5; 48])));
    assert!(!block.overwrite(CLASSES, Some(Label::NONE), Laid::plain(&[5; 65])));
    assert_eq!(block.value(), [&[2; 49][..], &[3; 15]].concat());
    block.free(CLASSES);
}

#[test]
fn an_expiry_beyond_the_last_counts_as_the_last() {
    let block = block(b"k", b"v", u64::MAX);
    assert_eq!(block.expires_at(), Some(MILLIS_MAX));
    block.free(CLASSES);
}

#[test]
fn a_label_is_kept_and_a_block_without_one_pays_nothing_for_it() {
    let long = vec![b'n'; LABEL_NOTE_BYTES_MAX];
    let some = Times {
        stale_ms: 1,
        refresh_ms: u32::MAX,
        cost_ms: 3,
    };
    for (priority, note, times) in [
        (0, &b"n"[..], Times::NONE),
        (200, b"", Times::NONE),
        (255, b"type=json", some),
        (1, &long, some),
        (0, b"", some),
    ] {
        let label = Label {
            priority,
            note,
            times,
        };
        let content = Content {
            key: Key::new(3, b"0123456789abcdef"),
            label,
            value: Laid::plain(&[1; 64]),
            more: b"",
            expiry: 5,
            stamp: 7,
        };
        let mut block = Block::new(CLASSES, &content).unwrap();
        assert_eq!(block.label(), label);
        assert_eq!(
            (block.key(), block.value()),
            (&b"0123456789abcdef"[..], &[1; 64][..])
        );
        assert!(block.is_key(content.key) && block.expires_at() == Some(5));
        assert!(block.bytes(CLASSES) >= 96 + LABEL_HEAD_BYTES + note.len());
        let other = Laid::plain(&[2; 64]);
        assert!(!block.overwrite(CLASSES, Some(Label::NONE), other));
        assert!(block.overwrite(CLASSES, None, other) && block.value() == [2; 64]);
        assert_eq!(block.label(), label);
        block.set_lapsed(true);
        assert!(block.is_lapsed() && block.label() == label && block.value() == [2; 64]);
        block.set_lapsed(false);
        assert!(!block.is_lapsed() && block.goes_at() == 5 + u64::from(times.stale_ms));
        block.free(CLASSES);
    }
    let mut plain = block(b"0123456789abcdef", &[1; 63], 0);
    assert_eq!((plain.label(), plain.bytes(CLASSES)), (Label::NONE, 96));
    plain.set_lapsed(true);
    assert!(!plain.is_lapsed() && plain.goes_at() == 0 && plain.label() == Label::NONE);
    plain.free(CLASSES);
}

#[test]
fn a_value_that_is_shut_has_a_label_that_says_so() {
    let note = Label {
        note: b"n",
        ..Label::NONE
    };
    let (shut, open) = (
        Laid {
            bytes: &[1; 64],
            is_shut: true,
        },
        Laid::plain(&[2; 64]),
    );
    for label in [Label::NONE, note] {
        let content = Content {
            key: Key::new(3, b"0123456789abcdef"),
            label,
            value: shut,
            more: b"",
            expiry: 5,
            stamp: 7,
        };
        let mut block = Block::new(CLASSES, &content).unwrap();
        assert!(block.is_shut() && block.label() == label);
        assert_eq!(block.label_len(), label_len(label, true));
        assert!(block.is_key(content.key) && block.value() == [1; 64]);
        assert!(!block.overwrite(CLASSES, None, open));
        assert!(block.overwrite(CLASSES, Some(label), shut));
        block.set_lapsed(true);
        assert!(block.is_shut() && block.is_lapsed() && block.value() == [1; 64]);
        block.free(CLASSES);
    }
    let plain = block(b"k", b"v", 0);
    assert!(!plain.is_shut());
    plain.free(CLASSES);
}
