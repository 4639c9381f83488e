use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// Runs a fuzz body over every file of its corpus.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut replayed = 0;
    for file in files {
        body(&fs::read(file.unwrap().path()).unwrap());
        replayed += 1;
    }
    assert!(replayed > 0, "{} is empty", folder.display());
}

#[test]
fn the_corpus_of_the_engine_breaks_no_promise() {
    replay("engine", super::engine);
}

#[test]
fn the_corpus_of_the_codec_breaks_no_promise() {
    replay("resp", super::resp);
}

#[test]
fn the_corpus_of_records_breaks_no_promise() {
    replay("codec", super::codec);
}

#[test]
fn the_corpus_of_the_disk_breaks_no_promise() {
    replay("disk", super::disk);
}

#[test]
fn the_corpus_of_policies_breaks_no_promise() {
    replay("policy", super::policy);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_sequence_of_operations_breaks_a_promise(data in prop::collection::vec(any::<u8>(), 1..8000)) {
        super::engine(&data);
    }

    #[test]
    fn no_record_breaks_a_promise(data in prop::collection::vec(any::<u8>(), 0..2000)) {
        super::codec(&data);
    }

    #[test]
    fn no_answer_of_a_policy_breaks_a_promise(data in prop::collection::vec(any::<u8>(), 1..2000)) {
        super::policy(&data);
    }

    #[test]
    fn no_damage_to_the_disk_breaks_a_promise(data in prop::collection::vec(any::<u8>(), 0..300)) {
        super::disk(&data);
    }
}
