//! Starting the server and ending it.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;
use std::vec;

use tokio::sync::{oneshot, watch};

use crate::http::{self, Http};
use crate::listen;
use crate::maintenance::Maintenance;
use crate::thread::{Sockets, start_worker};
use crate::tls::Tls;
use crate::{Health, Shared, StartError};

/// Renders all metrics in the text format of Prometheus, version 0.0.4.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// A server that listens. Dropping it begins what [`Running::drain`] does, without waiting for it.
pub struct Running {
    shared: Arc<Shared>,
    http: Option<Http>,
    unix_socket: Option<UnixSocket>,
    drain: watch::Sender<bool>,
    workers: Vec<oneshot::Receiver<usize>>,
    _maintenance: Maintenance,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Connections that had not finished within `drain_timeout` and were cut off.
    pub cut_off: usize,
}

/// Opens all sockets and serves on them with threads of its own; it is ready when [`Running::open`] says so. `metrics` answers
/// `/metrics`.
///
/// # Errors
///
/// If an address is taken or cannot be listened on, TLS cannot be spoken with the files that there are, or
/// a thread cannot be made.
pub fn start(shared: Arc<Shared>, metrics: Metrics) -> Result<Running, StartError> {
    let config = &shared.config;
    let threads = config.threads.max(1);
    if let Some(tls) = &config.tls {
        let tls = Arc::new(Tls::new(tls.clone(), shared.clock)?);
        let watched = tls.watch(shared.monotonic_ns);
        watched.map_err(|source| StartError::Thread {
            thread: "larder-certs".into(),
            source,
        })?;
        // Set once: a server state is started once.
        let _ = shared.tls.set(tls);
    }
    let tls_listen = config.tls.as_ref().and_then(|tls| tls.listen);
    let mut tcp = listen(config.listen, "--listen", &shared.resp_addr, threads)?;
    let mut tls = listen(tls_listen, "--tls-listen", &shared.tls_addr, threads)?;
    let http = match config.http {
        Some(addr) => Some(http::start(addr, shared.clone(), metrics)?),
        None => None,
    };
    let (mut unix_listener, unix_socket) = match &config.unix_socket {
        Some(path) => {
            let listener =
                listen::unix(path).map_err(|source| StartError::unix(path.clone(), source))?;
            (Some(listener), Some(UnixSocket::new(path.clone())))
        }
        None => (None, None),
    };
    let (drain, draining) = watch::channel(false);
    let mut workers = Vec::new();
    for index in 0..threads {
        let sockets = Sockets {
            tcp: tcp.next(),
            tls: tls.next(),
            unix: unix_listener.take(),
        };
        workers.push(start_worker(
            shared.clone(),
            index,
            sockets,
            draining.clone(),
        )?);
    }
    let maintenance = Maintenance::start(shared.clone()).map_err(|source| StartError::Thread {
        thread: "maintenance".into(),
        source,
    })?;
    Ok(Running {
        shared,
        http,
        unix_socket,
        drain,
        workers,
        _maintenance: maintenance,
    })
}

/// Listens on an address, if there is one, with a socket for each worker, and tells which port was taken.
fn listen(
    addr: Option<SocketAddr>,
    option: &'static str,
    taken: &OnceLock<SocketAddr>,
    threads: usize,
) -> Result<vec::IntoIter<TcpListener>, StartError> {
    let Some(addr) = addr else {
        return Ok(Vec::new().into_iter());
    };
    let refused = |source| StartError::listen(addr, option, source);
    let listeners = listen::tcp(addr, threads).map_err(refused)?;
    // Likewise.
    let _ = taken.set(listeners[0].local_addr().map_err(refused)?);
    Ok(listeners.into_iter())
}

impl Running {
    /// Address of the Redis protocol, with the port that is really listened on; `None` when it is off.
    pub fn resp_addr(&self) -> Option<SocketAddr> {
        self.shared.resp_addr()
    }

    /// Address of the Redis protocol over TLS, likewise; `None` when it is off.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.shared.tls_addr()
    }

    /// Address of HTTP, with the port that is really listened on; `None` when it is off.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|http| http.addr)
    }

    /// It is ready from now on: `/readyz` says so.
    pub fn open(&self) {
        self.shared.set_ready();
    }

    /// Ends the server: closes its listeners, lets every connection finish what its client has sent, for
    /// `drain_timeout` at most, and stops. HTTP answers until the end, `/readyz` with 503.
    pub async fn drain(self) -> Drained {
        self.shared.set_health(Health::Draining);
        // Before nobody listens on it any more: a successor would take its name over then.
        drop(self.unix_socket);
        // Fails only if all workers are gone, which is what we want.
        let _ = self.drain.send(true);
        let (began, drain_timeout) = (Instant::now(), self.shared.config.drain_timeout);
        let mut cut_off = 0;
        for worker in self.workers {
            // A worker that died has no connections left.
            cut_off += worker.await.unwrap_or(0);
        }
        if let Some(http) = self.http {
            let left = drain_timeout.saturating_sub(began.elapsed());
            http.drain(left).await;
            cut_off += usize::try_from(self.shared.http.totals().connections).unwrap_or(0);
        }
        Drained { cut_off }
    }
}

/// The file of the Unix socket; removed when this is dropped, if it is still ours.
struct UnixSocket {
    path: PathBuf,
    file: Option<(u64, u64)>,
}

impl UnixSocket {
    fn new(path: PathBuf) -> Self {
        let file = file_id(&path);
        Self { path, file }
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if self.file.is_some() && file_id(&self.path) == self.file {
            // It may have been removed by hand, which harms nobody.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What tells one file from another at the same path: device and number.
fn file_id(path: &Path) -> Option<(u64, u64)> {
    let file = std::fs::symlink_metadata(path).ok()?;
    Some((file.dev(), file.ino()))
}

#[cfg(test)]
mod tests;
