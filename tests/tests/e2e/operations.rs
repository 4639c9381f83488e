//! What operators need around the server: health, what a supervisor is told, the doctor, the unit.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use e2e::harness::{
    Finished, PATIENCE, Server, Signal, announce, eventually, free_address, larder, run,
};
use serde_json::Value as Json;

fn health(http: &str) -> Finished {
    run(&mut larder(["health", "--http", http]), PATIENCE)
}

#[test]
fn health_is_told_by_the_exit_code() {
    let server = Server::start(&[]);
    let http = server.http().to_string();
    let ready = health(&http);
    assert_eq!(
        (ready.status.code(), &*ready.stdout),
        (Some(0), "ready\n"),
        "{ready:?}"
    );
    let mut by_variable = larder(["health"]);
    let ready = run(by_variable.env("LARDER_HTTP", &http), PATIENCE);
    assert_eq!(ready.status.code(), Some(0), "{ready:?}");
    // Nobody takes it by chance, as somebody may take the server's once it has ended.
    let gone = health(&free_address().to_string());
    assert_eq!(gone.status.code(), Some(1), "{gone:?}");
    assert!(gone.stderr.starts_with("no answer: "), "{gone:?}");
}

#[test]
fn a_supervisor_hears_of_start_life_and_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = || {
        let mut buffer = [0; 1024];
        let bytes = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    };
    let server = Server::start_with(&[], |command| {
        command
            .env("NOTIFY_SOCKET", &path)
            .env("WATCHDOG_USEC", "20000");
    });
    let ready = heard();
    let said = format!("READY=1\nSTATUS=larder ready resp={}", server.addr());
    assert!(ready.starts_with(&said), "{ready}");
    assert_eq!(heard(), "WATCHDOG=1");
    server.process().signal(Signal::TERM);
    eventually("it stops", || {
        heard().starts_with("STOPPING=1").then_some(())
    });
    assert_eq!(server.wait().status.code(), Some(0));
}

#[test]
fn the_doctor_knows_a_server_that_runs_and_a_port_that_another_has() {
    let server = Server::start(&[]);
    let data = server.folder().join("data").display().to_string();
    let diagnose = |listen: &str, http: &str| {
        let args = [
            "doctor", "--format", "json", "--listen", listen, "--http", http,
        ];
        let finished = run(larder(args).args(["--data", &data]), PATIENCE);
        let findings: Json = serde_json::from_str(&finished.stdout).unwrap();
        let findings = findings.as_array().unwrap().clone();
        let any = |word: &str| findings.iter().any(|found| found["verdict"] == word);
        let expected = match () {
            () if any("wrong") => 1,
            () if any("unknown") => 2,
            () => 0,
        };
        assert_eq!(finished.status.code(), Some(expected), "{finished:?}");
        let verdict = move |name: &str| {
            let found = findings.iter().find(|found| found["name"] == name);
            found.unwrap_or_else(|| panic!("no {name}"))["verdict"].clone()
        };
        ["listen", "http", "data folder"].map(verdict)
    };
    let (resp, http) = (server.addr().to_string(), server.http().to_string());
    let [listens, serves_http, _] = diagnose(&resp, &http);
    assert_eq!([listens, serves_http], ["fine", "fine"]);
    // The other way round, each is where the other is wanted.
    let [listens, serves_http, _] = diagnose(&http, &resp);
    assert_eq!([listens, serves_http], ["wrong", "wrong"]);
}

#[test]
fn the_unit_is_what_systemd_understands() {
    let folders = env::var_os("PATH").unwrap_or_default();
    let installed =
        env::split_paths(&folders).any(|folder| folder.join("systemd-analyze").is_file());
    if !installed {
        announce("SKIPPED the unit of systemd: systemd-analyze is not installed");
        return;
    }
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/deploy/larder.service");
    let program = larder([""; 0]).get_program().display().to_string();
    // Verified is also that the program is there.
    let text = fs::read_to_string(unit).unwrap();
    let text = text.replace("/usr/local/bin/larder", &program);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("larder.service");
    fs::write(&copy, text).unwrap();
    let mut verify = Command::new("systemd-analyze");
    let finished = run(verify.arg("verify").arg(&copy), PATIENCE);
    let own: Vec<&str> = finished
        .stderr
        .lines()
        .filter(|line| line.contains("larder"))
        .collect();
    assert!(own.is_empty(), "{own:#?}");
}
