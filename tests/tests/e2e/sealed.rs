//! The form in which values leave the memory: compressed, and sealed with a key ring.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use e2e::harness::{PATIENCE, Server, drop_policy, eventually, larder, policy, run};
use larder_resp::Value;

use crate::values::{NIL, bulk, error_text, ok};

/// Stands in values, and nowhere else.
const SECRET: &str = "in plain sight";

/// A server with a second level in `folder`.
fn start(folder: &Path, flags: &[&str]) -> Server {
    let data = folder.display().to_string();
    let mut all = vec!["--data", &data, "--l2", "disk", "--memory", "4MiB"];
    all.extend(flags);
    Server::start(&all)
}

/// What `larder keys …` says.
fn keys(args: &[&str]) -> String {
    let finished = run(&mut larder(["keys"].iter().chain(args)), PATIENCE);
    assert!(finished.status.success(), "{args:?}: {}", finished.stderr);
    finished.stdout
}

/// A new key ring, and the id of its key.
fn ring(folder: &Path) -> (String, String) {
    let path = folder.join("keys.ring").display().to_string();
    let said = keys(&["new", &path]);
    let id = said.trim().rsplit(' ').next().unwrap().to_owned();
    (path, id)
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("disk")).unwrap();
    let paths = files.map(|file| file.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .collect()
}

/// Where bytes stand in a file.
fn find(path: &Path, bytes: &[u8]) -> Option<usize> {
    let contents = fs::read(path).unwrap();
    contents.windows(bytes.len()).position(|part| part == bytes)
}

fn is_in_plain_sight(folder: &Path) -> bool {
    let files = segments(folder);
    assert!(!files.is_empty());
    files
        .iter()
        .any(|path| find(path, SECRET.as_bytes()).is_some())
}

/// The line of the metrics page that begins so.
fn metric(server: &Server, line: &str) -> u64 {
    let page = server.get("/metrics").body;
    let rest = page.lines().find_map(|found| found.strip_prefix(line));
    let value = rest.and_then(|rest| rest.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {line} in:\n{page}"))
}

fn value(n: usize) -> String {
    format!("{SECRET} {n}")
}

const KEYS: usize = 200;

fn write(server: &Server) {
    let mut client = server.client();
    for n in 0..KEYS {
        assert_eq!(client.call(&["SET", &format!("k{n}"), &value(n)]), ok());
    }
}

/// Those that are there, and are as they were written.
fn read(server: &Server) -> usize {
    let mut client = server.client();
    let is_there = |n: &usize| match client.call(&["GET", &format!("k{n}")]) {
        NIL => false,
        found => {
            assert_eq!(found, bulk(value(*n)));
            true
        }
    };
    (0..KEYS).filter(is_there).count()
}

#[test]
fn values_on_disk_are_sealed_and_outlive_restarts_and_rotations_and_not_their_keys() {
    let folder = tempfile::tempdir().unwrap();
    let (path, first) = ring(folder.path());
    let flags = ["--encryption-key-ring", &*path];
    let server = start(folder.path(), &flags);
    // What the first survey counts are none of those that are written now.
    eventually("the first survey ends", || {
        (metric(&server, "larder_codec_surveys_total") > 0).then_some(())
    });
    write(&server);
    assert!(!is_in_plain_sight(folder.path()));
    keys(&["rotate", &path]);
    let http = server.http().to_string();
    let expected = format!("{first}  opens   0 entries");
    let status = eventually("all is sealed under the new key", || {
        let is_taken = metric(&server, "larder_key_ring_changes_total{result=\"taken\"}") == 1;
        let said = keys(&["status", "--http", &http, "--timeout", "60s"]);
        (is_taken && said.contains(&expected)).then_some(said)
    });
    assert!(
        status.contains(&format!("active  {KEYS} entries")),
        "{status}"
    );
    assert!(server.stop().success());

    let server = start(folder.path(), &flags);
    assert_eq!(read(&server), KEYS);
    keys(&["remove", &path, &first]);
    assert!(server.stop().success());

    let server = start(folder.path(), &flags);
    assert_eq!(read(&server), KEYS);
    assert!(server.stop().success());
    let other = tempfile::tempdir().unwrap();
    let (other, _) = ring(other.path());
    let server = start(folder.path(), &["--encryption-key-ring", &other]);
    assert_eq!(read(&server), 0);
    let lost = metric(&server, "larder_codec_damaged_total{kind=\"unknown_key\"}");
    assert!(lost >= KEYS as u64, "{lost}");
    server
        .process()
        .said("sealed under keys that the key ring does not have");
}

#[test]
fn what_was_changed_on_the_disk_is_a_miss_and_what_was_there_before_the_ring_goes() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &["--compression-enabled=false"]);
    write(&server);
    assert!(is_in_plain_sight(folder.path()));
    assert!(server.stop().success());
    let segment = segments(folder.path()).remove(0);
    let at = find(&segment, value(17).as_bytes()).unwrap();
    let mut contents = fs::read(&segment).unwrap();
    contents[at + 3] ^= 1;
    fs::write(&segment, contents).unwrap();
    let server = start(folder.path(), &["--compression-enabled=false"]);
    assert_eq!(server.client().call(&["GET", "k17"]), NIL);
    assert_eq!(read(&server), KEYS - 1);
    assert!(server.stop().success());

    let (path, _) = ring(folder.path());
    let server = start(folder.path(), &["--encryption-key-ring", &path]);
    eventually("what is not sealed is gone", || {
        let is_over = metric(&server, "larder_codec_surveys_total ") > 0;
        is_over.then_some(())
    });
    assert_eq!(read(&server), 0);
    write(&server);
    assert!(!is_in_plain_sight(folder.path()));
}

#[test]
fn values_take_less_room_than_they_have() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path(), &[]);
    let mut client = server.client();
    let document = |n: usize| {
        let track = |at: usize| {
            format!(
                "{{\"track\": {}, \"artist\": \"{SECRET}\", \"likes\": {at}}}",
                n * at
            )
        };
        let tracks: Vec<_> = (0..30).map(track).collect();
        format!("[{}]", tracks.join(", "))
    };
    for n in 0..KEYS {
        assert_eq!(client.call(&["SET", &format!("k{n}"), &document(n)]), ok());
    }
    let flow = |what: &str| {
        let labels = "{type=\"json\",algorithm=\"zstd\"}";
        metric(&server, &format!("larder_codec_{what}_bytes_total{labels}"))
    };
    let (input, output) = (flow("input"), flow("output"));
    assert!(output * 3 < input && output > 0, "{input} to {output}");
    assert!(server.stop().success());
    let server = start(folder.path(), &[]);
    let mut client = server.client();
    for n in 0..KEYS {
        let found = client.call(&["GET", &format!("k{n}")]);
        assert_eq!(found, bulk(document(n)));
    }
}

#[test]
fn a_secret_is_seen_by_nobody_but_its_readers() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = ring(folder.path());
    let flags = [
        "--encryption-key-ring",
        &path,
        "--encryption-encrypt",
        "marked",
        "--compression-enabled=false",
    ];
    let server = start(folder.path(), &flags);
    let mut client = server.client();
    client.call(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    let mut watcher = server.client();
    assert_eq!(watcher.call(&["MONITOR"]), ok());
    let set = ["CACHE.SET", "k", SECRET, "TYPE", "t", "SECURITY", "high"];
    assert_eq!(client.call(&set), ok());
    assert_eq!(client.call(&["GET", "k"]), bulk(SECRET));
    let Some(Value::Simple(line)) = watcher.receive() else {
        panic!("nothing is shown");
    };
    assert!(
        line.contains("\"CACHE.SET\" \"k\" \"(redacted)\" \"(redacted)\"")
            && !line.contains(SECRET),
        "{line}"
    );
    let slow = format!("{:?}", client.call(&["SLOWLOG", "GET", "-1"]));
    let shown = |text: &str| format!("{:?}", text.as_bytes());
    assert!(slow.contains(&shown("(redacted)")) && !slow.contains(&shown(SECRET)));
    let said = format!("{:?}", client.call(&["CACHE.EXPLAIN", "k"]));
    assert!(said.contains(&shown("security=high")) && !said.contains(&shown(SECRET)));
    assert!(!is_in_plain_sight(folder.path()));
    assert!(server.stop().success());

    let server = start(folder.path(), &flags);
    let mut client = server.client();
    assert_eq!(client.call(&["GET", "k"]), bulk(SECRET));
    assert_eq!(client.call(&["SET", "k", SECRET]), ok());
    assert!(is_in_plain_sight(folder.path()));
    assert!(!server.process().stderr().contains(SECRET));
    assert!(server.stop().success());

    let server = start(folder.path(), &[]);
    let refused = error_text(server.client().call(&set));
    assert!(refused.contains("encryption.key_ring"), "{refused}");
}

#[test]
fn what_a_policy_finds_to_be_a_secret_is_seen_by_nobody_but_its_readers() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = ring(folder.path());
    let flags = [
        "--encryption-key-ring",
        &path,
        "--encryption-encrypt",
        "marked",
        "--compression-enabled=false",
    ];
    let server = start(folder.path(), &flags);
    let policies = folder.path().join("policies.d");
    let side_car = "[parameters]\nprefixes = [\"k\"]\n";
    fs::write(policies.join("00-mark.toml"), side_car).unwrap();
    let wasm = fs::read(policy("mark-by-prefix")).unwrap();
    drop_policy(&policies, "00-mark.wasm", &wasm);
    let row = server.await_policy("00-mark", "active");
    assert_eq!(row["kinds"], "security");
    let mut client = server.client();
    client.call(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]);
    let mut watcher = server.client();
    assert_eq!(watcher.call(&["MONITOR"]), ok());
    assert_eq!(client.call(&["SET", "k", SECRET]), ok());
    assert_eq!(client.call(&["GET", "k"]), bulk(SECRET));
    let Some(Value::Simple(line)) = watcher.receive() else {
        panic!("nothing is shown");
    };
    assert!(line.contains("\"SET\" \"k\" \"(redacted)\""), "{line}");
    let slow = format!("{:?}", client.call(&["SLOWLOG", "GET", "-1"]));
    let shown = |text: &str| format!("{:?}", text.as_bytes());
    assert!(slow.contains(&shown("(redacted)")) && !slow.contains(&shown(SECRET)));
    let said = format!("{:?}", client.call(&["CACHE.EXPLAIN", "k"]));
    assert!(said.contains(&shown("security=high")), "{said}");
    assert!(!is_in_plain_sight(folder.path()));
    assert_eq!(client.call(&["SET", "other", SECRET]), ok());
    assert!(is_in_plain_sight(folder.path()));
    assert!(server.stop().success());
}

#[test]
fn wrong_key_rings_are_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (path, id) = ring(folder.path());
    let right = fs::read_to_string(&path).unwrap();
    let line = right.lines().find(|line| line.starts_with("key ")).unwrap();
    let secret = line.split(' ').nth(3).unwrap();
    let refused = |flags: &[&str], expected: &str| {
        let mut check = larder(["check-config"]);
        let mut serve = Server::command(flags, folder.path());
        for command in [check.args(flags), &mut serve] {
            let finished = run(command, PATIENCE);
            assert_eq!(finished.status.code(), Some(2), "{expected}");
            let said = finished.stderr;
            assert!(said.contains(expected), "{said}");
            assert_eq!(said.lines().count(), 1, "{said}");
            assert!(!said.contains(secret), "{said}");
        }
    };
    let with = |contents: &str, mode: u32, expected: &str| {
        fs::write(&path, contents).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        refused(&["--encryption-key-ring", &path], expected);
    };
    with(&right, 0o644, "`chmod 600` it");
    with("", 0o600, "the key ring is empty");
    with("garbage", 0o600, "this is no key ring");
    let newer = right.replacen("ring 1", "ring 2", 1);
    with(&newer, 0o600, "made by a newer version of Larder");
    let short = right.replace(secret, &secret[..20]);
    with(&short, 0o600, "the key ring is cut short in line");
    let passive = right.replace(" active", "");
    with(&passive, 0o600, "has 0 active keys");
    let garbage = right.replace(&id, "nothing!");
    with(&garbage, 0o600, "the key ring cannot be understood in line");
    fs::remove_file(&path).unwrap();
    refused(&["--encryption-key-ring", &path], "there is no key ring");
    let all = ["--encryption-encrypt", "all"];
    refused(&all, "because encryption.key_ring names no key ring");
}
