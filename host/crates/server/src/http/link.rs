//! Connections of HTTP: each bounded in time and bytes, so that whoever reaches the port cannot hold it.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::wire::Wire;
use crate::Shared;
use crate::tls::{Acceptor, ClientAuth, Within};

/// Connections served at once; others wait to be accepted.
pub(super) const CONNECTIONS_MAX: usize = 512;
/// Fewer places free than this, and nobody may dawdle.
const CROWDED: usize = CONNECTIONS_MAX / 4;
/// How long a connection may be silent between two requests.
pub(super) const IDLE_TIME_MAX: Duration = Duration::from_secs(15);
/// How long the head of a request may take once its first byte is there, and a handshake.
const HEAD_TIME_MAX: Duration = Duration::from_secs(5);
/// How long either may take while places are few.
pub(super) const CROWDED_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the client may take no byte of a response.
const SEND_TIME_MAX: Duration = Duration::from_secs(30);
/// How often a waiting connection looks at the time.
const LOOK: Duration = Duration::from_millis(500);
/// Bytes the head of a request may have, and what came with it.
pub(super) const HEAD_BYTES_MAX: usize = 32 << 10;
/// Bytes read at once; what is read ahead of the server stays about as small.
const READ_BYTES_MAX: usize = 16 << 10;
/// Pause after the system could not give us a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts no more connections than there are places.
pub(super) struct BoundedListener {
    listener: TcpListener,
    /// Begins TLS; `None`: it is not spoken.
    acceptor: Option<Acceptor>,
    places: Arc<Semaphore>,
    shared: Arc<Shared>,
}

impl BoundedListener {
    pub(super) fn new(listener: TcpListener, shared: Arc<Shared>) -> Self {
        let tls = shared.tls.get().filter(|tls| tls.config().http);
        let begin = |tls| Acceptor::new(tls, Within::Http, shared.buffers.strangers().clone());
        Self {
            listener,
            acceptor: tls.cloned().map(begin),
            places: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            shared,
        }
    }
}

impl Listener for BoundedListener {
    type Io = BoundedStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (BoundedStream, SocketAddr) {
        loop {
            let accepted = match self.places.clone().acquire_owned().await {
                Ok(place) => self
                    .listener
                    .accept()
                    .await
                    .map(|accepted| (accepted, place)),
                Err(closed) => Err(io::Error::other(closed)),
            };
            match accepted {
                Ok(((stream, peer), place)) => {
                    let wire = match &self.acceptor {
                        None => Wire::Plain(stream),
                        Some(tls) => Wire::Closed(Box::new(tls.accept(stream))),
                    };
                    let link = Link::new(peer, self.places.clone());
                    let stream = BoundedStream::new(wire, link, place, self.shared.clone());
                    return (stream, peer);
                }
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// What those who answer requests know of the connection, and what they tell it.
#[derive(Clone)]
pub(super) struct Link {
    /// Address of the client.
    pub(super) peer: SocketAddr,
    places: Arc<Semaphore>,
    /// Set where clients need a certificate, and this one has none.
    is_stranger: Arc<AtomicBool>,
    /// Odd while a request is answered, even while one is awaited; it only grows.
    turn: Arc<AtomicU64>,
}

impl Link {
    pub(super) fn new(peer: SocketAddr, places: Arc<Semaphore>) -> Self {
        Self {
            peer,
            places,
            is_stranger: Arc::default(),
            turn: Arc::default(),
        }
    }

    /// Says that a request is being answered until the guard is dropped.
    pub(super) fn answering(&self) -> Answering<'_> {
        self.turn.fetch_add(1, Ordering::Relaxed);
        Answering(self)
    }

    /// Whether the client lacks a certificate that it needs.
    pub(super) fn is_stranger(&self) -> bool {
        self.is_stranger.load(Ordering::Relaxed)
    }

    /// Whether places are few, so that a connection should end with its response.
    pub(super) fn is_crowded(&self) -> bool {
        self.places.available_permits() < CROWDED
    }
}

impl Connected<IncomingStream<'_, BoundedListener>> for Link {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        stream.io().link.clone()
    }
}

/// A request that is being answered.
pub(super) struct Answering<'a>(&'a Link);

impl Drop for Answering<'_> {
    fn drop(&mut self) {
        self.0.turn.fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection that fails once its client takes too long or too much.
pub(super) struct BoundedStream {
    wire: Wire,
    link: Link,
    shared: Arc<Shared>,
    /// The turn that the figures below belong to.
    turn: u64,
    /// Bytes of the head that is being read.
    head_bytes: usize,
    /// Since when the client has been waited for.
    since: Instant,
    is_sending: bool,
    look: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl BoundedStream {
    pub(super) fn new(
        wire: Wire,
        link: Link,
        place: OwnedSemaphorePermit,
        shared: Arc<Shared>,
    ) -> Self {
        shared.http.opened();
        Self {
            wire,
            link,
            shared,
            turn: 0,
            head_bytes: 0,
            since: Instant::now(),
            is_sending: false,
            look: Box::pin(sleep(LOOK)),
            _place: place,
        }
    }

    /// Whether a request is being answered: the bytes that come are its body then, which whoever
    /// answers bounds.
    fn is_answering(&mut self) -> bool {
        let turn = self.link.turn.load(Ordering::Relaxed);
        if turn != self.turn {
            self.turn = turn;
            self.head_bytes = 0;
            self.since = Instant::now();
        }
        turn % 2 == 1
    }

    /// Fails when the client was waited for long enough. Called while it is, it sees to it that the
    /// connection is looked at again.
    fn check_time(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.look.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            let is_answering = self.is_answering();
            let longest = match self.head_bytes {
                _ if self.is_sending => SEND_TIME_MAX,
                _ if is_answering => Duration::MAX,
                _ if self.link.is_crowded() => CROWDED_TIME_MAX,
                0 if self.wire.is_open() => IDLE_TIME_MAX,
                _ => HEAD_TIME_MAX,
            };
            if now.duration_since(self.since) >= longest {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.look.as_mut().reset(now + LOOK);
        }
        Ok(())
    }

    /// Goes through the handshake of TLS where there is one.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Poll::Ready(opened) = self.wire.poll_open(cx) else {
            self.check_time(cx)?;
            return Poll::Pending;
        };
        let tls = self.shared.tls.get();
        let is_required = tls.is_some_and(|tls| tls.config().client_auth == ClientAuth::Required);
        let is_stranger = !opened? && is_required;
        self.link.is_stranger.store(is_stranger, Ordering::Relaxed);
        self.since = Instant::now();
        Poll::Ready(Ok(()))
    }

    /// Called while the client takes nothing.
    fn wait_to_send(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if !self.is_sending {
            self.is_sending = true;
            self.since = Instant::now();
        }
        self.check_time(cx)
    }

    fn sent(
        &mut self,
        cx: &mut Context<'_>,
        sent: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match &sent {
            Poll::Pending => self.wait_to_send(cx)?,
            Poll::Ready(sent) => {
                self.is_sending = false;
                self.since = Instant::now();
                self.shared.http.sent(*sent.as_ref().unwrap_or(&0));
            }
        }
        sent
    }
}

impl Drop for BoundedStream {
    fn drop(&mut self) {
        self.shared.http.closed();
    }
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.wire.is_open() {
            ready!(self.poll_open(cx))?;
        }
        let is_answering = self.is_answering();
        if self.head_bytes >= HEAD_BYTES_MAX {
            self.wire.refuse_head(cx)?;
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        }
        let room = buffer.remaining().min(READ_BYTES_MAX);
        let mut part = ReadBuf::new(buffer.initialize_unfilled_to(room));
        let read = Pin::new(&mut self.wire).poll_read(cx, &mut part);
        let bytes = part.filled().len();
        buffer.advance(bytes);
        if read.is_pending() {
            self.check_time(cx)?;
            return Poll::Pending;
        }
        if !is_answering && bytes > 0 {
            if self.head_bytes == 0 {
                self.since = Instant::now();
            }
            self.head_bytes += bytes;
        }
        self.shared.http.received(bytes);
        read
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.wire).poll_write(cx, bytes);
        self.sent(cx, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.wire).poll_write_vectored(cx, parts);
        self.sent(cx, sent)
    }

    // Else a value would be copied behind the head of its response.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        // TLS keeps a part of what was written until the client takes it.
        if flushed.is_pending() {
            self.wait_to_send(cx)?;
        } else if self.is_sending {
            self.is_sending = false;
            self.since = Instant::now();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(cx)
    }
}
