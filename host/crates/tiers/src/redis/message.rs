//! What hosts that share entries tell each other:
//!
//! ```text
//! 1 ‖ host (16) ‖ kind (1) ‖ number (8) ‖ rest                                     little-endian
//! kind 1   a key was changed      number: of the message      rest: tenant's length (2), tenant, database (1), key
//! kind 3   the host lives         number: of the round        rest: last message before it (8), node (2), of nodes (2)
//! kind 4   the host ends          number: of its last message
//! kind 5   tags were invalidated  number: of the message      rest: tenant's length (2), tenant, of each tag its length (1) and
//!                                 name, the tick (8); no tags: all that there are
//! kind 6   keys were removed      number: of the message      rest: tenant's length (2), tenant, database (1) or 255 for all,
//!                                 what the keys begin with
//! ```
//!
//! The messages of a host are numbered from 1, without a gap. One of a kind that is not known counts as missed.

use larder_engine::tier::TierKey;

const FORM: u8 = 1;
const CHANGED: u8 = 1;
const BEAT: u8 = 3;
const BYE: u8 = 4;
const INVALIDATED: u8 = 5;
const CLEARED: u8 = 6;

/// In place of one.
const ALL_DATABASES: u8 = u8::MAX;
/// Bytes of a tick, behind all else.
pub(super) const TICK_BYTES: usize = 8;

/// Drawn when a host begins.
pub(super) type HostId = [u8; 16];

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// A key was changed.
    Changed(u64, TierKey<'a>),
    /// The keys of a tenant's database, or of all of them, were removed that begin so.
    Cleared(u64, &'a str, Option<u8>, &'a [u8]),
    /// The host lives.
    Beat(Beat),
    /// It ends, with no more than so many messages.
    Bye(u64),
    /// Tags were invalidated.
    Invalidated(u64, Tagged<'a>),
}

/// Tags of a tenant, and the tick at which they were invalidated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tagged<'a> {
    pub(super) tenant: &'a str,
    /// The length of each, and it; see [`write_ids`].
    pub(super) ids: &'a [u8],
    pub(super) tick: u64,
}

impl<'a> Tagged<'a> {
    /// The tags; none means all.
    pub(super) fn ids(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.ids;
        std::iter::from_fn(move || {
            let (len, behind) = rest.split_first()?;
            let (id, behind) = behind.split_at_checked((*len).into())?;
            rest = behind;
            Some(id)
        })
    }
}

/// Tags as a message has them. Their names are short.
pub(super) fn write_ids(ids: &[&[u8]]) -> Vec<u8> {
    let with_len = |id: &&[u8]| [&[id.len() as u8], *id].concat();
    ids.iter().flat_map(with_len).collect()
}

/// A round of these goes through each node that has keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beat {
    pub(super) round: u64,
    /// Messages up to this one were on their way before the round began.
    pub(super) last: u64,
    pub(super) node: u16,
    pub(super) nodes: u16,
}

impl<'a> Message<'a> {
    /// As it is sent.
    pub(super) fn write(&self, host: &HostId) -> Vec<u8> {
        let (kind, number) = match self {
            Self::Changed(number, _) => (CHANGED, *number),
            Self::Cleared(number, ..) => (CLEARED, *number),
            Self::Beat(beat) => (BEAT, beat.round),
            Self::Bye(number) => (BYE, *number),
            Self::Invalidated(number, _) => (INVALIDATED, *number),
        };
        let mut message = vec![FORM];
        message.extend_from_slice(host);
        message.push(kind);
        message.extend_from_slice(&number.to_le_bytes());
        match self {
            Self::Changed(_, key) => {
                write_tenant(&mut message, key.tenant);
                message.push(key.db);
                message.extend_from_slice(key.bytes);
            }
            Self::Cleared(_, tenant, db, prefix) => {
                write_tenant(&mut message, tenant);
                message.push(db.unwrap_or(ALL_DATABASES));
                message.extend_from_slice(prefix);
            }
            Self::Beat(beat) => {
                message.extend_from_slice(&beat.last.to_le_bytes());
                message.extend_from_slice(&beat.node.to_le_bytes());
                message.extend_from_slice(&beat.nodes.to_le_bytes());
            }
            Self::Bye(_) => {}
            Self::Invalidated(_, tagged) => {
                write_tenant(&mut message, tagged.tenant);
                message.extend_from_slice(tagged.ids);
                message.extend_from_slice(&tagged.tick.to_le_bytes());
            }
        }
        message
    }

    /// What was sent, and by whom; `None` where it is no such message.
    pub(super) fn read(message: &'a [u8]) -> Option<(HostId, Self)> {
        let (&[form], rest) = message.split_first_chunk()?;
        let (host, rest) = rest.split_first_chunk()?;
        let (&[kind], rest) = rest.split_first_chunk()?;
        let (number, rest) = rest.split_first_chunk()?;
        let number = u64::from_le_bytes(*number);
        let told = match (form, kind) {
            (FORM, CHANGED) => Self::Changed(number, key(rest)?),
            (FORM, CLEARED) => {
                let TierKey { tenant, db, bytes } = key(rest)?;
                let db = (db != ALL_DATABASES).then_some(db);
                Self::Cleared(number, tenant, db, bytes)
            }
            (FORM, BEAT) => {
                let (last, rest) = rest.split_first_chunk()?;
                let (node, rest) = rest.split_first_chunk()?;
                Self::Beat(Beat {
                    round: number,
                    last: u64::from_le_bytes(*last),
                    node: u16::from_le_bytes(*node),
                    nodes: u16::from_le_bytes(*rest.first_chunk()?),
                })
            }
            (FORM, BYE) => Self::Bye(number),
            (FORM, INVALIDATED) => {
                let (tenant, rest) = read_tenant(rest)?;
                let (ids, tick) = rest.split_last_chunk()?;
                let tick = u64::from_le_bytes(*tick);
                Self::Invalidated(number, Tagged { tenant, ids, tick })
            }
            _ => return None,
        };
        Some((*host, told))
    }
}

fn write_tenant(message: &mut Vec<u8>, tenant: &str) {
    let len = u16::try_from(tenant.len()).unwrap_or(u16::MAX);
    message.extend_from_slice(&len.to_le_bytes());
    message.extend_from_slice(&tenant.as_bytes()[..usize::from(len)]);
}

fn read_tenant(rest: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = rest.split_first_chunk()?;
    let (tenant, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
    Some((str::from_utf8(tenant).ok()?, rest))
}

fn key(rest: &[u8]) -> Option<TierKey<'_>> {
    let (tenant, rest) = read_tenant(rest)?;
    let (&[db], bytes) = rest.split_first_chunk()?;
    Some(TierKey { tenant, db, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_as_it_was_and_what_is_cut_off_is_not() {
        let key = TierKey {
            tenant: "größe",
            db: 15,
            bytes: b"\0k",
        };
        let beat = Beat {
            round: 9,
            last: u64::MAX,
            node: 2,
            nodes: 3,
        };
        let host = [7; 16];
        let ids = write_ids(&[b"", b"a", &[7; 64]]);
        let tagged = Tagged {
            tenant: "größe",
            ids: &ids,
            tick: 1 << 42,
        };
        assert!(tagged.ids().eq([&b""[..], b"a", &[7; 64]]));
        for told in [
            Message::Changed(1, key),
            Message::Cleared(2, "größe", None, b""),
            Message::Cleared(3, "größe", Some(15), b"a:"),
            Message::Beat(beat),
            Message::Bye(4),
            Message::Invalidated(5, tagged),
        ] {
            let message = told.write(&host);
            assert_eq!(Message::read(&message), Some((host, told)));
            for len in 0..message.len() {
                let read = Message::read(&message[..len]);
                assert_ne!(read, Some((host, told)), "{len} bytes");
            }
        }
        for other in [&b""[..], &[2; 40], b"PING", &[1; 26]] {
            assert!(!matches!(Message::read(other), Some((_, Message::Beat(_)))));
        }
    }
}
