//! A connection that speaks TLS, or is found out not to.

use std::future::Future;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream as Session;
use tokio_rustls::{Accept, TlsAcceptor};

use super::TLS_CONNECTION_BYTES;
use super::acceptor::{Acceptor, Place};
use crate::budget::{Budget, BuffersFull, Charge};
use crate::stats::bump;

/// The first byte of whoever speaks TLS: a record that belongs to a handshake.
const HANDSHAKE_RECORD: u8 = 0x16;
/// Encrypted bytes that may wait to be sent: those of one record, about.
const UNSENT_BYTES_MAX: usize = 16 << 10;

/// See the module. Its bytes are encrypted once [`Self::poll_open`] said so.
pub(crate) struct TlsStream {
    state: State,
    acceptor: Acceptor,
}

enum State {
    /// Nothing came yet.
    Silent(TcpStream),
    Greeting(Box<Accept<TcpStream>>, Place),
    Open(Box<Session<TcpStream>>, Charge),
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
    /// What a handshake may hold, whatever its client does.
    pub(crate) const GREETING_BYTES: usize = 64 << 10;
    /// What one may hold that is open.
    pub(crate) const OPEN_BYTES: usize = TLS_CONNECTION_BYTES as usize;

    pub(super) fn new(socket: TcpStream, acceptor: Acceptor) -> Self {
        Self {
            state: State::Silent(socket),
            acceptor,
        }
    }

    /// Says who pays for what it holds, from now on.
    pub(crate) fn pay_from(&mut self, budget: &Arc<Budget>) -> Result<(), BuffersFull> {
        match &mut self.state {
            State::Open(_, charge) => charge.pay_from(budget),
            _ => Ok(()),
        }
    }

    /// Goes through the handshake; ready when it is done, and from then on.
    pub(crate) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Opened>> {
        loop {
            match &mut self.state {
                State::Silent(socket) => {
                    let mut byte = [0; 1];
                    let mut first = ReadBuf::new(&mut byte);
                    ready!(socket.poll_peek(cx, &mut first))?;
                    match first.filled().first() {
                        None => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                        Some(&HANDSHAKE_RECORD) => self.greet()?,
                        Some(_) => self.turn_plain(),
                    }
                }
                State::Greeting(accept, _) => {
                    let done = ready!(Pin::new(accept).poll(cx));
                    self.end_greeting(done)?;
                }
                State::Open(session, _) => {
                    let has_certificate = session.get_ref().1.peer_certificates().is_some();
                    return Poll::Ready(Ok(Opened::Tls { has_certificate }));
                }
                State::Plaintext(_) => return Poll::Ready(Ok(Opened::Plaintext)),
                State::Over => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
        }
    }

    /// Begins the handshake, if there is room for one more.
    fn greet(&mut self) -> io::Result<()> {
        if let State::Silent(socket) = mem::replace(&mut self.state, State::Over) {
            let place = self.acceptor.place().ok_or(io::ErrorKind::QuotaExceeded)?;
            let acceptor = TlsAcceptor::from(self.acceptor.config());
            let accept = acceptor.accept_with(socket, |session| {
                session.set_buffer_limit(Some(UNSENT_BYTES_MAX));
            });
            self.state = State::Greeting(Box::new(accept), place);
        }
        Ok(())
    }

    fn end_greeting(&mut self, done: io::Result<Session<TcpStream>>) -> io::Result<()> {
        let counters = &self.acceptor.tls.counters;
        bump(match done {
            Ok(_) => &counters.done,
            Err(_) => &counters.failed,
        });
        if let State::Greeting(_, place) = mem::replace(&mut self.state, State::Over) {
            let Place { mut charge, .. } = place;
            charge.shrink_to(Self::OPEN_BYTES);
            self.state = State::Open(Box::new(done?), charge);
        }
        Ok(())
    }

    fn turn_plain(&mut self) {
        if let State::Silent(socket) = mem::replace(&mut self.state, State::Over) {
            bump(&self.acceptor.tls.counters.plaintext);
            self.state = State::Plaintext(socket);
        }
    }

    /// Whether bytes that were written are still to be sent, which [`AsyncWrite::poll_flush`] does.
    pub(crate) fn has_unsent(&self) -> bool {
        match &self.state {
            State::Open(session, _) => session.get_ref().1.wants_write(),
            _ => false,
        }
    }

    /// Pays for what is still to be sent, for as long as it is.
    fn pay_for_unsent(&mut self) -> io::Result<()> {
        let has_unsent = self.has_unsent();
        if let State::Open(_, charge) = &mut self.state {
            match has_unsent {
                true => charge
                    .grow_to(Self::OPEN_BYTES + UNSENT_BYTES_MAX)
                    .map_err(|BuffersFull| io::ErrorKind::OutOfMemory)?,
                false => charge.shrink_to(Self::OPEN_BYTES),
            }
        }
        Ok(())
    }

    /// What lies below an open connection.
    pub(crate) fn socket(&self) -> Option<&TcpStream> {
        match &self.state {
            State::Open(session, _) => Some(session.get_ref().0),
            _ => None,
        }
    }

    fn writer(&mut self) -> io::Result<Pin<&mut (dyn AsyncWrite + Send + Unpin)>> {
        match &mut self.state {
            State::Open(session, _) => Ok(Pin::new(&mut **session)),
            State::Plaintext(socket) => Ok(Pin::new(socket)),
            State::Silent(_) | State::Greeting(..) | State::Over => {
                Err(io::ErrorKind::NotConnected.into())
            }
        }
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        if matches!(self.state, State::Silent(_) | State::Greeting(..)) {
            bump(&self.acceptor.tls.counters.unfinished);
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
            State::Open(session, _) => match ready!(Pin::new(session).poll_read(cx, buffer)) {
                // Many clients end without saying so. Requests know where they end, so that nobody can pass
                // half of one for a whole one by cutting the connection.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => Poll::Ready(read),
            },
            State::Plaintext(socket) => Pin::new(socket).poll_read(cx, buffer),
            State::Silent(_) | State::Greeting(..) | State::Over => {
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
        let written = self.writer()?.poll_write(cx, bytes);
        self.pay_for_unsent()?;
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.writer()?.poll_write_vectored(cx, parts);
        self.pay_for_unsent()?;
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.writer()?.poll_flush(cx);
        self.pay_for_unsent()?;
        flushed
    }

    /// Says that nothing more will be written, within TLS first.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.writer()?.poll_shutdown(cx)
    }
}
