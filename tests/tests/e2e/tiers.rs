//! A server with a second level on disk.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::Path;

use e2e::harness::{Client, PATIENCE, Process, Random, Server, eventually, seeds};
use larder_resp::{Value, encode_command};

use crate::values::{NIL, bulk, ok};

/// Processes that are killed, unless the variable `E2E_SOAK_KILLS` says another number.
const KILLS: usize = 10;

/// Values take the room that they have.
fn start(data: &Path, flags: &[&str]) -> Server {
    let data = data.display().to_string();
    let mut all = vec!["--data", &data, "--l2", "disk", "--memory", "4MiB"];
    all.push("--compression-enabled=false");
    all.extend(flags);
    Server::start(&all)
}

#[test]
fn what_memory_has_no_room_for_is_on_disk_and_outlives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let mut client = server.client();
    let value = |n: usize| format!("{n}:{}", "v".repeat(1000));
    let keys = 10_000;
    for n in 0..keys {
        let reply = client.call(&["SET", &format!("k{n}"), &value(n), "EX", "10000"]);
        assert_eq!(reply, ok());
    }
    assert_eq!(client.call(&["DEL", "k7"]), Value::Integer(1));
    assert_eq!(client.call(&["APPEND", "k8", "!"]), Value::Integer(1003));
    let check = |client: &mut Client| {
        for n in 0..keys {
            let expected = match n {
                7 => NIL,
                8 => bulk(format!("{}!", value(8))),
                _ => bulk(value(n)),
            };
            assert_eq!(client.call(&["GET", &format!("k{n}")]), expected, "k{n}");
        }
        let Value::Integer(ttl) = client.call(&["TTL", "k9"]) else {
            panic!("no number");
        };
        assert!((1..=10_000).contains(&ttl), "{ttl}");
    };
    check(&mut client);
    assert!(server.metric("larder_tier_hits_total") > 1_000.0);
    assert!(server.metric("larder_used_bytes") < f64::from(4 << 20));
    assert!(server.stop().success());

    let server = start(folder.path(), &[]);
    check(&mut server.client());
    // Killed this time.
    drop(server);
    let server = start(folder.path(), &[]);
    let mut client = server.client();
    check(&mut client);
    assert_eq!(client.call(&["FLUSHALL"]), ok());
    drop(server);
    let server = start(folder.path(), &[]);
    assert_eq!(
        server.client().call(&["EXISTS", "k1", "k2"]),
        Value::Integer(0)
    );
}

/// What a key may hold: what was acknowledged last, and what was asked for since.
#[derive(Default, Clone)]
struct Key {
    acknowledged: Option<String>,
    asked: Vec<Option<String>>,
}

#[test]
fn killed_processes_lose_nothing_that_was_acknowledged_and_bring_nothing_back() {
    let kills = env::var("E2E_SOAK_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    // Little room on disk, so that segments are reclaimed, and all who write wait for it, however long it takes.
    let flags = ["--l2-size", "16MiB", "--l2-timeout", "1h"];
    for seed in seeds(&[1]) {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Random::new(seed);
        let mut model = BTreeMap::new();
        for kill in 0..kills {
            let server = start(folder.path(), &flags);
            let mut client = server.client();
            check(&mut client, &mut model, kill);
            write(&mut client, &mut model, &mut random);
        }
        let server = start(folder.path(), &flags);
        check(&mut server.client(), &mut model, kills);
    }
}

/// Writes, and leaves some of it unanswered.
fn write(client: &mut Client, model: &mut BTreeMap<String, Key>, random: &mut Random) {
    for _ in 0..random.below(60) + 1 {
        let mut wanted = Vec::new();
        for _ in 0..random.below(40) + 1 {
            let key = format!("k{}", random.below(3_000));
            let value = format!("{}-{}", random.bits(), "v".repeat(random.below(3_000)));
            let (request, value) = match random.below(10) {
                0..=5 => (vec!["SET", &key, &value], Some(value.clone())),
                6 | 7 => (vec!["SET", &key, &value, "PX", "1"], None),
                _ => (vec!["DEL", &key], None),
            };
            let mut bytes = Vec::new();
            let request: Vec<&[u8]> = request.iter().map(|arg| arg.as_bytes()).collect();
            encode_command(&mut bytes, &request);
            client.send(&bytes).unwrap();
            wanted.push((key, value));
        }
        for (key, value) in &wanted {
            let entry = model.entry(key.clone()).or_default();
            entry.asked.push(value.clone());
        }
        if random.percent(3) {
            return;
        }
        for (key, value) in wanted {
            client.receive().unwrap();
            model.insert(
                key,
                Key {
                    acknowledged: value,
                    asked: Vec::new(),
                },
            );
        }
    }
}

/// Compares all keys, and takes what they hold for what they are to hold.
fn check(client: &mut Client, model: &mut BTreeMap<String, Key>, kill: usize) {
    for (name, key) in model {
        let held = match client.call(&["GET", name]) {
            Value::Bulk(Some(held)) => Some(String::from_utf8(held).unwrap()),
            _ => None,
        };
        // Of several in one pipeline those before an unanswered one may have been done, too.
        let is_right = held == key.acknowledged || key.asked.contains(&held);
        assert!(
            is_right,
            "kill {kill}, {name}: {} bytes",
            held.map_or(0, |held| held.len())
        );
        *key = Key {
            acknowledged: held,
            asked: Vec::new(),
        };
    }
}

#[test]
fn a_folder_serves_one_process_and_what_is_wrong_with_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let disk = folder.path().join("disk");
    assert!(disk.is_dir());
    drop(server);
    let data = folder.path().display().to_string();
    let refused = |flags: &[&str]| {
        let other = tempfile::tempdir().unwrap();
        let mut all = vec!["--data", &data, "--l2", "disk"];
        all.extend(flags);
        let mut process = Process::start(&mut Server::command(&all, other.path()));
        let status = process.wait(PATIENCE).expect("it ends");
        assert!(!status.success());
        process.finished(status).stderr
    };
    let damage = |file: &str| {
        let server = start(folder.path(), &[]);
        assert_eq!(server.client().call(&["SET", "k", "v"]), ok());
        drop(server);
        let path = disk.join(file);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
        let server = start(folder.path(), &[]);
        assert_eq!(server.client().call(&["GET", "k"]), Value::Bulk(None));
        server
    };
    let server = damage("manifest");
    let said = "the disk tier's manifest is missing or not what was written";
    server.process().said(said);
    drop(server);

    fs::remove_dir_all(&disk).unwrap();
    fs::write(&disk, "no folder").unwrap();
    let said = refused(&[]);
    assert!(said.contains("the disk tier's folder"), "{said}");
    assert!(said.contains("--l2 none"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let said = refused(&["--l2-size", "1"]);
    assert!(said.contains("--l2-size"), "{said}");
}

#[test]
fn a_disk_that_takes_no_more_leaves_the_memory_at_work_and_brings_nothing_back() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--l2-size", "16MiB", "--l2-recovery-timeout", "50ms"];
    let server = start(folder.path(), &flags);
    let mut client = server.client();
    let state = |client: &mut Client| match client.call(&["INFO", "tiers"]) {
        Value::Bulk(Some(text)) => String::from_utf8(text).unwrap(),
        other => panic!("{other:?}"),
    };
    for n in 0..50 {
        assert_eq!(
            client.call(&["SET", &format!("k{n}"), &"v".repeat(1000)]),
            ok()
        );
    }
    server.process().limit_files(Some(0));
    assert_eq!(client.call(&["SET", "k1", "new"]), ok());
    assert_eq!(client.call(&["DEL", "k2"]), Value::Integer(1));
    assert_eq!(client.call(&["GET", "k1"]), bulk("new"));
    assert_eq!(client.call(&["GET", "k2"]), NIL);
    let said = state(&mut client);
    assert!(!said.contains("tier_l2_disk:state=ok,"), "{said}");
    assert!(server.metric("larder_tier_write_errors_total") >= 2.0);
    // It is ready without it.
    assert_eq!(server.get("/readyz").body, "ready, without disk\n");
    server.process().limit_files(None);
    assert_eq!(client.call(&["SET", "k3", "new"]), ok());
    eventually("the disk is used again", || {
        // A few writes have to go well.
        assert_eq!(client.call(&["SET", "k3", "new"]), ok());
        let said = state(&mut client);
        said.contains("tier_l2_disk:state=ok,").then_some(())
    });
    assert_eq!(server.get("/readyz").body, "ready\n");
    // Killed.
    drop(server);
    let server = start(folder.path(), &flags);
    let mut client = server.client();
    // What was written meanwhile was kept for it.
    let expected = [("k1", bulk("new")), ("k2", NIL), ("k3", bulk("new"))];
    for (key, value) in expected {
        assert_eq!(client.call(&["GET", key]), value, "{key}");
    }
    assert_eq!(client.call(&["GET", "k4"]), bulk("v".repeat(1000)));
}

#[test]
fn a_key_goes_where_the_pattern_says_that_fits_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("larder.toml");
    let text = "[[tenant]]\nname = 'default'\nl2_write_keys = ['log:* around']";
    fs::write(&config, text).unwrap();
    let server = start(folder.path(), &["--config", &config.display().to_string()]);
    let mut client = server.client();
    assert_eq!(client.call(&["MSET", "log:1", "a", "k", "b"]), ok());
    // It speaks of the memory.
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(1));
    assert_eq!(client.call(&["GET", "log:1"]), bulk("a"));
    assert_eq!(client.call(&["DBSIZE"]), Value::Integer(2));
}

#[test]
fn writes_behind_are_there_when_the_server_has_drained() {
    let folder = tempfile::tempdir().unwrap();
    let flags = ["--l2-write", "behind"];
    let server = start(folder.path(), &flags);
    let mut client = server.client();
    for n in 0..2_000 {
        assert_eq!(client.call(&["SET", &format!("k{n}"), "v"]), ok());
    }
    assert!(server.stop().success());
    let server = start(folder.path(), &flags);
    let mut client = server.client();
    for n in 0..2_000 {
        assert_eq!(client.call(&["GET", &format!("k{n}")]), bulk("v"));
    }
    let info = client.call(&["INFO", "tiers"]);
    let Value::Bulk(Some(info)) = info else {
        panic!("{info:?}");
    };
    let info = String::from_utf8(info).unwrap();
    assert!(
        info.contains("tier_l2_disk:state=ok,entries=2000,"),
        "{info}"
    );
    assert!(info.contains("codec:records="), "{info}");
    eventually("the loads are counted", || {
        (server.metric("larder_tier_hits_total") >= 2_000.0).then_some(())
    });
}
