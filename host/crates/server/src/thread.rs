//! The thread of a worker: its runtime, and what happens when it fails.

use std::io;
use std::net::TcpListener as StdTcpListener;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::sync::{Arc, mpsc};
use std::thread;

use tokio::net::{TcpListener, UnixListener};
use tokio::runtime::{Builder, LocalOptions, LocalRuntime};
use tokio::sync::{oneshot, watch};
use tracing::error;

use crate::listen::{Listener, Listeners};
use crate::tls::{Acceptor, Within};
use crate::worker::Worker;
use crate::{Health, Shared, StartError};

/// Listening sockets for one worker, not on a runtime yet.
pub(crate) struct Sockets {
    pub(crate) tcp: Option<StdTcpListener>,
    pub(crate) tls: Option<StdTcpListener>,
    pub(crate) unix: Option<StdUnixListener>,
}

impl Sockets {
    fn into_listeners(self, shared: &Shared) -> io::Result<Listeners> {
        let mut listeners = Listeners::default();
        if let Some(listener) = self.tcp {
            listeners.tcp = Some(Listener::Tcp(TcpListener::from_std(listener)?));
        }
        if let (Some(listener), Some(tls)) = (self.tls, shared.tls.get()) {
            let acceptor = Acceptor::new(
                tls.clone(),
                Within::Resp,
                shared.buffers.strangers().clone(),
            );
            listeners.tls = Some(Listener::Tls(TcpListener::from_std(listener)?, acceptor));
        }
        if let (Some(unix), Some(path)) = (self.unix, &shared.config.unix_socket) {
            let name = format!("{}:0", path.display());
            listeners.unix = Some(Listener::Unix(UnixListener::from_std(unix)?, name));
        }
        Ok(listeners)
    }
}

/// Starts a worker's thread and waits until it serves. What this returns resolves when the worker has
/// drained, to how many connections it cut off.
pub(crate) fn start_worker(
    shared: Arc<Shared>,
    index: usize,
    sockets: Sockets,
    drain: watch::Receiver<bool>,
) -> Result<oneshot::Receiver<usize>, StartError> {
    let name = format!("larder-worker-{index}");
    let failed = |source| StartError::Thread {
        thread: name.clone(),
        source,
    };
    let (ready, started) = mpsc::sync_channel(1);
    let (done, drained) = oneshot::channel();
    thread::Builder::new()
        .name(name.clone())
        .stack_size(larder_lua::STACK_BYTES)
        .spawn(move || {
            let _alarm = Alarm(shared.clone());
            match open(sockets, &shared) {
                Err(error) => {
                    // Whoever starts us waits for exactly this.
                    let _ = ready.send(Err(error));
                }
                Ok((runtime, listeners)) => {
                    let _ = ready.send(Ok(()));
                    let worker = Worker::new(shared, index);
                    let cut_off = runtime.block_on(worker.serve(listeners, drain));
                    // Closes the connections that are left.
                    drop(runtime);
                    // Nobody waits when the server was dropped instead of drained.
                    let _ = done.send(cut_off);
                }
            }
        })
        .map_err(failed)?;
    let died = |_| Err(io::Error::other("it ended at once"));
    started.recv().unwrap_or_else(died).map_err(failed)?;
    Ok(drained)
}

fn open(sockets: Sockets, shared: &Shared) -> io::Result<(LocalRuntime, Listeners)> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    let listeners = {
        let _context = runtime.enter();
        sockets.into_listeners(shared)?
    };
    Ok((runtime, listeners))
}

/// Makes it known when the thread that owns this panics: a listener less would go unnoticed otherwise.
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if thread::panicking() {
            error!("a worker thread panicked: its connections are lost");
            self.0.set_health(Health::Failed);
        }
    }
}
