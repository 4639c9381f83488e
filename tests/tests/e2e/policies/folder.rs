//! The folder as people and programs treat it.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;

use e2e::harness::{Server, drop_policy, eventually, policy};

use super::{deploy, withdraw};
use crate::values::{error_text, ok};

#[test]
fn what_lies_there_at_the_start_is_in_force_when_the_server_is_ready() {
    let data = tempfile::tempdir().unwrap();
    let folder = data.path().join("policies.d");
    let lru = fs::read(policy("lru")).unwrap();
    drop_policy(&folder, "10-lru.wasm", &lru);
    drop_policy(
        &folder,
        "20-fifo.wasm",
        &fs::read(policy("s3-fifo")).unwrap(),
    );
    drop_policy(&folder, "30-text.wasm", b"not a module");
    let flag = data.path().display().to_string();
    let server = Server::start(&["--data", &flag]);
    let rows = server.policy_rows();
    let states: Vec<_> = rows
        .values()
        .map(|row| (&*row["name"], &*row["state"]))
        .collect();
    assert_eq!(
        states,
        [
            ("10-lru", "candidate"),
            ("20-fifo", "active"),
            ("30-text", "refused"),
            ("s3-fifo", "candidate"),
        ]
    );
}

#[test]
fn files_are_taken_whole_whoever_writes_them_and_however() {
    let server = Server::start(&[]);
    let folder = server.policies();
    let lru = fs::read(policy("lru")).unwrap();
    // Piece by piece, with pauses that no settling outlasts: each piece is seen to the disk.
    let mut file = File::create(folder.join("slow.wasm")).unwrap();
    for piece in lru.chunks(lru.len() / 20 + 1) {
        file.write_all(piece).unwrap();
        file.sync_all().unwrap();
    }
    drop(file);
    server.await_policy("slow", "active");
    // As editors do: another file, renamed over it.
    drop_policy(&folder, "slow.wasm", &fs::read(policy("s3-fifo")).unwrap());
    let changed = server.policy_info("slow", "digest");
    eventually("the new version rules", || {
        (server.policy_info("slow", "digest") != changed
            || server.policy_info("slow", "has_previous") == "true")
            .then_some(())
    });
    fs::rename(folder.join("slow.wasm"), folder.join("renamed.wasm")).unwrap();
    server.await_no_policy("slow");
    server.await_policy("renamed", "active");
    let elsewhere = server.folder().join("elsewhere.wasm");
    fs::write(&elsewhere, &lru).unwrap();
    symlink(&elsewhere, folder.join("link.wasm")).unwrap();
    server.await_policy("link", "active");
    fs::remove_file(&elsewhere).unwrap();
    fs::create_dir(folder.join("folder.wasm")).unwrap();
    let row = server.await_policy("folder", "refused");
    assert!(row["why"].contains("folder"), "{row:?}");
}

#[test]
fn a_folder_that_disappears_for_a_while_changes_nothing() {
    let server = Server::start(&[]);
    deploy(&server, "lru", "lru", None);
    server.await_policy("lru", "active");
    let away = server.folder().join("away");
    fs::rename(server.policies(), &away).unwrap();
    assert_eq!(server.client().call(&["SET", "k", "v"]), ok());
    server.process().said("policies.d");
    assert_eq!(server.policy_rows()["lru"]["state"], "active");
    fs::rename(&away, server.policies()).unwrap();
    assert_eq!(server.policy_rows()["lru"]["state"], "active");
    // What happens there from now on is seen.
    withdraw(&server, "lru");
    server.await_no_policy("lru");
}

#[test]
fn a_side_car_with_mistakes_is_refused_with_all_of_them_and_the_old_version_stays() {
    let server = Server::start(&[]);
    deploy(&server, "gate", "size-gate", None);
    server.await_policy("gate", "active");
    let side_car = "tenant = \"nobody\"\nspeed = 1\n[parameters]\nmax_bytes = true\nmin = 3\n";
    fs::write(server.policies().join("gate.toml"), side_car).unwrap();
    let why = eventually("the side-car is seen", || {
        let row = server.policy_rows()["gate"].clone();
        row["why"].contains("nobody").then(|| row["why"].clone())
    });
    assert!(why.contains("speed"), "{why}");
    assert_eq!(server.policy_rows()["gate"]["state"], "active");
    fs::write(
        server.policies().join("gate.toml"),
        "[parameters]\nmax_bytes = true\nmin = 3\n",
    )
    .unwrap();
    let why = eventually("the parameters are seen", || {
        let row = server.policy_rows()["gate"].clone();
        row["why"].contains("max_bytes").then(|| row["why"].clone())
    });
    assert!(why.contains("min"), "{why}");
    fs::remove_file(server.policies().join("gate.toml")).unwrap();
    eventually("nothing is wrong any more", || {
        let row = server.policy_rows()["gate"].clone();
        (!row["why"].contains("max_bytes")).then_some(())
    });
    withdraw(&server, "gate");
    server.await_no_policy("gate");
}

#[test]
fn orders_about_what_there_is_not_are_refused_in_words() {
    let server = Server::start(&[]);
    let mut client = server.client();
    for order in ["ENABLE", "DISABLE", "ROLLBACK"] {
        let said = error_text(client.call(&["POLICY", order, "nobody"]));
        assert!(said.contains("nobody"), "{said}");
    }
    deploy(&server, "lru", "lru", None);
    server.await_policy("lru", "active");
    let said = error_text(client.call(&["POLICY", "ROLLBACK", "lru"]));
    assert!(said.contains("lru"), "{said}");
    assert_eq!(client.call(&["POLICY", "RELOAD"]), ok());
}
