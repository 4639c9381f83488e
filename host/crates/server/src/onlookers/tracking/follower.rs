//! A connection that is told of changes, and how.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use larder_resp::Version;

use crate::Shared;
use crate::clients::Client;

/// Where clients of RESP2 hear of changes: as messages of this channel, by another connection.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What a connection wants to hear of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Mode {
    /// All keys with certain beginnings, whether it has read them or not.
    pub(crate) is_broadcast: bool,
    /// Only what it reads right behind CLIENT CACHING YES.
    pub(crate) opts_in: bool,
    /// Not what it reads right behind CLIENT CACHING NO.
    pub(crate) opts_out: bool,
    /// Not of what it does itself.
    pub(crate) is_deaf_to_own: bool,
}

impl Mode {
    /// Whether keys that are read now are remembered, given whether CLIENT CACHING was said.
    pub(super) fn remembers(self, is_chosen: bool) -> bool {
        !self.is_broadcast && (!self.opts_in || is_chosen) && (!self.opts_out || !is_chosen)
    }
}

/// See the module.
pub(crate) struct Follower {
    mode: Mode,
    client: Arc<Client>,
    /// The number of the tenant whose keys it is told of.
    tenant: usize,
    /// Another connection that is told in its place; it may be gone.
    redirect: Option<(u64, Weak<Client>)>,
    /// The other one was gone when it was to be told something.
    is_broken: AtomicBool,
}

impl Follower {
    pub(crate) fn new(
        shared: &Shared,
        mode: Mode,
        client: &Arc<Client>,
        redirect: Option<&Arc<Client>>,
    ) -> Self {
        for told in [Some(client), redirect].into_iter().flatten() {
            told.open_mailbox(shared.buffers.tenant(told.tenant()));
        }
        Self {
            mode,
            client: client.clone(),
            tenant: client.tenant(),
            redirect: redirect.map(|other| (other.id(), Arc::downgrade(other))),
            is_broken: AtomicBool::new(false),
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.client.id()
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// The number of the connection that is told in its place, 0 for none; as CLIENT GETREDIR says.
    pub(crate) fn redirect(&self) -> i64 {
        self.redirect.as_ref().map_or(0, |(id, _)| *id as i64)
    }

    /// Whether that one has turned out to be gone.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
    }

    /// Tells that a key has changed, or all may have. Whether anybody could be told.
    pub(super) fn tell(&self, key: Option<&[u8]>) -> bool {
        let Some((id, other)) = &self.redirect else {
            return put(&self.client, key, false);
        };
        // One that has gone over to another tenant is none of ours any more.
        let other = other
            .upgrade()
            .filter(|other| other.tenant() == self.tenant);
        if let Some(other) = other {
            return put(&other, key, true);
        }
        self.is_broken.store(true, Ordering::Relaxed);
        if let Some(mailbox) = self.client.mailbox() {
            mailbox.put_with(|reply, _| {
                let is_pushed = reply.version() == Version::V3;
                if is_pushed {
                    reply.push(2);
                    reply.bulk(b"tracking-redir-broken");
                    reply.integer(*id as i64);
                }
                is_pushed
            });
        }
        false
    }
}

/// Tells one connection, if it can be told: RESP2 knows no messages but those of channels, for others.
fn put(client: &Client, key: Option<&[u8]>, is_redirected: bool) -> bool {
    let Some(mailbox) = client.mailbox() else {
        return false;
    };
    mailbox.put_with(|reply, is_listening| {
        match reply.version() {
            Version::V3 => {
                reply.push(2);
                reply.bulk(b"invalidate");
            }
            Version::V2 if is_redirected && is_listening => {
                reply.push(3);
                reply.bulk(b"message");
                reply.bulk(CHANNEL);
            }
            Version::V2 => return false,
        }
        match key {
            Some(key) => {
                reply.array(1);
                reply.bulk(key);
            }
            None => reply.null(),
        }
        true
    })
}
