//! redis-cli, as the system has it.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use e2e::harness::{PATIENCE, Server, run, tool};
use larder_resp::encode_command;

struct Cli {
    program: PathBuf,
    server: Server,
}

impl Cli {
    /// `None` where redis-cli is not installed, see [`tool`].
    fn start(test: &str) -> Option<Self> {
        let program = tool("redis-cli", test)?;
        Some(Self {
            program,
            server: Server::start(&["--memory", "64MiB"]),
        })
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let addr = self.server.addr();
        command.args(["-h", &addr.ip().to_string(), "-p", &addr.port().to_string()]);
        command.args(args).stdin(std::process::Stdio::null());
        command
    }

    /// What it prints, without the last line end.
    #[track_caller]
    fn says(&self, args: &[&str]) -> String {
        let finished = run(&mut self.command(args), PATIENCE);
        assert!(
            finished.status.success() && finished.stderr.is_empty(),
            "{finished:?}"
        );
        finished.stdout.trim_end().to_owned()
    }

    #[track_caller]
    fn check(&self, line: &str, expected: &str) {
        let args: Vec<&str> = line.split(' ').collect();
        assert_eq!(self.says(&args), expected, "{line}");
    }
}

#[test]
fn redis_cli_works_in_both_versions_of_the_protocol() {
    let Some(cli) = Cli::start("redis-cli") else {
        return;
    };
    for version in ["-2", "-3"] {
        let check = |line: &str, expected: &str| cli.check(&format!("{version} {line}"), expected);
        check("FLUSHALL", "OK");
        check("PING", "PONG");
        check("SET fruit apple EX 100", "OK");
        check("GET fruit", "apple");
        check("GET none", "");
        check("--no-raw GET none", "(nil)");
        check("EXPIREAT fruit 4000000000", "1");
        check("--no-raw EXPIRETIME fruit", "(integer) 4000000000");
        check("INCRBY count 41", "41");
        check("INCRBYFLOAT count 0.5", "41.5");
        check("MSET a 1 b 2 c 3", "OK");
        check("MGET a none c", "1\n\n3");
        check("-n 3 DBSIZE", "0");
        check(
            "--no-raw EXPIRE fruit abc",
            "(error) ERR value is not an integer or out of range",
        );
        check("--no-raw TYPE fruit", "string");
        check("DEL fruit count a b c none", "5");
    }
}

#[test]
fn redis_cli_scans_what_it_has_inserted_in_bulk() {
    const KEYS: usize = 10_000;
    let Some(cli) = Cli::start("redis-cli --pipe") else {
        return;
    };
    let mut requests = Vec::new();
    for number in 0..KEYS {
        let (key, value) = (format!("key:{number}"), format!("value:{number}"));
        encode_command(&mut requests, &[b"SET", key.as_bytes(), value.as_bytes()]);
    }
    let path = cli.server.folder().join("requests");
    fs::write(&path, requests).unwrap();
    let finished = run(
        cli.command(&["--pipe"]).stdin(File::open(&path).unwrap()),
        PATIENCE,
    );
    let sum = format!("errors: 0, replies: {KEYS}");
    assert!(
        finished.status.success() && finished.stdout.contains(&sum),
        "{finished:?}"
    );
    cli.check("DBSIZE", &KEYS.to_string());
    cli.check("GET key:9999", "value:9999");

    let scanned = cli.says(&["--scan", "--pattern", "key:123*"]);
    let mut scanned: Vec<&str> = scanned.lines().collect();
    scanned.sort_unstable();
    let numbers = ["", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    assert_eq!(scanned, numbers.map(|end| format!("key:123{end}")));
    let all = cli.says(&["--scan"]);
    let mut all: Vec<&str> = all.lines().collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), KEYS);
}

#[test]
fn redis_cli_reads_lines_and_info() {
    let Some(cli) = Cli::start("redis-cli < file") else {
        return;
    };
    let path = cli.server.folder().join("lines");
    fs::write(
        &path,
        "SET greeting \"hello world\"\nGET greeting\nSTRLEN greeting\n",
    )
    .unwrap();
    let finished = run(cli.command(&[]).stdin(File::open(&path).unwrap()), PATIENCE);
    assert_eq!(finished.stdout, "OK\nhello world\n11\n", "{finished:?}");
    assert!(cli.says(&["INFO", "server"]).contains("redis_version:7.2"));
    assert!(
        cli.says(&["-3", "INFO", "server"])
            .contains("server_name:larder")
    );
    cli.check("CONFIG GET maxmemory", "maxmemory\n67108864");
    assert!(cli.says(&["COMMAND", "DOCS", "SET"]).contains("summary"));
}
