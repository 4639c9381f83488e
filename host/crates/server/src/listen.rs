//! Opening the sockets, so that no two servers ever share one by accident.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::Path;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};

use crate::clients::{Kind, Origin};
use crate::stream::Stream;
use crate::tls::Acceptor;

/// Connections that may wait to be accepted, for each listener; asked of the system, which may allow fewer.
pub const BACKLOG: i32 = 4096;
/// A client that is silent for so long is asked whether it is still there: one that listens may be silent for
/// as long as it likes, and one whose machine is gone says nothing either.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new().with_time(Duration::from_secs(300));

/// Opens `count` listeners on one address, between which the system spreads connections. From then on
/// another server that starts the same way is refused.
pub(crate) fn tcp(addr: SocketAddr, count: usize) -> io::Result<Vec<StdTcpListener>> {
    let first = claim(addr)?;
    if count > 1 {
        first.set_reuse_port(true)?;
    }
    let mut listeners = vec![StdTcpListener::from(first)];
    let addr = listeners[0].local_addr()?;
    for _ in 1..count {
        let next = tcp_socket(addr)?;
        next.set_reuse_port(true)?;
        next.bind(&addr.into())?;
        next.listen(BACKLOG)?;
        listeners.push(next.into());
    }
    Ok(listeners)
}

/// Listens on an address where nobody else does. The socket must not allow others beside it before it
/// listens: only then does it fail whenever somebody listens there already, even somebody who would
/// share, and only one of two servers that start at the same moment gets past this.
fn claim(addr: SocketAddr) -> io::Result<Socket> {
    let socket = tcp_socket(addr)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

fn tcp_socket(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of a server that has just ended do not keep the address from its successor.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Opens a Unix socket. A socket file that nobody answers on is replaced; one that is in use, or a file
/// of another kind, is an error.
pub(crate) fn unix(path: &Path) -> io::Result<StdUnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a file that is not a socket is there; remove it or choose another path",
            ));
        }
        Ok(_) => match StdUnixStream::connect(path) {
            Ok(_) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path)?;
            }
            Err(error) => return Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SockAddr::unix(path)?)?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A listener on the runtime of a worker.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Acceptor),
    /// With the name that its clients go by.
    Unix(UnixListener, String),
}

/// All that one worker listens on.
#[derive(Default)]
pub(crate) struct Listeners {
    pub(crate) tcp: Option<Listener>,
    pub(crate) tls: Option<Listener>,
    pub(crate) unix: Option<Listener>,
}

impl Listener {
    /// The next connection, and where it comes from.
    pub(crate) async fn accept(&self) -> io::Result<(Stream, Origin)> {
        match self {
            Listener::Tcp(listener) => {
                let (stream, origin) = accept_tcp(listener, Kind::Tcp).await?;
                Ok((Stream::Tcp(stream), origin))
            }
            Listener::Tls(listener, acceptor) => {
                let (stream, origin) = accept_tcp(listener, Kind::Tls).await?;
                Ok((Stream::Tls(Box::new(acceptor.accept(stream))), origin))
            }
            Listener::Unix(listener, name) => {
                let (stream, _) = listener.accept().await?;
                let origin = Origin {
                    kind: Kind::Unix,
                    peer: name.as_str().into(),
                    local: name.as_str().into(),
                    descriptor: stream.as_raw_fd(),
                };
                Ok((Stream::Unix(stream), origin))
            }
        }
    }
}

async fn accept_tcp(listener: &TcpListener, kind: Kind) -> io::Result<(TcpStream, Origin)> {
    let (stream, peer) = listener.accept().await?;
    // They fail only for a connection that is lost already, which its first read will show.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
    let local = stream.local_addr();
    let local = local.map_or_else(|_| String::new(), |addr| addr.to_string());
    let origin = Origin {
        kind,
        peer: peer.to_string().into(),
        local: local.into(),
        descriptor: stream.as_raw_fd(),
    };
    Ok((stream, origin))
}

#[cfg(test)]
mod tests;
