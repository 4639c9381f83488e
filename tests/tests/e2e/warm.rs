//! Keys that are in memory before anybody reads them: the hot set over restarts, and `larder warmup`.

use std::fs;
use std::path::Path;

use e2e::harness::{Client, Finished, PATIENCE, Process, Server, Signal, eventually, larder, run};
use larder_resp::Value;

use crate::values::ok;

fn start(data: &Path) -> Server {
    let data = data.display().to_string();
    let mut flags = vec!["--data", &data, "--l2", "disk", "--memory", "4MiB"];
    // However slow the machine is.
    flags.extend(["--warm-deadline", "1h"]);
    Server::start(&flags)
}

/// As one that had nothing kept for it.
fn start_cold(data: &Path) -> Server {
    let data = data.display().to_string();
    Server::start(&["--data", &data, "--l2", "disk", "--warm-deadline", "none"])
}

fn write(client: &mut Client, keys: u32, value: &str) {
    for n in 0..keys {
        assert_eq!(client.call(&["SET", &format!("k{n}"), value]), ok());
    }
}

/// What CACHE.WARM says of these keys: resident, loaded, absent, failed.
#[track_caller]
fn warmed(client: &mut Client, keys: impl Iterator<Item = u32>) -> [i64; 4] {
    let mut request = vec!["CACHE.WARM".to_owned()];
    request.extend(keys.map(|n| format!("k{n}")));
    let Value::Array(told) = client.call(&request) else {
        panic!("no counts");
    };
    [1, 3, 5, 7].map(|at| match told[at] {
        Value::Integer(count) => count,
        _ => panic!("{told:?}"),
    })
}

#[test]
fn the_hottest_keys_are_in_memory_when_a_server_is_ready_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hot/default");
    let server = start(folder.path());
    let mut client = server.client();
    // More than there is room for.
    write(&mut client, 8_000, &"v".repeat(1_000));
    let hot = || (0..8_000).step_by(80);
    for _ in 0..4 {
        for n in hot() {
            client.call(&["GET", &format!("k{n}")]);
        }
    }
    assert!(!file.exists());
    assert!(server.stop().success());
    let kept = fs::read(&file).unwrap();
    assert!(kept.starts_with(b"larder-hot 1\n"));

    let server = start(folder.path());
    let info = server.info();
    let number = |name: &str| info[name].parse::<u64>().unwrap();
    assert_eq!(info["hot_set_state"], "restored");
    assert!(number("hot_set_keys") > 1_000, "{info:?}");
    assert!(number("hot_set_loaded") > 1_000, "{info:?}");
    assert_eq!(warmed(&mut server.client(), hot()), [100, 0, 0, 0]);
    // Killed this time, which leaves what there was.
    drop(server);
    assert_eq!(fs::read(&file).unwrap(), kept);
    let server = start_cold(folder.path());
    assert_eq!(warmed(&mut server.client(), hot()), [0, 100, 0, 0]);
    assert!(server.stop().success());
    assert_eq!(fs::read(&file).unwrap(), kept);

    let mut damaged = kept.clone();
    damaged[kept.len() / 2] ^= 1;
    fs::write(&file, damaged).unwrap();
    let server = start(folder.path());
    let said = server.process().said("the hot set is not what was written");
    assert!(said.contains(&file.display().to_string()), "{said}");
    assert_eq!(server.info()["hot_set_state"], "none");
    assert_eq!(server.client().call(&["DBSIZE"]), Value::Integer(0));
}

fn warmup(server: &Server, flags: &[&str]) -> Finished {
    let addr = server.addr().to_string();
    run(larder(["warmup", "--addr", &addr]).args(flags), PATIENCE)
}

#[track_caller]
fn assert_done(finished: &Finished, counts: &str) {
    assert!(finished.status.success(), "{finished:?}");
    assert!(finished.stdout.starts_with(counts), "{finished:?}");
}

#[test]
fn a_program_has_a_server_bring_keys_into_memory() {
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [one, other] = folders.each_ref().map(|folder| {
        let server = start_cold(folder.path());
        write(&mut server.client(), 300, "v");
        assert!(server.stop().success());
        start_cold(folder.path())
    });
    let keys = folders[0].path().join("keys.txt");
    let lines: String = (100..400).map(|n| format!("k{n}\n")).collect();
    fs::write(&keys, lines).unwrap();
    let keys = keys.to_str().unwrap();
    let finished = warmup(&one, &["--keys", keys]);
    assert_done(
        &finished,
        "300 keys: 0 resident, 200 loaded, 100 absent, 0 failed in ",
    );
    let finished = warmup(&one, &["--keys", keys, "--top", "150"]);
    assert_done(
        &finished,
        "150 keys: 150 resident, 0 loaded, 0 absent, 0 failed in ",
    );

    let mut client = one.client();
    for n in [120, 130, 140] {
        client.call(&["GET", &format!("k{n}")]);
    }
    let from = one.addr().to_string();
    let finished = warmup(&other, &["--top", "3", "--from", &from]);
    assert_done(
        &finished,
        "3 keys: 0 resident, 3 loaded, 0 absent, 0 failed in ",
    );
    let three = [120, 130, 140].into_iter();
    assert_eq!(warmed(&mut other.client(), three), [3, 0, 0, 0]);

    let trace = folders[0].path().join("trace.csv");
    fs::write(&trace, "time,key\n1,k9\n2,k8\n3,k8\n4,nothing\n").unwrap();
    let finished = warmup(&other, &["--from-trace", trace.to_str().unwrap()]);
    assert_done(
        &finished,
        "3 keys: 0 resident, 2 loaded, 1 absent, 0 failed in ",
    );

    let refused = |flags: &[&str], code: i32, why: &str| {
        let finished = warmup(&one, flags);
        assert_eq!(finished.status.code(), Some(code), "{finished:?}");
        assert!(finished.stderr.contains(why), "{finished:?}");
    };
    refused(&["--keys", "none.txt"], 1, "cannot read none.txt");
    refused(
        &["--keys", keys, "--resume", keys],
        1,
        "is no state of a warm-up",
    );
    refused(
        &["--keys", keys, "--resume", "none/keys.state"],
        1,
        "cannot write none/keys.state; --resume takes",
    );
    refused(&[], 2, "--from");
    refused(&["--keys", keys, "--from", &from], 2, "cannot be used with");
}

#[test]
fn a_warm_up_that_was_interrupted_goes_on_where_it_was() {
    const KEYS: usize = 100_000;
    let server = Server::start(&[]);
    let path = |name: &str| server.folder().join(name).display().to_string();
    let (keys, state) = (path("keys.txt"), path("keys.state"));
    let lines: String = (0..KEYS).map(|n| format!("k{n}\n")).collect();
    fs::write(&keys, lines).unwrap();
    let flags = ["--keys", &keys, "--resume", &state];
    let addr = server.addr().to_string();
    let mut slow = larder(["warmup", "--addr", &addr, "--rate", "100"]);
    let mut process = Process::start(slow.args(flags));
    eventually("how far it is was written down", || {
        Path::new(&state).exists().then_some(())
    });
    process.signal(Signal::INT);
    let status = process.wait(PATIENCE).expect("it ends");
    let finished = process.finished(status);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("interrupted"), "{finished:?}");
    let written = fs::read_to_string(&state).unwrap();
    let done = written.lines().nth(2).unwrap();
    let done: usize = done.strip_prefix("done ").unwrap().parse().unwrap();
    assert!((1..KEYS).contains(&done), "{written}");
    let told = format!("{done} keys: 0 resident, 0 loaded, {done} absent");
    assert!(finished.stdout.starts_with(&told), "{finished:?}");

    let elsewhere = warmup(&server, &[&flags[..], &["--db", "1"]].concat());
    assert_eq!(elsewhere.status.code(), Some(1), "{elsewhere:?}");
    assert!(
        elsewhere.stderr.contains("is of other keys"),
        "{elsewhere:?}"
    );
    let finished = warmup(&server, &flags);
    assert_done(&finished, &format!("{} keys: 0 resident", KEYS - done));
    assert!(!Path::new(&state).exists());
}
