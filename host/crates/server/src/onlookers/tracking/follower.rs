//! A connection that is told of changes, and how.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use larder_resp::{Reply, Version};

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

    /// Tells of a change. Whether anybody could be told.
    pub(super) fn tell(&self, notice: &mut Notice<'_>) -> bool {
        let Some((id, other)) = &self.redirect else {
            return put(&self.client, notice, false);
        };
        // One that has gone over to another tenant is none of ours any more.
        let other = other
            .upgrade()
            .filter(|other| other.tenant() == self.tenant);
        if let Some(other) = other {
            return put(&other, notice, true);
        }
        self.is_broken.store(true, Ordering::Relaxed);
        if let Some(mailbox) = self.client.mailbox() {
            let mut message = Vec::new();
            let mut reply = Reply::new(&mut message, Version::V3);
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.integer(*id as i64);
            mailbox.put_if(|version, _| (version == Version::V3).then_some(&message[..]));
        }
        false
    }
}

/// What is told of a change of a key, or of all, encoded once for each way in which it is told.
pub(super) struct Notice<'k> {
    key: Option<&'k [u8]>,
    pushed: Vec<u8>,
    published: Vec<u8>,
}

impl<'k> Notice<'k> {
    pub(super) fn of(key: &'k [u8]) -> Self {
        Self {
            key: Some(key),
            ..Self::of_all()
        }
    }

    pub(super) fn of_all() -> Self {
        Self {
            key: None,
            pushed: Vec::new(),
            published: Vec::new(),
        }
    }

    fn encoded(&mut self, version: Version) -> &[u8] {
        let (encoded, head): (_, &[&[u8]]) = match version {
            Version::V2 => (&mut self.published, &[b"message", CHANNEL]),
            Version::V3 => (&mut self.pushed, &[b"invalidate"]),
        };
        if encoded.is_empty() {
            let mut reply = Reply::new(encoded, version);
            reply.push(head.len() + 1);
            head.iter().for_each(|part| reply.bulk(part));
            match self.key {
                Some(key) => {
                    reply.array(1);
                    reply.bulk(key);
                }
                None => reply.null(),
            }
        }
        encoded
    }
}

/// Tells one connection, if it can be told: RESP2 knows no messages but those of channels, for others.
fn put(client: &Client, notice: &mut Notice<'_>, is_redirected: bool) -> bool {
    let Some(mailbox) = client.mailbox() else {
        return false;
    };
    mailbox.put_if(|version, is_listening| {
        let can_be_told = version == Version::V3 || is_redirected && is_listening;
        can_be_told.then(|| notice.encoded(version))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_encoded_once_for_all_who_are_told_in_the_same_way() {
        let mut notice = Notice::of(b"k");
        for (version, expected) in [
            (
                Version::V2,
                "*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n*1\r\n$1\r\nk\r\n",
            ),
            (Version::V3, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n"),
        ] {
            let first = notice.encoded(version).as_ptr();
            assert_eq!(notice.encoded(version), expected.as_bytes());
            assert_eq!(notice.encoded(version).as_ptr(), first);
        }
        assert_eq!(
            Notice::of_all().encoded(Version::V3),
            b">2\r\n$10\r\ninvalidate\r\n_\r\n"
        );
    }
}
