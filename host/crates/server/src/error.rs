//! Why the server cannot start.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::TlsError;

/// Why the server cannot start; one sentence for whoever started it. Nothing is left running or open.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Somebody listens on the address already.
    #[error(
        "cannot listen on {addr}: the port is already in use by another server; \
         choose another with {option}"
    )]
    AddressInUse {
        /// The address asked for.
        addr: SocketAddr,
        /// The option that sets it.
        option: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {source}; choose another address with {option}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// The option that sets it.
        option: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody answers on the Unix socket already.
    #[error(
        "cannot listen on the unix socket {}: another server is using it; choose another path",
        path.display()
    )]
    UnixSocketInUse {
        /// The path asked for.
        path: PathBuf,
    },
    /// The Unix socket cannot be made.
    #[error("cannot listen on the unix socket {}: {source}", path.display())]
    UnixSocket {
        /// The path asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// TLS cannot be spoken with the files that there are.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A thread or its runtime could not be made.
    #[error("cannot start the {thread} thread: {source}")]
    Thread {
        /// The thread's name.
        thread: String,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    pub(crate) fn listen(addr: SocketAddr, option: &'static str, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::AddressInUse { addr, option },
            _ => Self::Listen {
                addr,
                option,
                source,
            },
        }
    }

    pub(crate) fn unix(path: PathBuf, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::AddrInUse => Self::UnixSocketInUse { path },
            _ => Self::UnixSocket { path, source },
        }
    }
}
