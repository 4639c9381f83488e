//! Smoke test of `cargo xtask serve`: what the README's first command starts answers, and ends when told to.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::steps::Outcome;
use crate::{process, serve};

/// How long the server may take to listen, to answer, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of an HTTP answer is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// Starts the server as a user would, though as built for the tests, asks it for a sign of life, and starts it again
/// to see whether it has what it was given.
///
/// # Errors
/// When it does not start, answer or end as promised; the text says which.
pub(crate) fn run() -> Result<Outcome> {
    // Built before the clock runs.
    process::run(&mut process::test_build())?;
    let data = Folder(process::target()?.join(format!("smoke-{}", std::process::id())));
    try_out(
        &data.0,
        &[("PING", "+PONG\r\n"), ("SET greeting hello", "+OK\r\n")],
    )?;
    try_out(&data.0, &[("GET greeting", "$5\r\nhello\r\n")])?;
    Ok(Outcome::Passed)
}

/// Starts the server, has it carry out these commands with these replies, and ends it.
fn try_out(data: &Path, commands: &[(&str, &str)]) -> Result<()> {
    let mut server = start(data)?;
    let ready = ready_line(&mut server.0)?;
    let (resp, http) = addresses(&ready)?;
    for (command, expected) in commands {
        let reply = ask(resp, &format!("{command}\r\n"), expected.len() as u64)?;
        ensure!(reply == *expected, "{command} was answered with {reply:?}");
    }
    let health = "GET /healthz HTTP/1.1\r\nHost: larder\r\nConnection: close\r\n\r\n";
    let health = ask(http, health, ANSWER_BYTES_MAX)?;
    ensure!(
        health.starts_with("HTTP/1.1 200"),
        "/healthz was answered with {health:?}"
    );

    let id = server.0.id().to_string();
    process::run(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &id]))?;
    match process::wait(&mut server.0, PATIENCE)? {
        Some(status) => ensure!(status.success(), "ended by SIGTERM, it says {status}"),
        None => bail!("it has not ended {} s after SIGTERM", PATIENCE.as_secs()),
    }
    Ok(())
}

/// A folder that goes when it is done with.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing is lost when it stays: it lies in cargo's target folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A server that does not outlive a failed test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Fails when it has ended already, as it should have.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(data: &Path) -> Result<Server> {
    let mut command = process::cargo(["xtask", "serve", "--listen", "127.0.0.1:0"]);
    command.args(["--http", "127.0.0.1:0", "--data"]).arg(data);
    // The settings of whoever runs the tests are not what is tested.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LARDER_") {
            command.env_remove(name);
        }
    }
    command
        .env(serve::TEST_BUILD, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Ok(Server(
        command.spawn().context("cannot start cargo xtask serve")?,
    ))
}

/// Waits for the first line on standard output, which by contract is the ready line.
fn ready_line(server: &mut Child) -> Result<String> {
    let output = server
        .stdout
        .take()
        .context("the server has no standard output")?;
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        let read = output.read_line(&mut line);
        // The receiver is gone when the time is up.
        let _ = sender.send(read.map(|_| line));
        // A pipe that nobody reads would fail the server.
        let _ = io::copy(&mut output, &mut io::sink());
    });
    let line = receiver
        .recv_timeout(PATIENCE)
        .with_context(|| format!("no ready line within {} s", PATIENCE.as_secs()))??;
    ensure!(!line.is_empty(), "it ended without a ready line; see above");
    Ok(line)
}

/// The addresses in `larder ready resp=ADDR:PORT http=ADDR:PORT`.
fn addresses(line: &str) -> Result<(SocketAddr, SocketAddr)> {
    let words = line
        .strip_prefix("larder ready ")
        .map(str::split_whitespace);
    let words: Vec<_> = words
        .with_context(|| format!("no ready line: {line:?}"))?
        .collect();
    let find = |name: &str| {
        let value = words
            .iter()
            .find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        let value = value.with_context(|| format!("no {name}= in {line:?}"))?;
        value
            .parse()
            .with_context(|| format!("{name}= is no address in {line:?}"))
    };
    Ok((find("resp")?, find("http")?))
}

/// Sends `request`, reads until `answer_bytes_max` are there or the server closes.
fn ask(at: SocketAddr, request: &str, answer_bytes_max: u64) -> Result<String> {
    let exchange = || {
        let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.take(answer_bytes_max).read_to_string(&mut answer)?;
        io::Result::Ok(answer)
    };
    exchange().with_context(|| format!("no answer from {at} to {request:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_line_is_read_by_name() -> Result<()> {
        let (resp, http) = addresses("larder ready resp=127.0.0.1:1 unix=/run/l http=[::1]:2\n")?;
        assert_eq!(
            (resp.to_string(), http.to_string()),
            ("127.0.0.1:1".into(), "[::1]:2".into())
        );
        for bad in [
            "ready",
            "larder ready resp=127.0.0.1:1",
            "larder ready resp=x http=127.0.0.1:1",
        ] {
            assert!(addresses(bad).is_err(), "{bad}");
        }
        Ok(())
    }
}
