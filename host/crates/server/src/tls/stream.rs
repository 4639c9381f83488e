//! A connection that speaks TLS, or is found out not to.

use std::future::Future;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream as Session;
use tokio_rustls::{Accept, TlsAcceptor};

use super::Tls;
use crate::held::Charge;
use crate::stats::bump;

/// The first byte of whoever speaks TLS: a record that belongs to a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;
/// Encrypted bytes that may wait to be sent: those of one record, about.
const UNSENT_BYTES_MAX: usize = 16 << 10;

/// See the module. Its bytes are encrypted once [`Self::poll_open`] said so.
pub(crate) struct TlsStream {
    state: State,
    tls: Arc<Tls>,
    /// Held while the handshake goes on.
    place: Option<OwnedSemaphorePermit>,
    _charge: Charge,
}

enum State {
    /// Nothing came yet.
    Silent(TcpStream, Arc<ServerConfig>),
    Greeting(Box<Accept<TcpStream>>),
    Open(Box<Session<TcpStream>>),
    /// The client speaks without TLS; what is written reaches it as it is.
    Plaintext(TcpStream),
    /// The handshake failed.
    Over,
}

/// What a connection was found out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// The handshake is done; whether the client showed a certificate of its own.
    Tls { has_certificate: bool },
    /// Its first byte is not that of TLS. What is written goes out as it is, so that it can be told.
    Plaintext,
}

impl TlsStream {
    /// What one may hold, whatever its client does: keys, a record that came in part (18 KiB), one that
    /// was not read yet, one that was not sent yet; or a handshake of 64 KiB at most.
    pub(crate) const BYTES: usize = 64 << 10;

    pub(super) fn new(
        socket: TcpStream,
        config: Arc<ServerConfig>,
        tls: Arc<Tls>,
        place: OwnedSemaphorePermit,
        charge: Charge,
    ) -> Self {
        Self {
            state: State::Silent(socket, config),
            tls,
            place: Some(place),
            _charge: charge,
        }
    }

    /// Goes through the handshake; ready when it is done, and from then on.
    pub(crate) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        loop {
            match &mut self.state {
                State::Silent(socket, _) => {
                    let mut byte = [0; 1];
                    let mut first = ReadBuf::new(&mut byte);
                    ready!(socket.poll_peek(cx, &mut first))?;
                    match first.filled().first() {
                        None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                        Some(&HANDSHAKE_RECORD) => self.greet(),
                        Some(_) => self.turn_plain(),
                    }
                }
                State::Greeting(accept) => {
                    let done = ready!(Pin::new(accept).poll(cx));
                    self.place = None;
                    match done {
                        Ok(session) => {
                            bump(&self.tls.counters.done);
                            self.state = State::Open(Box::new(session));
                        }
                        Err(error) => {
                            bump(&self.tls.counters.failed);
                            self.state = State::Over;
                            return Poll::Ready(Err(error));
                        }
                    }
                }
                State::Open(session) => {
                    let has_certificate = session.get_ref().1.peer_certificates().is_some();
                    return Poll::Ready(Ok(Opened::Tls { has_certificate }));
                }
                State::Plaintext(_) => return Poll::Ready(Ok(Opened::Plaintext)),
                State::Over => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
        }
    }

    fn greet(&mut self) {
        if let State::Silent(socket, config) = mem::replace(&mut self.state, State::Over) {
            let acceptor = TlsAcceptor::from(config);
            let accept = acceptor.accept_with(socket, |session| {
                session.set_buffer_limit(Some(UNSENT_BYTES_MAX));
            });
            self.state = State::Greeting(Box::new(accept));
        }
    }

    fn turn_plain(&mut self) {
        if let State::Silent(socket, _) = mem::replace(&mut self.state, State::Over) {
            bump(&self.tls.counters.plaintext);
            self.place = None;
            self.state = State::Plaintext(socket);
        }
    }

    /// Whether bytes that were written are still to be sent, which [`AsyncWrite::poll_flush`] does.
    pub(crate) fn has_unsent(&self) -> bool {
        match &self.state {
            State::Open(session) => session.get_ref().1.wants_write(),
            _ => false,
        }
    }

    fn writer(&mut self) -> io::Result<Pin<&mut (dyn AsyncWrite + Send + Unpin)>> {
        match &mut self.state {
            State::Open(session) => Ok(Pin::new(&mut **session)),
            State::Plaintext(socket) => Ok(Pin::new(socket)),
            State::Silent(..) | State::Greeting(_) | State::Over => {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        if matches!(self.state, State::Silent(..) | State::Greeting(_)) {
            bump(&self.tls.counters.unfinished);
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Open(session) => match ready!(Pin::new(session).poll_read(cx, buffer)) {
                // Many clients end without saying so. Requests know where they end, so that nobody can pass
                // half of one for a whole one by cutting the connection.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => Poll::Ready(read),
            },
            State::Plaintext(socket) => Pin::new(socket).poll_read(cx, buffer),
            State::Silent(..) | State::Greeting(_) | State::Over => {
                Poll::Ready(Err(io::ErrorKind::NotConnected.into()))
            }
        }
    }
}

impl AsyncWrite for TlsStream {
    /// Takes bytes, and sends what the client takes of them; [`Self::poll_flush`] sends the rest.
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.writer()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.writer()?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_flush(cx)
    }

    /// Says that nothing more will be written, within TLS first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_shutdown(cx)
    }
}
