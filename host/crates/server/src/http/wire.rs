//! What HTTP is spoken over: TCP, or TLS where `tls.http` says so.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::{io, mem};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::tls::{Opened, TlsStream};

/// What a client is told that speaks HTTP where HTTPS is spoken.
const NEEDS_HTTPS: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 38\r\nConnection: close\r\n\r\nthis port speaks HTTPS: ask https://\r\n";

/// What a client is told whose request has a head above the bound.
const HEAD_TOO_LARGE: &[u8] =
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 46\r\nConnection: close\r\n\r\nthe head of a request may have 32 KiB at most\n";
/// Bytes behind such a head that are read and thrown away, so that the client takes the answer.
const THROWN_AWAY_BYTES_MAX: usize = 1 << 20;

/// See the module.
pub(super) enum Wire {
    Plain(TcpStream),
    /// Its handshake is not done yet.
    Closed(Box<TlsStream>),
    Open(Box<TlsStream>),
    /// Nothing more can be said.
    Broken,
}

/// Both directions of a connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<D: AsyncRead + AsyncWrite + Send + Unpin> Duplex for D {}

impl Wire {
    /// Whether bytes of HTTP can be exchanged.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self, Wire::Closed(_))
    }

    /// Goes through the handshake; tells whether the client showed a certificate.
    pub(super) fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let Wire::Closed(stream) = self else {
            return Poll::Ready(Ok(false));
        };
        let Poll::Ready(opened) = stream.poll_open(cx) else {
            return Poll::Pending;
        };
        let Wire::Closed(mut stream) = mem::replace(self, Wire::Broken) else {
            return Poll::Ready(Ok(false));
        };
        Poll::Ready(match opened {
            Ok(Opened::Tls { has_certificate }) => {
                *self = Wire::Open(stream);
                Ok(has_certificate)
            }
            Ok(Opened::Plaintext) => {
                // What was not read is thrown away, as in `refuse_head`.
                let mut request = [0; 4096];
                let _ = Pin::new(&mut stream).poll_read(cx, &mut ReadBuf::new(&mut request));
                let _ = Pin::new(&mut stream).poll_write(cx, NEEDS_HTTPS);
                Err(io::ErrorKind::InvalidData.into())
            }
            Err(error) => Err(error),
        })
    }

    /// Says that the head of a request is too large. What has come of it is thrown away: what was not read when a
    /// connection is closed has the system take back what was written.
    pub(super) fn refuse_head(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let mut wire = self.duplex()?;
        let mut thrown = [0; 4096];
        for _ in 0..THROWN_AWAY_BYTES_MAX / thrown.len() {
            let mut part = ReadBuf::new(&mut thrown);
            let read = wire.as_mut().poll_read(cx, &mut part);
            if !matches!(read, Poll::Ready(Ok(()))) || part.filled().is_empty() {
                break;
            }
        }
        let _ = wire.poll_write(cx, HEAD_TOO_LARGE);
        Ok(())
    }

    /// The connection once it is open.
    fn duplex(&mut self) -> io::Result<Pin<&mut (dyn Duplex + 'static)>> {
        match self {
            Wire::Plain(stream) => Ok(Pin::new(stream)),
            Wire::Open(stream) => Ok(Pin::new(&mut **stream)),
            Wire::Closed(_) | Wire::Broken => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.duplex()?.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.duplex()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.duplex()?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.duplex()?.poll_shutdown(cx)
    }
}
