//! A running `larder serve`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use larder_resp::Value;
use rustix::process::Signal;
use tempfile::TempDir;

use super::client::Client;
use super::http::{self, Response};
use super::patience::{PATIENCE, eventually};
use super::process::{Finished, Process};
use super::program::larder;

/// A server on free ports of the loopback address, its data in a folder of its own. Killed when
/// dropped.
pub struct Server {
    process: Process,
    addresses: Addresses,
    folder: TempDir,
}

/// Where a server listens.
#[derive(Debug, Clone, Copy)]
struct Addresses {
    resp: SocketAddr,
    http: SocketAddr,
    tls: Option<SocketAddr>,
}

impl Server {
    /// Starts a server with these flags besides, and waits until it is ready.
    ///
    /// # Panics
    /// When it does not say in time where it listens.
    #[track_caller]
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, |_| {})
    }

    /// As [`Self::start`], with a command that `prepare` has changed.
    ///
    /// # Panics
    /// Likewise.
    #[track_caller]
    pub fn start_with(flags: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = Self::command(flags, folder.path());
        prepare(&mut command);
        let mut process = Process::start(&mut command);
        let line = eventually("the server is ready", || {
            let ended = process.status();
            assert!(
                ended.is_none(),
                "the server ended: {ended:?}\n{}",
                process.stderr()
            );
            let said = process.stdout();
            said.split_once('\n').map(|(line, _)| line.to_owned())
        });
        let addresses = addresses(&line).unwrap_or_else(|| panic!("no ready line: {line:?}"));
        Self {
            process,
            addresses,
            folder,
        }
    }

    /// The command that [`Self::start`] runs: free ports, data in `folder` and nothing below the memory, unless the
    /// flags say something else.
    pub fn command(flags: &[&str], folder: &Path) -> Command {
        let mut command = larder(["serve"]);
        let data = folder.join("data").display().to_string();
        for (flag, value) in [
            ("--listen", "127.0.0.1:0"),
            ("--http", "127.0.0.1:0"),
            ("--data", &data),
            ("--l2", "none"),
        ] {
            if !flags.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(flags);
        command
    }

    /// Where it serves the Redis protocol.
    pub fn addr(&self) -> SocketAddr {
        self.addresses.resp
    }

    /// Where it serves the Redis protocol over TLS.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn tls(&self) -> SocketAddr {
        self.addresses.tls.expect("TLS is served")
    }

    /// Where it serves HTTP.
    pub fn http(&self) -> SocketAddr {
        self.addresses.http
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// A folder that lives as long as the server.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A new connection.
    ///
    /// # Panics
    /// When it does not accept one.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.addresses.resp)
    }

    /// Asks for `path` over HTTP.
    ///
    /// # Panics
    /// When it does not answer.
    #[track_caller]
    pub fn get(&self, path: &str) -> Response {
        match http::get(self.addresses.http, path) {
            Ok(response) => response,
            Err(error) => panic!(
                "no answer to GET {path}: {error}\n{}",
                self.process.stderr()
            ),
        }
    }

    /// The sum of all samples of a metric.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn metric(&self, name: &str) -> f64 {
        let page = self.get("/metrics").body;
        let samples: Vec<f64> = page.lines().filter_map(|line| sample(line, name)).collect();
        assert!(!samples.is_empty(), "no {name} in:\n{page}");
        samples.iter().sum()
    }

    /// The fields of INFO.
    ///
    /// # Panics
    /// When INFO is not answered.
    #[track_caller]
    pub fn info(&self) -> BTreeMap<String, String> {
        let text = match self.client().call(&["INFO"]) {
            Value::Bulk(Some(text)) => String::from_utf8_lossy(&text).into_owned(),
            other => panic!("INFO was answered with {other:?}"),
        };
        let fields = text
            .lines()
            .filter_map(|line| line.trim_end().split_once(':'));
        fields
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come.
    #[track_caller]
    pub fn wait(mut self) -> Finished {
        match self.process.wait(PATIENCE) {
            Some(status) => self.process.finished(status),
            None => panic!("the server does not end\n{}", self.process.stderr()),
        }
    }

    /// Ends it with SIGTERM.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn stop(self) -> ExitStatus {
        self.process.signal(Signal::TERM);
        self.wait().status
    }
}

/// The value of a line of the metrics page, if it is a sample of the metric called `name`.
fn sample(line: &str, name: &str) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let rest = match rest.strip_prefix('{') {
        Some(labels) => labels.split_once('}')?.1,
        None => rest,
    };
    rest.strip_prefix(' ')?.parse().ok()
}

/// The addresses in `larder ready resp=ADDR:PORT http=ADDR:PORT tls=ADDR:PORT|none`.
fn addresses(line: &str) -> Option<Addresses> {
    let rest = line.strip_prefix("larder ready resp=")?;
    let (resp, rest) = rest.split_once(" http=")?;
    let (http, tls) = rest.split_once(" tls=")?;
    Some(Addresses {
        resp: resp.parse().ok()?,
        http: http.parse().ok()?,
        tls: match tls {
            "none" => None,
            addr => Some(addr.parse().ok()?),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_and_without_labels() {
        assert_eq!(sample("hits_total 3", "hits_total"), Some(3.0));
        assert_eq!(
            sample("hits_total{tenant=\"a b\"} 2", "hits_total"),
            Some(2.0)
        );
        for other in ["hits_total_more 3", "# HELP hits_total 3", "hits", ""] {
            assert_eq!(sample(other, "hits_total"), None, "{other}");
        }
    }

    #[test]
    fn the_ready_line_is_taken_literally() {
        let read = addresses("larder ready resp=127.0.0.1:1 http=127.0.0.1:2 tls=127.0.0.1:3");
        let read = read.unwrap();
        let ports = [read.resp, read.http, read.tls.unwrap()].map(|addr| addr.port());
        assert_eq!(ports, [1, 2, 3]);
        let plain = addresses("larder ready resp=127.0.0.1:1 http=127.0.0.1:2 tls=none");
        assert!(plain.unwrap().tls.is_none());
        for other in [
            "ready",
            "larder ready resp=127.0.0.1:1",
            "larder ready resp=127.0.0.1:1 http=127.0.0.1:2",
            "larder ready resp=a http=b tls=none",
        ] {
            assert!(addresses(other).is_none(), "{other}");
        }
    }
}
