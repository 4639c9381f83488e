use super::*;

const PARTS: QuestionParts<'_> = QuestionParts {
    now_ms: 1_700_000_000_000,
    db: 3,
    operation: Operation::Load,
    tier: 2,
    key: b"user:7",
    tenant: "shop",
    value_bytes: 5000,
    value: b"{\"name\":1}",
    ttl_ms: Some(60_000),
    data_type: b"json",
    cost_ms: Some(0),
    tags: &[b"a", b"", b"vip"],
    attributes: &[(b"region", b"eu"), (b"", b"x")],
};

#[test]
fn what_is_written_is_read() {
    let mut record = Vec::new();
    write_question(&PARTS, 4, &mut record);
    let question = Question::new(&record);
    assert_eq!(question.now_ms(), PARTS.now_ms);
    assert_eq!((question.db(), question.operation()), (3, Operation::Load));
    assert_eq!((question.tier(), question.value_bytes()), (2, 5000));
    assert_eq!(question.key(), PARTS.key);
    assert_eq!(question.tenant(), b"shop");
    assert_eq!(question.value_prefix(), b"{\"na");
    assert_eq!(question.data_type(), b"json");
    assert_eq!(
        (question.ttl_ms(), question.cost_ms()),
        (Some(60_000), Some(0))
    );
    assert!(question.tags().eq(PARTS.tags.iter().copied()));
    assert!(question.attributes().eq(PARTS.attributes.iter().copied()));
    assert_eq!(question.attribute(b"region"), Some(&b"eu"[..]));
}

#[test]
fn any_bytes_can_be_read() {
    let mut record = Vec::new();
    write_question(&PARTS, 4096, &mut record);
    for at in 0..record.len() {
        for change in [0, 1, 0x7f, 0xff] {
            let mut broken = record.clone();
            broken[at] ^= change;
            for len in [broken.len(), at] {
                let question = Question::new(&broken[..len]);
                let _ = (question.key(), question.tenant(), question.value_prefix());
                assert!(question.tags().count() <= broken.len());
                assert!(question.attributes().count() <= broken.len());
            }
        }
    }
}

#[test]
fn offsets_at_the_end_of_what_32_bits_hold_are_read_as_nothing() {
    for at in [u32::MAX, u32::MAX - 3, u32::MAX - 8, 0x8000_0000] {
        let mut record = Vec::new();
        write_question(&PARTS, 0, &mut record);
        for place in [40, 72, 80] {
            record[place..place + 4].copy_from_slice(&at.to_le_bytes());
        }
        let question = Question::new(&record);
        assert!(question.key().is_empty());
        assert!(question.tags().all(<[u8]>::is_empty));
        assert!(question.attributes().all(|pair| pair == (b"", b"")));
    }
}

#[test]
fn an_older_or_newer_record_is_read_as_far_as_both_know_it() {
    let mut record = Vec::new();
    write_question(&PARTS, 0, &mut record);
    let older = Question::new(&record[..24]);
    assert_eq!((older.ttl_ms(), older.cost_ms()), (Some(60_000), None));
    assert_eq!((older.key(), older.tags().count()), (&b""[..], 0));
}
