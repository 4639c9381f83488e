//! HTTP for those who watch the server: `/healthz`, `/readyz`, `/metrics`, `/v1/policies`. One thread, one
//! request a connection, and a bound on everything, so that whoever reaches the port cannot do much
//! with it.

mod policies;

use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Sleep, sleep};

use crate::run::Metrics;
use crate::{Health, Shared, StartError};

/// Connections served at once; others wait to be accepted.
const CONNECTIONS_MAX: usize = 256;
/// How long a connection may take, from being accepted to its end.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(2);
/// Bytes read from a connection at most; a request needs a hundredth of that.
const REQUEST_BYTES_MAX: usize = 32 << 10;
/// Pause after the system could not give us a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The running HTTP thread; it ends when this is dropped.
pub(crate) struct Http {
    pub(crate) addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
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
    let (stop, stopped) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("larder-http".into())
        .spawn(move || serve(&runtime, listener, router(shared, metrics), stopped))
        .map_err(failed)?;
    Ok(Http {
        addr,
        stop: Some(stop),
        thread: Some(thread),
    })
}

impl Drop for Http {
    fn drop(&mut self) {
        // Dropping the sender is the signal.
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // A panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn serve(runtime: &Runtime, listener: TcpListener, app: Router, stopped: oneshot::Receiver<()>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    runtime.block_on(async {
        tokio::select! {
            _ = axum::serve(BoundedListener { listener, permits }, app).into_future() => {}
            _ = stopped => {}
        }
    });
}

fn router(shared: Arc<Shared>, metrics: Metrics) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready).with_state(shared.clone()))
        .route("/v1/policies", get(policies::list).with_state(shared))
        .route("/metrics", get(scrape).with_state(metrics))
        .layer(map_response(async |mut response: Response| {
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
            response
        }))
}

async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match shared.health() {
        Health::Ready => (StatusCode::OK, "ready\n"),
        Health::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
        Health::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
        Health::Failed => (
            StatusCode::SERVICE_UNAVAILABLE,
            "failed: a worker thread died\n",
        ),
    }
}

async fn scrape(State(metrics): State<Metrics>) -> impl IntoResponse {
    (
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        metrics(),
    )
}

/// Accepts no more connections than there are permits.
struct BoundedListener {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        loop {
            let accepted = match self.permits.clone().acquire_owned().await {
                Ok(permit) => self
                    .listener
                    .accept()
                    .await
                    .map(|accepted| (accepted, permit)),
                Err(closed) => Err(io::Error::other(closed)),
            };
            match accepted {
                Ok(((stream, peer), permit)) => return (BoundedStream::new(stream, permit), peer),
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that fails once its time or its bytes are spent.
struct BoundedStream {
    stream: TcpStream,
    time_left: Pin<Box<Sleep>>,
    bytes_left: usize,
    _permit: OwnedSemaphorePermit,
}

impl BoundedStream {
    fn new(stream: TcpStream, permit: OwnedSemaphorePermit) -> Self {
        Self {
            stream,
            time_left: Box::pin(sleep(CONNECTION_TIME_MAX)),
            bytes_left: REQUEST_BYTES_MAX,
            _permit: permit,
        }
    }

    fn check_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.time_left.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_time(cx)?;
        if self.bytes_left == 0 {
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        let bytes = buffer.filled().len() - before;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        read
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_time(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
