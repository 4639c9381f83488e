use super::*;

fn page(members: Vec<(Vec<u8>, u64)>) -> Page {
    Page {
        now: 9_000,
        floor: 10,
        members,
    }
}

#[test]
fn a_page_that_is_full_is_followed_by_one_that_begins_with_its_last_tick() {
    let tags = |count: usize, tick: u64| {
        let names = (0..count).map(|n| format!("t{n}").into_bytes());
        names.map(|name| (name, tick)).collect::<Vec<_>>()
    };
    assert_eq!(page(tags(PAGE_TAGS - 1, 20)).next(11), None);
    assert_eq!(page(tags(PAGE_TAGS, 20)).next(11), Some(19));
    assert_eq!(page(tags(PAGE_TAGS, 20)).next(19), Some(20), "it goes on");
}

#[test]
fn what_is_no_tag_is_not_taken_for_one() {
    let members = [
        ("n", 9_000),
        ("f", 10),
        ("t", 11),
        ("tn", 12),
        ("x", 13),
        ("t", 9_001),
    ];
    let members = members.map(|(name, tick)| (name.as_bytes().to_vec(), tick));
    let invalidated = page(members.to_vec()).invalidated();
    let of = |name: &[u8], tick| (Box::from(name), stamp_of(tick));
    assert_eq!(invalidated.tags, [of(b"", 11), of(b"n", 12)]);
    assert_eq!(invalidated.floor, stamp_of(10));
}

#[test]
fn a_doubt_is_over_when_it_was_asked_after_it() {
    let tags = SharedTags::default();
    let tenant: Arc<str> = "t".into();
    assert!(!tags.is_known("t"));
    let asked = |doubts| tags.change(&tenant, |own| own.asked_at = own.asked_at.max(doubts));
    asked(tags.doubts());
    assert!(tags.is_known("t") && !tags.is_known("other"));
    let before = tags.doubts();
    tags.doubt();
    asked(before);
    assert!(!tags.is_known("t"), "it was asked before");
    asked(tags.doubts());
    assert!(tags.is_known("t"));
    tags.has_counted(&tenant, 7);
    tags.has_counted(&tenant, 5);
    assert_eq!(tags.of("t").counted, 7);
}

#[test]
fn ticks_beyond_all_bounds_are_none() {
    assert_eq!(tick_of(u64::MAX), TICKS_MAX - 1);
    assert_eq!(tick_of(stamp_of(5) + STAMPS_A_TICK - 1), 5);
    assert!(stamp_of(u64::MAX) > stamp_of(TICKS_MAX - 1));
}
