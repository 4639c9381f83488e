//! How connections end, and what is said about it.

use std::io;

use tracing::{debug, error, info};

use crate::Session;
use crate::registry::Cut;
use crate::stats::{Counters, bump};

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// The client closed it, or was told to.
    Closed,
    /// The server drains and nothing was left to do.
    Drained,
    /// The socket failed.
    Lost(io::Error),
    /// It waited too long.
    Cut(Cut),
    /// So many bytes of replies were more than one connection may have.
    OutputOverLimit(usize),
    /// Its output did not fit into the buffers of the server.
    BuffersFull,
    /// Another client wanted it.
    Killed,
    /// Messages came faster than it took them.
    Lagged,
    /// A command panicked.
    Panicked,
}

impl End {
    /// Counts and logs the end of a connection. What any client can cause at will is logged quietly.
    pub(crate) fn note(&self, counters: &Counters, session: &Session) {
        let (client, peer) = (session.id, session.client.peer());
        match self {
            End::Closed | End::Drained | End::Cut(Cut::Lingering) => {}
            End::Killed => debug!(client, peer, "connection closed: another client wanted it"),
            End::Lost(error) => debug!(client, peer, %error, "connection lost"),
            End::Cut(cut) => {
                bump(&counters.timed_out);
                debug!(client, peer, ?cut, "connection closed: it waited too long");
            }
            End::OutputOverLimit(bytes) => {
                bump(&counters.over_limit);
                info!(
                    client,
                    peer, bytes, "connection closed: replies over limits.output_max"
                );
            }
            End::BuffersFull => {
                bump(&counters.over_limit);
                info!(client, peer, "connection closed: client buffers are full");
            }
            End::Lagged => {
                bump(&counters.over_limit);
                info!(
                    client,
                    peer, "connection closed: it does not take its messages"
                );
            }
            End::Panicked => {
                bump(&counters.panicked);
                error!(client, peer, "connection closed: its command panicked");
            }
        }
    }
}
