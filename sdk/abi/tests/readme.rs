//! The contract in words says what the crate says.

use larder_abi::{
    EVENT_BYTES, EVENTS_MAX, FORETOLD_BYTES, FORETOLD_MAX, LOG_BYTES_MAX, MANIFEST_SECTION,
    NEWCOMER, QUESTION_BYTES, REQUEST_BYTES, TTL_KEEP, TTL_MS_MAX, TTL_NEVER,
    VALUE_PREFIX_BYTES_MAX, VICTIMS_MAX, export, import,
};

const README: &str = include_str!("../README.md");
const EXAMPLE: &str = include_str!("../../../tests/guests/fifo.c");

#[test]
fn the_example_is_the_file_that_the_tests_build() {
    let code = EXAMPLE.find("typedef").map(|start| &EXAMPLE[start..]);
    assert!(README.contains(code.expect("the file begins with its types")));
}

#[test]
fn names_are_those_of_the_crate() {
    for name in [
        export::MEMORY,
        export::MARKER,
        export::BUFFER,
        export::INIT,
        export::EVENTS,
        export::VICTIMS,
        export::SHOULD_CACHE,
        export::TTL,
        export::PRIORITY,
        export::SECURITY,
        MANIFEST_SECTION,
    ] {
        assert!(README.contains(&format!("`{name}`")), "{name}");
    }
    assert!(README.contains(&format!("`{}.{}`", import::MODULE, import::LOG)));
}

#[test]
fn numbers_are_those_of_the_crate() {
    let grouped = |number: u64| {
        let digits = number.to_string();
        let groups = digits.as_bytes().rchunks(3).rev();
        let groups = groups.map(|group| str::from_utf8(group).expect("digits are text"));
        groups.collect::<Vec<_>>().join(",")
    };
    for said in [
        format!("bytes of an event's record, {EVENT_BYTES} or more"),
        format!("bytes of a request's record, {REQUEST_BYTES} or more"),
        format!("0 to {FORETOLD_MAX} records of {FORETOLD_BYTES} bytes"),
        format!("before its parts, {QUESTION_BYTES} or more"),
        format!("brings 1 to {EVENTS_MAX} records"),
        format!("at most {}, that together", grouped(VICTIMS_MAX as u64)),
        format!("1 to {} milliseconds", grouped(TTL_MS_MAX)),
        format!(
            "the first {} bytes are taken",
            grouped(LOG_BYTES_MAX as u64)
        ),
        format!("0 to {};", grouped(VALUE_PREFIX_BYTES_MAX as u64)),
        format!("0x{NEWCOMER:X}"),
        format!("−{} keep, −{} never", -TTL_KEEP, -TTL_NEVER),
    ] {
        assert!(README.contains(&said), "{said}");
    }
}
