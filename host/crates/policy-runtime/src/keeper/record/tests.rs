use super::*;

fn names(record: &Record) -> Vec<&str> {
    let deployed = record.deployed().iter();
    deployed.map(|deployed| &*deployed.name).collect()
}

#[test]
fn what_is_written_reads_back() {
    let mut record = Record::default();
    record.deploy("a", Why::File, "1");
    record.deploy("b", Why::File, "2");
    record.deploy("a", Why::Pinned, "3");
    record.roll_back_from("a", "1");
    record.quarantine("b", "it trapped");
    record.disable("c").unwrap();
    assert_eq!(Record::from_json(record.to_json().as_bytes()), Ok(record));
}

#[test]
fn what_is_no_record_is_refused() {
    for json in [
        "",
        "{",
        "[]",
        "{}",
        r#"{"format":2,"deployed":[],"disabled":[]}"#,
        r#"{"format":1,"deployed":[{"name":"a"}],"disabled":[]}"#,
    ] {
        assert!(Record::from_json(json.as_bytes()).is_err(), "{json}");
    }
}

#[test]
fn the_one_deployed_last_is_last_and_remembers_its_version_before() {
    let mut record = Record::default();
    record.deploy("a", Why::File, "1");
    record.deploy("b", Why::File, "2");
    assert_eq!(names(&record), ["a", "b"]);
    record.deploy("a", Why::File, "1");
    assert_eq!(names(&record), ["b", "a"]);
    assert_eq!(record.get("a").unwrap().previous, None);
    record.deploy("a", Why::File, "3");
    assert_eq!(record.get("a").unwrap().previous.as_deref(), Some("1"));
    assert_eq!(record.last(|_| true), Some("a"));
    assert_eq!(record.last(|name| name != "a"), Some("b"));
    record.retain(|name| name == "b");
    assert_eq!(names(&record), ["b"]);
    assert_eq!(record.last(|name| name == "a"), None);
}

#[test]
fn a_quarantine_is_for_one_version() {
    let mut record = Record::default();
    record.deploy("a", Why::File, "1");
    record.quarantine("a", "it trapped");
    assert_eq!(record.quarantined("a"), Some("it trapped"));
    record.deploy("a", Why::File, "2");
    assert_eq!(record.quarantined("a"), None);
    record.deploy("a", Why::Pinned, "1");
    assert_eq!(record.quarantined("a"), Some("it trapped"), "back to it");
    record.forgive("a");
    assert_eq!(record.quarantined("a"), None);
    record.quarantine("a", "again");
    record.deploy("a", Why::File, "2");
    record.deploy("a", Why::File, "3");
    assert!(record.get("a").unwrap().quarantined.is_empty(), "forgotten");
}

#[test]
fn a_rollback_ends_with_the_next_deployment() {
    let mut record = Record::default();
    record.deploy("a", Why::File, "1");
    record.deploy("a", Why::File, "2");
    record.deploy("a", Why::Pinned, "1");
    record.roll_back_from("a", "2");
    let deployed = record.get("a").unwrap();
    assert_eq!((&*deployed.version, deployed.why), ("1", Why::Pinned));
    assert_eq!(deployed.previous.as_deref(), Some("2"));
    assert_eq!(deployed.rolled_back_from.as_deref(), Some("2"));
    record.deploy("b", Why::File, "1");
    record.pin("a");
    assert_eq!(names(&record), ["b", "a"]);
    assert!(
        record.get("a").unwrap().rolled_back_from.is_some(),
        "pinned"
    );
    record.deploy("a", Why::File, "3");
    assert_eq!(record.get("a").unwrap().rolled_back_from, None);
}

#[test]
fn a_disabled_name_stays_so_without_its_file_within_a_bound() {
    let mut record = Record::default();
    record.disable("a").unwrap();
    record.retain(|_| false);
    assert!(record.is_disabled("a"));
    for number in 1..DISABLED_MAX {
        record.disable(&number.to_string()).unwrap();
    }
    assert!(record.disable("one more").is_err());
    assert!(record.disable("a").is_ok());
    record.forgive("a");
    assert!(record.disable("one more").is_ok());
}
