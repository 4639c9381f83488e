//! What hosts that share entries tell each other:
//!
//! ```text
//! 1 ‖ host (16) ‖ kind (1) ‖ number (8) ‖ rest                                     little-endian
//! kind 1   a key was changed      number: of the message      rest: tenant's length (2), tenant, database (1), key
//! kind 2   a tenant was cleared   number: of the message      rest: tenant
//! kind 3   the host lives         number: of the round        rest: last message before it (8), node (2), of nodes (2)
//! kind 4   the host ends          number: of its last message
//! ```
//!
//! The messages of a host are numbered from 1, without a gap.

use larder_engine::tier::TierKey;

const FORM: u8 = 1;
const CHANGED: u8 = 1;
const CLEARED: u8 = 2;
const BEAT: u8 = 3;
const BYE: u8 = 4;

/// Drawn when a host begins.
pub(super) type HostId = [u8; 16];

/// What is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Message<'a> {
    /// A key was changed.
    Changed(u64, TierKey<'a>),
    /// Of a tenant a database, all or what begins in some way was cleared.
    Cleared(u64, &'a str),
    /// The host lives.
    Beat(Beat),
    /// It ends, with no more than so many messages.
    Bye(u64),
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
            Self::Cleared(number, _) => (CLEARED, *number),
            Self::Beat(beat) => (BEAT, beat.round),
            Self::Bye(number) => (BYE, *number),
        };
        let mut message = vec![FORM];
        message.extend_from_slice(host);
        message.push(kind);
        message.extend_from_slice(&number.to_le_bytes());
        match self {
            Self::Changed(_, key) => {
                let len = u16::try_from(key.tenant.len()).unwrap_or(u16::MAX);
                message.extend_from_slice(&len.to_le_bytes());
                message.extend_from_slice(&key.tenant.as_bytes()[..usize::from(len)]);
                message.push(key.db);
                message.extend_from_slice(key.bytes);
            }
            Self::Cleared(_, tenant) => message.extend_from_slice(tenant.as_bytes()),
            Self::Beat(beat) => {
                message.extend_from_slice(&beat.last.to_le_bytes());
                message.extend_from_slice(&beat.node.to_le_bytes());
                message.extend_from_slice(&beat.nodes.to_le_bytes());
            }
            Self::Bye(_) => {}
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
            (FORM, CLEARED) => Self::Cleared(number, str::from_utf8(rest).ok()?),
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
            _ => return None,
        };
        Some((*host, told))
    }
}

fn key(rest: &[u8]) -> Option<TierKey<'_>> {
    let (len, rest) = rest.split_first_chunk()?;
    let (tenant, rest) = rest.split_at_checked(u16::from_le_bytes(*len).into())?;
    let (&[db], bytes) = rest.split_first_chunk()?;
    Some(TierKey {
        tenant: str::from_utf8(tenant).ok()?,
        db,
        bytes,
    })
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
        for told in [
            Message::Changed(1, key),
            Message::Cleared(2, "größe"),
            Message::Beat(beat),
            Message::Bye(4),
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
