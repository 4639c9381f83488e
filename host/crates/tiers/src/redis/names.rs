//! What keys are called in Redis:
//!
//! ```text
//! PREFIX:TENANT:DB.GENERATION:KEY             an entry
//! PREFIX:{TENANT/BUCKET}:DB.GENERATION:KEY    the same, where a tenant's entries are to lie in few slots
//! PREFIX:TENANT:g                             the tenant's generations
//! PREFIX:TENANT:t                             its tags that were invalidated
//! PREFIX:DB:m                                 the channel of messages, of a database of Redis
//! ```
//!
//! The tenant's name is percent-encoded, generations are hexadecimal, the key is as it is. A `{…}` in a key has the meaning
//! that it has for Redis: nothing before it has one, unless the tenant has buckets.

use std::str;

use larder_engine::tier::TierKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::queue::hash_of;

/// What a tenant's name keeps as it is: nothing that parts names here.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// See the module.
pub(super) struct Names {
    prefix: String,
    /// In how many a tenant's entries are, if that matters.
    buckets: Option<u32>,
}

impl Names {
    /// Names that begin with `prefix`, of letters, digits, `-`, `_` and `.`.
    pub(super) fn new(prefix: &str, buckets: Option<u32>) -> Self {
        Self {
            prefix: prefix.to_owned(),
            buckets: buckets.filter(|count| *count > 0),
        }
    }

    /// Where a tenant's generations stand.
    pub(super) fn generations(&self, tenant: &str) -> String {
        format!("{}:{}:g", self.prefix, escaped(tenant))
    }

    /// Where a tenant's invalidated tags stand.
    pub(super) fn tags(&self, tenant: &str) -> String {
        format!("{}:{}:t", self.prefix, escaped(tenant))
    }

    /// Where hosts that share entries tell each other of them: those in one database of Redis.
    pub(super) fn channel(&self, db: u32) -> String {
        format!("{}:{db}:m", self.prefix)
    }

    /// Where an entry stands.
    pub(super) fn entry(&self, key: TierKey<'_>, generation: u64) -> Vec<u8> {
        let (prefix, tenant, db) = (&self.prefix, escaped(key.tenant), key.db);
        let mut name = match self.buckets {
            Some(count) => {
                let bucket = hash_of(key) % u64::from(count);
                format!("{prefix}:{{{tenant}/{bucket}}}:{db}.{generation:x}:")
            }
            None => format!("{prefix}:{tenant}:{db}.{generation:x}:"),
        }
        .into_bytes();
        name.extend_from_slice(key.bytes);
        name
    }

    /// A pattern that all names fit.
    pub(super) fn pattern(&self) -> String {
        format!("{}:*", self.prefix)
    }

    /// A pattern that the names of all entries fit whose keys begin so.
    pub(super) fn pattern_of(&self, key: TierKey<'_>) -> Vec<u8> {
        let (prefix, tenant, db) = (&self.prefix, escaped(key.tenant), key.db);
        let place = match self.buckets {
            Some(_) => format!("{{{tenant}/*}}"),
            None => tenant,
        };
        let mut pattern = format!("{prefix}:{place}:{db}.*:").into_bytes();
        for byte in key.bytes {
            if b"*?[]\\^-".contains(byte) {
                pattern.push(b'\\');
            }
            pattern.push(*byte);
        }
        pattern.push(b'*');
        pattern
    }

    /// Tenant, database, generation and key of an entry, if the name is one.
    pub(super) fn read<'n>(&self, name: &'n [u8]) -> Option<(String, u8, u64, &'n [u8])> {
        let rest = name.strip_prefix(self.prefix.as_bytes())?;
        let rest = rest.strip_prefix(b":")?;
        let mut parts = rest.splitn(3, |byte| *byte == b':');
        let (place, number, key) = (parts.next()?, parts.next()?, parts.next()?);
        let place = str::from_utf8(place).ok()?;
        let tagged = place
            .strip_prefix('{')
            .and_then(|place| place.split_once('/'));
        let tenant = tagged.map_or(place, |(tenant, _)| tenant);
        let (db, generation) = str::from_utf8(number).ok()?.split_once('.')?;
        Some((
            percent_decode_str(tenant).decode_utf8().ok()?.into_owned(),
            db.parse().ok()?,
            u64::from_str_radix(generation, 16).ok()?,
            key,
        ))
    }
}

fn escaped(tenant: &str) -> String {
    utf8_percent_encode(tenant, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key<'a>(tenant: &'a str, db: u8, bytes: &'a [u8]) -> TierKey<'a> {
        TierKey { tenant, db, bytes }
    }

    #[test]
    fn names_are_readable_and_no_two_keys_share_one() {
        let names = Names::new("larder", None);
        let name = |key| String::from_utf8(names.entry(key, 0x2a)).unwrap();
        assert_eq!(
            name(key("default", 3, b"{a}:b")),
            "larder:default:3.2a:{a}:b"
        );
        assert_eq!(name(key("", 0, b"")), "larder::0.2a:");
        assert_eq!(names.generations("a:b"), "larder:a%3Ab:g");
        let tenants = ["", "a", "a:0.2a", "a%3A", "a\0", "ä", "g"];
        let keys: [&[u8]; 4] = [b"", b":", b"0.2a:", b"x"];
        let mut all = Vec::new();
        for tenant in tenants {
            all.push(names.generations(tenant).into_bytes());
            all.push(names.tags(tenant).into_bytes());
            for db in [0, 1, 15] {
                all.extend(keys.map(|bytes| names.entry(key(tenant, db, bytes), 0x2a)));
            }
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn names_tell_whose_they_are_and_of_which_generation() {
        for buckets in [None, Some(4)] {
            let names = Names::new("p", buckets);
            let name = names.entry(key("a:/b", 7, b"k:{}"), 0xfff0);
            let read = ("a:/b".to_owned(), 7, 0xfff0, &b"k:{}"[..]);
            assert_eq!(names.read(&name), Some(read));
            assert_eq!(Names::new("q", buckets).read(&name), None);
            assert_eq!(names.read(names.generations("a").as_bytes()), None);
        }
        let names = Names::new("p", None);
        for foreign in [
            "p",
            "p:a",
            "p:a:x:k",
            "p:a:300.1:k",
            "p:a:0.g:k",
            "px:a:0.1:k",
        ] {
            assert_eq!(names.read(foreign.as_bytes()), None, "{foreign}");
        }
    }

    #[test]
    fn a_pattern_is_of_what_begins_so_and_takes_nothing_for_more() {
        let pattern = |buckets| {
            let names = Names::new("p", buckets);
            String::from_utf8(names.pattern_of(key("a:b", 7, b"x*[-]"))).unwrap()
        };
        assert_eq!(pattern(None), r"p:a%3Ab:7.*:x\*\[\-\]*");
        assert_eq!(pattern(Some(2)), r"p:{a%3Ab/*}:7.*:x\*\[\-\]*");
    }

    #[test]
    fn buckets_gather_a_tenant_in_few_slots() {
        let names = Names::new("p", Some(2));
        let place = |n: u32| {
            let bytes = n.to_string();
            let name = names.entry(key("t", 0, bytes.as_bytes()), 1);
            let end = name.iter().position(|byte| *byte == b'}').unwrap();
            name[..end].to_vec()
        };
        let mut places: Vec<_> = (0..100).map(place).collect();
        places.sort();
        places.dedup();
        assert_eq!(places, [b"p:{t/0".to_vec(), b"p:{t/1".to_vec()]);
    }
}
