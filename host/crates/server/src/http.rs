//! HTTP: health and metrics for those who watch the server, and an API for those who use it. One thread
//! of its own, and a bound on everything, so that whoever reaches the port cannot do much with it.

mod api;
mod batch;
mod body;
mod caller;
mod conditions;
mod console;
mod figures;
mod history;
mod invalidate;
mod keys;
mod link;
mod openapi;
mod policies;
mod problem;
mod reports;
mod router;
mod said;
mod text;
mod timing;
mod wire;

use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

use crate::run::Metrics;
use crate::{Shared, StartError};

pub(crate) use batch::text as json_of;
pub(crate) use figures::Figures;
pub use figures::HttpTotals;

use api::Api;
use link::{BoundedListener, Link};

/// The running HTTP thread; it ends when this is dropped.
pub(crate) struct Http {
    pub(crate) addr: SocketAddr,
    stop: Option<watch::Sender<bool>>,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Listens on `addr` and serves from a thread of its own.
pub(crate) fn start(
    addr: SocketAddr,
    shared: Arc<Shared>,
    metrics: Metrics,
) -> Result<Http, StartError> {
    let refused = |source| StartError::listen(addr, "--http", source);
    let listener = StdTcpListener::bind(addr).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let addr = listener.local_addr().map_err(refused)?;
    let failed = |source| StartError::Thread {
        thread: "larder-http".into(),
        source,
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let listener = {
        let _context = runtime.enter();
        TcpListener::from_std(listener).map_err(refused)?
    };
    let listener = BoundedListener::new(listener, shared.clone());
    let is_local = caller::is_local(addr);
    let api = Arc::new(Api::new(shared, metrics, is_local));
    let (stop, stopping) = watch::channel(false);
    let (end, ended) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("larder-http".into())
        .spawn(move || {
            serve(&runtime, listener, api, stopping);
            // Nobody waits when the server was dropped instead of drained.
            let _ = end.send(());
        })
        .map_err(failed)?;
    Ok(Http {
        addr,
        stop: Some(stop),
        ended: Some(ended),
        thread: Some(thread),
    })
}

impl Http {
    /// Accepts nobody any more, and lets requests that were begun be answered, for `time_max` at most.
    pub(crate) async fn drain(mut self, time_max: Duration) {
        if let (Some(stop), Some(ended)) = (&self.stop, self.ended.take()) {
            // It fails only if the thread has ended.
            let _ = stop.send(true);
            let _ = timeout(time_max, ended).await;
        }
    }
}

impl Drop for Http {
    fn drop(&mut self) {
        // Dropping the sender ends what is not answered yet.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn serve(
    runtime: &Runtime,
    listener: BoundedListener,
    api: Arc<Api>,
    mut stopping: watch::Receiver<bool>,
) {
    let app = router::router(api.clone()).into_make_service_with_connect_info::<Link>();
    let mut draining = stopping.clone();
    let drained = async move {
        // Whoever would say so may be gone, which says the same.
        let _ = draining.wait_for(|drain| *drain).await;
    };
    let dropped = async move { while stopping.changed().await.is_ok() {} };
    runtime.block_on(async {
        tokio::select! {
            _ = axum::serve(listener, app).with_graceful_shutdown(drained).into_future() => {}
            () = history::watch(api) => {}
            () = dropped => {}
        }
    });
}

#[cfg(test)]
mod tests;
