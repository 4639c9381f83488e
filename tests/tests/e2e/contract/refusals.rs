//! A server that cannot start says why in one sentence, and exits with code 2.

use std::fs;

use e2e::harness::{PATIENCE, Server, free_address, run};

/// Tries to start a server, which has to be refused. Returns what it said.
#[track_caller]
fn refused(flags: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let finished = run(&mut Server::command(flags, folder.path()), PATIENCE);
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert_eq!(finished.stdout, "", "standard output is for the ready line");
    let sentence = finished.stderr.trim_end();
    assert!(
        !sentence.contains('\n'),
        "more than one sentence:\n{sentence}"
    );
    let sentence = sentence
        .strip_prefix("error: ")
        .unwrap_or_else(|| panic!("{finished:?}"));
    sentence.to_owned()
}

#[test]
fn a_port_is_never_shared_with_another_server() {
    for threads in ["1", "2"] {
        let first = Server::start(&["--threads", threads]);
        for (flag, addr) in [("--listen", first.addr()), ("--http", first.http())] {
            let addr = addr.to_string();
            let sentence = refused(&[flag, &addr, "--threads", threads]);
            assert_eq!(
                sentence,
                format!(
                    "cannot listen on {addr}: the port is already in use by another server; \
                     choose another with {flag}"
                )
            );
        }
        assert_eq!(
            first.client().call(&["PING"]),
            larder_resp::Value::Simple("PONG".into())
        );
    }
}

#[test]
fn an_ended_server_leaves_its_port_to_the_next() {
    let addr = free_address().to_string();
    let first = Server::start(&["--listen", &addr]);
    let mut connected = first.client();
    connected.call(&["PING"]);
    assert_eq!(first.stop().code(), Some(0));
    let second = Server::start(&["--listen", &addr]);
    assert_eq!(second.addr().to_string(), addr);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    // Below a file nobody can make a folder, not even root, whom no permission stops.
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for flag in ["--data", "--policies"] {
        let below = file.join("folder").display().to_string();
        let sentence = refused(&[flag, &below]);
        assert!(
            sentence.contains(&below) && sentence.contains(flag),
            "{sentence}"
        );
    }
}

#[test]
fn a_data_folder_has_one_server_at_a_time() {
    let first = Server::start(&[]);
    let data = first.folder().join("data").display().to_string();
    assert_eq!(
        refused(&["--data", &data]),
        format!("the data folder {data} is in use by another server; choose another with --data")
    );
    assert_eq!(first.stop().code(), Some(0));
}

#[test]
fn a_unix_socket_in_use_and_a_file_in_its_place_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket").display().to_string();
    let first = Server::start(&["--unix-socket", &path]);
    let sentence = refused(&["--unix-socket", &path]);
    assert!(
        sentence.contains(&path) && sentence.contains("another server"),
        "{sentence}"
    );
    assert_eq!(first.stop().code(), Some(0));
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let sentence = refused(&["--unix-socket", &file.display().to_string()]);
    assert!(sentence.contains("not a socket"), "{sentence}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn settings_that_cannot_be_are_refused() {
    for (flag, value, part) in [
        ("--memory", "1MiB", "from 4MiB to"),
        (
            "--l2",
            "tape",
            "allowed: \"none\", \"disk\" or an address such as redis://",
        ),
        ("--listen", "nowhere", "an IP address with a port"),
        ("--listen", "0.0.0.0:0", "a loopback address"),
        ("--threads", "0", "from 1 to"),
        ("--eviction", "best", "\"arc\", \"business-priority\""),
        ("--config", "missing.toml", "missing.toml"),
    ] {
        let sentence = refused(&[flag, value]);
        assert!(sentence.contains(part), "{flag} {value}: {sentence}");
    }
}
