//! What a listener makes TLS connections with.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::rustls::ServerConfig;

use super::{Tls, TlsStream, Within};
use crate::budget::{Budget, Charge};

/// Handshakes that a listener has going on at once: each costs processor time, which those who are served
/// already would miss.
const HANDSHAKES_MAX: usize = 512;

/// See the module.
#[derive(Clone)]
pub(crate) struct Acceptor {
    pub(super) tls: Arc<Tls>,
    within: Within,
    places: Arc<Semaphore>,
    strangers: Arc<Budget>,
}

/// What a handshake takes.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    pub(super) charge: Charge,
}

impl Acceptor {
    /// What handshakes hold is paid for by `strangers`.
    pub(crate) fn new(tls: Arc<Tls>, within: Within, strangers: Arc<Budget>) -> Self {
        Self {
            tls,
            within,
            places: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            strangers,
        }
    }

    /// Begins TLS on a connection, as soon as something comes.
    pub(crate) fn accept(&self, socket: TcpStream) -> TlsStream {
        TlsStream::new(socket, self.clone())
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.tls.server_config(self.within)
    }

    /// Room for one more handshake; `None` where there is none, and the connection is to be closed.
    pub(super) fn place(&self) -> Option<Place> {
        let permit = self.places.clone().try_acquire_owned().ok();
        let charge = self.strangers.charge(TlsStream::GREETING_BYTES);
        let Some((permit, charge)) = permit.zip(charge) else {
            self.tls.note_crowded();
            return None;
        };
        Some(Place {
            _permit: permit,
            charge,
        })
    }
}
