use std::os::unix::fs::PermissionsExt;

use super::super::testing::{assert_fine, assert_wrong, config, machine};
use super::*;

/// Checks a data folder, for policies alone, on a machine where everything lies on `kind`.
fn check_on(data: &Path, kind: &str) -> Judged {
    let mounts = format!("22 1 8:1 / / rw - {kind} /dev/sda1 rw\n");
    let (_root, machine) = machine(&[(MOUNTS, &mounts)]);
    let flags = [("data", data.to_str().unwrap()), ("l2", "none")];
    check(&machine, &config(&flags))
}

#[test]
fn a_folder_that_is_there_or_can_be_made_is_fine() {
    let root = tempfile::tempdir().unwrap();
    assert_fine(check_on(root.path(), "ext4"), "on ext4");
    assert_fine(check_on(&root.path().join("a/b"), "xfs"), "on xfs");
}

#[test]
fn a_folder_that_is_none_or_open_to_everybody_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("file");
    fs::write(&file, "").unwrap();
    assert_wrong(
        check_on(&file, "ext4"),
        "is no folder",
        "larder serve --data",
    );
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_wrong(
        check_on(root.path(), "ext4"),
        "every user may write",
        "chmod o-w",
    );
    // Whose folder above is open to everybody, as /tmp is, is no concern.
    assert_fine(check_on(&root.path().join("a"), "ext4"), "can be written");
}

#[test]
fn a_file_system_that_forgets_or_is_shared_is_wrong() {
    let root = tempfile::tempdir().unwrap();
    assert_wrong(
        check_on(root.path(), "tmpfs"),
        "on tmpfs",
        "/var/lib/larder",
    );
    assert_wrong(check_on(root.path(), "nfs4"), "on nfs4", "/var/lib/larder");
    let full = judge(Path::new("data"), Some("ext4"), FREE_BYTES_MIN - 1);
    assert_wrong(Ok(full), "63 MiB are free", "du -xh");
}

#[test]
fn a_second_level_that_finds_no_room_is_wrong_and_what_it_holds_counts() {
    let root = tempfile::tempdir().unwrap();
    let (size, free) = (ByteSize::mib(4096), FREE_BYTES_MIN + (1000 << 20));
    let judge = |held| cramped(root.path(), size, held, free);
    assert_wrong(
        Ok(judge(1000 << 20).unwrap()),
        "may take 4GiB: it holds 1000 MiB and 1064 MiB are free",
        "larder serve --l2-size 2000MiB",
    );
    assert_eq!(judge(3096 << 20), None);
    let none = cramped(root.path(), size, 0, 0);
    assert_wrong(
        Ok(none.unwrap()),
        "0 MiB are free",
        "larder serve --l2 none",
    );

    let disk = root.path().join(DISK);
    assert_eq!(held_bytes(&disk), 0);
    fs::create_dir(&disk).unwrap();
    fs::write(disk.join("1.seg"), [7; 8192]).unwrap();
    assert!((8192..65_536).contains(&held_bytes(&disk)));
    // What a server with its defaults is told looks at the second level too.
    let (_root, machine) = machine(&[(MOUNTS, "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n")]);
    let flags = [
        ("data", root.path().to_str().unwrap()),
        ("l2_size", "512GiB"),
    ];
    let said = check(&machine, &config(&flags));
    assert_wrong(said, "may take 512GiB", "larder serve --l2");
}

#[test]
fn the_mount_that_is_nearest_to_the_folder_counts() {
    let mounts = "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n\
                  23 22 0:5 / /srv/my\\040data rw - xfs /dev/sdb rw\n\
                  24 22 0:6 / /srv/my rw - nfs4 host:/ rw\n";
    let (_root, machine) = machine(&[(MOUNTS, mounts)]);
    let kind = |folder: &str| file_system(&machine, Path::new(folder)).unwrap();
    assert_eq!(kind("/srv/my data/a").as_deref(), Some("xfs"));
    assert_eq!(kind("/srv/my/a").as_deref(), Some("nfs4"));
    assert_eq!(kind("/srv/mine").as_deref(), Some("ext4"));
}
