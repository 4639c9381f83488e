//! The Redis server of the system, to compare with.

use std::net::{SocketAddr, TcpStream};
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
    _process: Process,
    addr: SocketAddr,
    _folder: TempDir,
}

impl Redis {
    /// Starts one for `test`; `None` where it is not installed, see [`tool`].
    ///
    /// # Panics
    /// When it does not start.
    #[track_caller]
    pub fn start(test: &str) -> Option<Self> {
        let program = tool("redis-server", test)?;
        for _ in 0..TRIES_MAX {
            let folder = tempfile::tempdir().expect("a temporary folder can be made");
            let addr = free_address();
            let mut command = Command::new(&program);
            command.args([
                "--port",
                &addr.port().to_string(),
                "--bind",
                &addr.ip().to_string(),
            ]);
            command
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(folder.path());
            let mut process = Process::start(command.stdin(Stdio::null()));
            let listens = within(PATIENCE, || match process.status() {
                Some(_) => Some(false),
                None => TcpStream::connect(addr).is_ok().then_some(true),
            });
            if listens == Some(true) {
                return Some(Self {
                    _process: process,
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

    /// A new connection.
    ///
    /// # Panics
    /// When it does not accept one.
    #[track_caller]
    pub fn client(&self) -> Client {
        Client::connect(self.addr)
    }
}
