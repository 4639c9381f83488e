//! TLS as clients and operators meet it: redis-cli and curl with OpenSSL on the other side, files that change,
//! files that are wrong.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use e2e::harness::{Finished, PATIENCE, Server, eventually, larder, run, tool};
use larder_resp::encode_command;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::users::hash_password;

/// A folder of PEM files: `ca`, and `cert` and `key` that it has signed.
pub(crate) struct Files(tempfile::TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.issue();
        files
    }

    /// New files in the place of those that are there, one after the other.
    fn issue(&self) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let name = "the authority";
        params.distinguished_name.push(DnType::CommonName, name);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(names).unwrap();
        let cert = cert.signed_by(&key, &ca).unwrap();
        self.write("ca", &ca.pem());
        self.write("cert", &cert.pem());
        self.write("key", &key.serialize_pem());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name).with_extension("pem")
    }

    pub(crate) fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// A server that speaks TLS on a free port.
    pub(crate) fn serve(&self, flags: &[&str]) -> Server {
        let (cert, key) = (self.shown("cert"), self.shown("key"));
        let own = ["--tls-cert", &cert, "--tls-key", &key];
        let listen: &[&str] = match flags.contains(&"--tls-listen") {
            true => &[],
            false => &["--tls-listen", "127.0.0.1:0"],
        };
        Server::start(&[&own, listen, flags].concat())
    }

    /// redis-cli over TLS, trusting the authority.
    fn redis_cli(&self, program: &Path, server: &Server) -> Command {
        let mut command = Command::new(program);
        let port = server.tls().port().to_string();
        command.args(["-h", "127.0.0.1", "-p", &port, "--tls", "--cacert"]);
        command.arg(self.path("ca")).stdin(Stdio::null());
        command
    }

    /// curl over HTTPS, trusting the authority.
    fn curl(&self, program: &Path, server: &Server, path: &str) -> Command {
        let mut command = Command::new(program);
        command.args(["--silent", "--show-error", "--max-time", "80", "--cacert"]);
        command.arg(self.path("ca"));
        command.arg(format!("https://localhost:{}{path}", server.http().port()));
        command.args([
            "--resolve",
            &format!("localhost:{}:127.0.0.1", server.http().port()),
        ]);
        command.stdin(Stdio::null());
        command
    }
}

#[track_caller]
fn says(command: &mut Command) -> String {
    let finished = run(command, PATIENCE);
    assert!(finished.status.success(), "{finished:?}");
    finished.stdout.trim_end().to_owned()
}

#[test]
fn redis_cli_sends_and_takes_whatever_is_large_or_many() {
    const KEYS: usize = 10_000;
    let Some(cli) = tool("redis-cli", "redis-cli over TLS") else {
        return;
    };
    let files = Files::new();
    let server = files.serve(&["--memory", "128MiB", "--threads", "2"]);
    let call = |args: &[&str]| says(files.redis_cli(&cli, &server).args(args));
    assert_eq!(call(&["PING"]), "PONG");
    let value: String = (0..10_000_000)
        .map(|at| char::from(b'a' + (at % 23) as u8))
        .collect();
    let path = server.folder().join("value");
    fs::write(&path, &value).unwrap();
    let mut set = files.redis_cli(&cli, &server);
    set.args(["-x", "SET", "big"])
        .stdin(File::open(&path).unwrap());
    assert_eq!(says(&mut set), "OK");
    assert!(call(&["GET", "big"]) == value, "another value came back");

    let mut requests = Vec::new();
    for number in 0..KEYS {
        encode_command(
            &mut requests,
            &[b"SET", format!("key:{number}").as_bytes(), b"v"],
        );
    }
    fs::write(&path, requests).unwrap();
    let mut pipe = files.redis_cli(&cli, &server);
    let piped = says(pipe.arg("--pipe").stdin(File::open(&path).unwrap()));
    assert!(
        piped.contains(&format!("errors: 0, replies: {KEYS}")),
        "{piped}"
    );
    assert_eq!(call(&["DBSIZE"]), (KEYS + 1).to_string());
    // The plain port is there as well.
    assert_eq!(server.info()["tcp_port"], server.addr().port().to_string());
}

#[test]
fn a_new_certificate_is_taken_without_a_restart() {
    let Some(cli) = tool("redis-cli", "a new certificate") else {
        return;
    };
    let files = Files::new();
    let server = files.serve(&[]);
    let ping = || run(files.redis_cli(&cli, &server).arg("PING"), PATIENCE);
    assert!(ping().status.success());
    assert!(server.metric("larder_tls_certificate_not_after_seconds") > 4e9);
    files.write("cert", "no certificate");
    eventually("the wrong file is refused", || {
        (server.metric("larder_tls_reloads_total") == 1.0).then_some(())
    });
    assert!(
        ping().status.success(),
        "what was there before stays in force"
    );
    files.issue();
    eventually("the new certificate is there", || {
        ping().status.success().then_some(())
    });
    server.process().said("holds no certificate");
}

#[test]
fn https_carries_the_api_and_the_server_tells_its_health() {
    let Some(curl) = tool("curl", "HTTPS") else {
        return;
    };
    let files = Files::new();
    let server = files.serve(&["--tls-http", "--memory", "128MiB"]);
    let value = "v".repeat(5_000_000);
    let path = server.folder().join("value");
    fs::write(&path, &value).unwrap();
    let mut put = files.curl(&curl, &server, "/v1/keys/k");
    put.args(["--request", "PUT", "--data-binary"]);
    says(put.arg(format!("@{}", path.display())));
    assert!(says(&mut files.curl(&curl, &server, "/v1/keys/k")) == value);
    let console = says(&mut files.curl(&curl, &server, "/"));
    assert!(console.contains("<html"), "{console}");
    let metrics = says(&mut files.curl(&curl, &server, "/metrics"));
    let done = "larder_tls_handshakes_total{result=\"done\"} 4";
    assert!(metrics.contains(done), "{metrics}");
}

#[test]
fn required_certificates_let_clients_in_from_anywhere() {
    let Some(cli) = tool("redis-cli", "certificates of clients") else {
        return;
    };
    let files = Files::new();
    let ca = files.shown("ca");
    let required = ["--tls-client-ca", &ca, "--tls-client-auth", "required"];
    let server = files.serve(&[&["--tls-listen", "0.0.0.0:0"], &required[..]].concat());
    let own = [files.shown("cert"), files.shown("key")];
    let with = ["--cert", &own[0], "--key", &own[1], "PING"];
    assert_eq!(says(files.redis_cli(&cli, &server).args(with)), "PONG");
    let without = run(files.redis_cli(&cli, &server).arg("PING"), PATIENCE);
    assert!(!without.stdout.contains("PONG"), "{without:?}");
}

fn start_in_vain(flags: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    run(&mut Server::command(flags, folder.path()), PATIENCE)
}

#[test]
fn files_that_do_not_do_are_told_at_the_start() {
    let files = Files::new();
    let (cert, key) = (files.shown("cert"), files.shown("key"));
    let flags = [
        "--tls-listen",
        "127.0.0.1:0",
        "--tls-cert",
        &cert,
        "--tls-key",
        &key,
    ];
    files.write("key", &KeyPair::generate().unwrap().serialize_pem());
    let finished = start_in_vain(&flags);
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    let said =
        format!("error: tls.key: {key}: it does not belong to the first certificate in {cert}");
    assert!(finished.stderr.contains(&said), "{finished:?}");
    let finished = start_in_vain(&flags[..4]);
    assert_eq!(finished.status.code(), Some(2), "{finished:?}");
    assert!(
        finished.stderr.contains("tls.key: found \"none\""),
        "{finished:?}"
    );
}

#[test]
fn commands_that_ask_a_server_speak_tls_and_sign_in() {
    let files = Files::new();
    let hash = hash_password("secret");
    let user =
        |name: &str| format!("[[user]]\nname = '{name}'\nadmin = true\npassword = '{hash}'\n");
    files.write("users", &(user("default") + &user("root")));
    files.write("password", "secret\n");
    files.write("wrong", "guess\n");
    let (config, ca) = (files.shown("users"), files.shown("ca"));
    let server = files.serve(&["--config", &config, "--tls-http"]);
    let addr = format!("localhost:{}", server.tls().port());
    let ask = |args: &[&str], more: &[&str]| {
        let mut command = larder(args);
        command.args(["--addr", &addr, "--tls-ca", &ca]).args(more);
        command
    };
    let root = [
        "--user",
        "root",
        "--password-file",
        &files.shown("password"),
    ];
    let listed = says(&mut ask(&["policy", "list"], &root));
    assert!(listed.contains("s3-fifo"), "{listed}");
    let mut bench = ask(&["bench", "--duration", "100ms", "--keys", "100"], &[]);
    bench.args([
        "--clients",
        "4",
        "--pipeline",
        "16",
        "--value",
        "40000",
        "--fill",
    ]);
    says(bench.env("LARDER_PASSWORD", "secret"));
    let guess = ["--user", "root", "--password-file", &files.shown("wrong")];
    let refused = run(&mut ask(&["policy", "list"], &guess), PATIENCE);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(refused.stderr.contains("refuses: WRONGPASS"), "{refused:?}");

    let http = server.http().to_string();
    assert_eq!(
        says(&mut larder(["health", "--http", &http, "--tls"])),
        "ready"
    );
    let plain = run(&mut larder(["health", "--http", &http]), PATIENCE);
    assert_eq!(plain.status.code(), Some(1), "{plain:?}");
}
