//! The Redis server of the system, to compare with and to keep entries in.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::client::Client;
use super::patience::{PATIENCE, within};
use super::port::free_address;
use super::process::Process;
use super::tool::tool;

/// How often a port that was free is tried again, as somebody may take it before Redis does.
const TRIES_MAX: usize = 5;

/// A running `redis-server` that keeps nothing on disk. Killed when dropped.
pub struct Redis {
    process: Process,
    command: Listening,
    addr: SocketAddr,
    _folder: TempDir,
}

/// How a server is started on a port.
struct Listening {
    program: PathBuf,
    args: Vec<String>,
    is_tls: bool,
}

impl Listening {
    fn start(&self, addr: SocketAddr, folder: &TempDir) -> Option<Process> {
        let port = addr.port().to_string();
        let mut command = Command::new(&self.program);
        match self.is_tls {
            true => command.args(["--port", "0", "--tls-port", &port]),
            false => command.args(["--port", &port]),
        };
        command.args(["--bind", &addr.ip().to_string()]);
        command
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .args(&self.args);
        let mut process = Process::start(command.stdin(Stdio::null()));
        let listens = within(PATIENCE, || match process.status() {
            Some(_) => Some(false),
            None => TcpStream::connect(addr).is_ok().then_some(true),
        });
        (listens == Some(true)).then_some(process)
    }
}

impl Redis {
    /// Starts one for `test`; `None` where it is not installed, see [`tool`].
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[])
    }

    /// The same, with these arguments besides; with any of `--tls…` it speaks TLS alone.
    ///
    /// # Panics
    /// Likewise.
    #[track_caller]
    pub fn start_with(test: &str, args: &[&str]) -> Option<Self> {
        let command = Listening {
            program: tool("redis-server", test)?,
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            is_tls: args.iter().any(|arg| arg.starts_with("--tls")),
        };
        for _ in 0..TRIES_MAX {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let addr = free_address();
            if let Some(process) = command.start(addr, &folder) {
                return Some(Self {
                    process,
                    command,
                    addr,
                    _folder: folder,
                });
            }
        }
        panic!("redis-server did not start in {TRIES_MAX} tries");
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Ends it, if it still runs, and starts an empty one in its place.
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn restart(&mut self) {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        self.process.kill();
        let process = within(PATIENCE, || self.command.start(self.addr, &folder));
        self.process = process.expect("redis-server starts again");
        self._folder = folder;
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// A new connection.
    ///
    /// # Panics
    /// When it does not accept one.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.addr)
    }
}
