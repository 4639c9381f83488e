//! What a listener makes TLS connections with.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::{Tls, TlsStream, Within};
use crate::held::Budget;
use crate::stats::bump;

/// Handshakes that a listener has going on at once: each costs processor time, which those who are served
/// already would miss.
const HANDSHAKES_MAX: usize = 512;

/// See the module.
pub(crate) struct Acceptor {
    tls: Arc<Tls>,
    within: Within,
    places: Arc<Semaphore>,
    buffers: Arc<Budget>,
}

impl Acceptor {
    pub(crate) fn new(tls: Arc<Tls>, within: Within, buffers: Arc<Budget>) -> Self {
        Self {
            tls,
            within,
            places: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            buffers,
        }
    }

    /// Begins TLS on a connection; `None` where there is no room for one more, and it is to be closed.
    pub(crate) fn accept(&self, socket: TcpStream) -> Option<TlsStream> {
        let place = self.places.clone().try_acquire_owned().ok();
        let charge = self.buffers.charge(TlsStream::BYTES);
        let Some((place, charge)) = place.zip(charge) else {
            bump(&self.tls.counters.crowded);
            return None;
        };
        let config = self.tls.server_config(self.within);
        Some(TlsStream::new(
            socket,
            config,
            self.tls.clone(),
            place,
            charge,
        ))
    }
}
