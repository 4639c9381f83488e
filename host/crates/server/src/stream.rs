//! A client's socket: TCP, Unix, or TCP with TLS.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWrite, Interest};
use tokio::net::{TcpStream, UnixStream};

use crate::budget::{Budget, BuffersFull};
use crate::tls::TlsStream;

pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// In a box, so that the others stay small.
    Tls(Box<TlsStream>),
}

impl Stream {
    /// Reads once into the spare capacity of `buffer`, which must not be full. A read that does not fill
    /// it also tells the runtime that nothing is left, so the next poll waits without asking the kernel.
    /// TLS may have more at hand even so: only a read that is pending says that nothing is left.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Stream::Unix(stream) => pin!(stream.read_buf(buffer)).poll(cx),
            Stream::Tls(stream) => pin!(stream.read_buf(buffer)).poll(cx),
        }
    }

    /// Whether the client has said, by closing it, that it sends no more, however much of what it sent before
    /// is still to be read.
    pub(crate) fn has_ended(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        // What has been heard of the socket is at hand at once.
        let ready = match self {
            Stream::Tcp(stream) => pin!(stream.ready(Interest::READABLE)).poll(&mut cx),
            Stream::Unix(stream) => pin!(stream.ready(Interest::READABLE)).poll(&mut cx),
            Stream::Tls(stream) => match stream.socket() {
                Some(socket) => pin!(socket.ready(Interest::READABLE)).poll(&mut cx),
                None => return false,
            },
        };
        matches!(ready, Poll::Ready(Ok(ready)) if ready.is_read_closed())
    }

    /// Writes what the client takes. TLS may keep some of that, which [`Self::poll_flush`] sends.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, bytes),
        }
    }

    /// Says who pays for what TLS holds, from now on. On the way of every turn.
    #[inline]
    pub(crate) fn pay_from(&mut self, budget: &Arc<Budget>) -> Result<(), BuffersFull> {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => Ok(()),
            Stream::Tls(stream) => stream.pay_from(budget),
        }
    }

    /// Whether bytes that were written are still to be sent.
    #[inline]
    pub(crate) fn has_unsent(&self) -> bool {
        match self {
            Stream::Tcp(_) | Stream::Unix(_) => false,
            Stream::Tls(stream) => stream.has_unsent(),
        }
    }

    /// Sends what was written and is still here.
    #[inline]
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tls(stream) if stream.has_unsent() => Pin::new(&mut **stream).poll_flush(cx),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Tells the client that no more will be written.
    pub(crate) fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(&mut **stream).poll_shutdown(cx),
        }
    }

    /// Before it is closed: tells a client of TLS that this is the end and nobody cut the connection, if it
    /// takes that at once. The end of the others needs no words.
    pub(crate) fn part(&mut self, cx: &mut Context<'_>) {
        if let Stream::Tls(stream) = self {
            let _ = Pin::new(&mut **stream).poll_shutdown(cx);
        }
    }

    /// Sends what fits at once, past the runtime; for a socket that is not going to be served. Before its
    /// handshake nothing can be said within TLS.
    pub(crate) fn send_now(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => SockRef::from(stream).send(bytes),
            Stream::Unix(stream) => SockRef::from(stream).send(bytes),
            Stream::Tls(_) => Ok(0),
        }
    }
}
