use super::super::record::Why;
use super::*;

fn dropped(module: &[u8]) -> Dropped {
    Dropped {
        module: module.to_vec(),
        side_car: "enabled = true".to_owned(),
    }
}

fn versions_in(folder: &Path) -> usize {
    fs::read_dir(folder.join(VERSIONS)).unwrap().count()
}

#[test]
fn a_record_and_its_versions_are_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let (mut disk, mut record) = Disk::open(folder.path().join("new"));
    assert_eq!(record, Record::default());
    let dropped = dropped(b"module");
    let id = version_id(&dropped);
    record.deploy("a", Why::File, &id);
    disk.keep("a", &id, &dropped);
    disk.save(&record).unwrap();
    let (disk, found) = Disk::open(folder.path().join("new"));
    assert_eq!(found, record);
    assert_eq!(disk.recall("a", &id).unwrap().module, b"module");
}

#[test]
fn only_the_version_in_force_and_the_one_before_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (mut disk, mut record) = Disk::open(folder.path().to_owned());
    for number in 0..5 {
        let dropped = dropped(&[number]);
        let id = version_id(&dropped);
        record.deploy("a", Why::File, &id);
        disk.keep("a", &id, &dropped);
        disk.save(&record).unwrap();
    }
    assert_eq!(
        versions_in(folder.path()),
        4,
        "two versions, two files each"
    );
    let previous = record.get("a").unwrap().previous.clone().unwrap();
    assert_eq!(disk.recall("a", &previous).unwrap().module, [3]);
    record.retain(|_| false);
    disk.save(&record).unwrap();
    assert_eq!(versions_in(folder.path()), 0);
}

#[test]
fn a_record_that_cannot_be_read_is_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(RECORD), "half a rec").unwrap();
    let (_, record) = Disk::open(folder.path().to_owned());
    assert_eq!(record, Record::default());
    let aside = fs::read_to_string(folder.path().join("policies.json.bad")).unwrap();
    assert_eq!(aside, "half a rec");
    assert!(!folder.path().join(RECORD).exists());
}

#[test]
fn a_version_that_was_changed_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let (mut disk, _) = Disk::open(folder.path().to_owned());
    let dropped = dropped(b"module");
    let id = version_id(&dropped);
    disk.keep("a", &id, &dropped);
    fs::write(
        folder.path().join(VERSIONS).join(format!("a.{id}.wasm")),
        "evil",
    )
    .unwrap();
    assert!(disk.recall("a", &id).unwrap_err().contains("was changed"));
    assert!(disk.recall("a", "0").is_err());
}

#[test]
fn one_id_is_one_module_with_one_side_car() {
    let (one, mut other) = (dropped(b"module"), dropped(b"module"));
    assert_eq!(version_id(&one), version_id(&other));
    other.side_car.push('\n');
    assert_ne!(version_id(&one), version_id(&other));
    assert_eq!(version_id(&one).len(), 64);
}
