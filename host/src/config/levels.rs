//! The levels below the memory: `l2…` and `l3…`.

use std::time::Duration;

use larder_tiers::LevelConfig;
use larder_tiers::disk;
use larder_tiers::redis::{Consistency, RedisAddress};

use super::kinds::{Choice, Kind, Or, Place, Size, Switch, Time, Whole, quoted};
use super::patterns::Patterns;
use super::reader::Reader;
use super::{Below, ByteSize, DiskLevel, RedisLevel, guard, writes};

const MS: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
const PREFIX_BYTES_MAX: usize = 32;

const CONSISTENCY: Choice<Consistency> = Choice {
    words: &[
        ("one", Consistency::One),
        ("quorum", Consistency::Quorum),
        ("all", Consistency::All),
    ],
    note: "",
};

/// What a level is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Level {
    None,
    Disk,
    Redis(RedisAddress),
}

/// A level, which may be the disk or not.
struct LevelKind {
    may_be_disk: bool,
}

impl Kind for LevelKind {
    type Value = Level;

    fn read(&self, text: &str) -> Option<Level> {
        match text {
            "none" => Some(Level::None),
            "disk" => self.may_be_disk.then_some(Level::Disk),
            address => address.parse().ok().map(Level::Redis),
        }
    }

    fn write(&self, value: &Level) -> String {
        match value {
            Level::None => "none".to_owned(),
            Level::Disk => "disk".to_owned(),
            Level::Redis(address) => address.to_string(),
        }
    }

    fn allowed(&self) -> String {
        let disk = if self.may_be_disk { ", \"disk\"" } else { "" };
        format!(
            "\"none\"{disk} or an address such as redis://127.0.0.1:6379, rediss://HOST:PORT or redis-cluster://HOST:PORT,HOST:PORT"
        )
    }

    fn placeholder(&self) -> &'static str {
        match self.may_be_disk {
            true => "none|disk|URL",
            false => "none|URL",
        }
    }

    /// Addresses hold passwords.
    fn told(&self, shown: &str) -> String {
        match (shown.split_once("://"), shown.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
            _ => shown.to_owned(),
        }
    }
}

/// What names begin with.
struct Prefix;

impl Kind for Prefix {
    type Value = String;

    fn read(&self, text: &str) -> Option<String> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=PREFIX_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        fits.then(|| text.to_owned())
    }

    fn write(&self, value: &String) -> String {
        value.clone()
    }

    fn literal(&self, value: &String) -> String {
        quoted(value)
    }

    fn allowed(&self) -> String {
        format!("1 to {PREFIX_BYTES_MAX} letters, digits, '-', '_' and '.', such as larder")
    }

    fn placeholder(&self) -> &'static str {
        "NAME"
    }
}

/// The settings of a level in Redis.
struct Keys {
    password_file: &'static str,
    tls_ca: &'static str,
    pool: &'static str,
    prefix: &'static str,
    ttl_max: &'static str,
    consistency: &'static str,
    hash_tags: &'static str,
    share: &'static str,
    heartbeat_timeout: &'static str,
    stale_max: &'static str,
    authority: &'static str,
}

const L2: Keys = Keys {
    password_file: "l2_password_file",
    tls_ca: "l2_tls_ca",
    pool: "l2_pool",
    prefix: "l2_prefix",
    ttl_max: "l2_ttl_max",
    consistency: "l2_consistency",
    hash_tags: "l2_hash_tags",
    share: "l2_share",
    heartbeat_timeout: "l2_heartbeat_timeout",
    stale_max: "l2_max_stale",
    authority: "l2_authority",
};

const L3: Keys = Keys {
    password_file: "l3_password_file",
    tls_ca: "l3_tls_ca",
    pool: "l3_pool",
    prefix: "l3_prefix",
    ttl_max: "l3_ttl_max",
    consistency: "l3_consistency",
    hash_tags: "l3_hash_tags",
    share: "l3_share",
    heartbeat_timeout: "l3_heartbeat_timeout",
    stale_max: "l3_max_stale",
    authority: "l3_authority",
};

/// What lies below the memory, if anything does.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Below> {
    let second = reader.read(
        "l2",
        "disk",
        LevelKind { may_be_disk: true },
        "Second level below the memory: the disk, in the data folder, or Redis",
    );
    let size = reader.read(
        "l2_size",
        "4GiB",
        Size(ByteSize::new(disk::BYTES_MIN)..=ByteSize::new(disk::BYTES_MAX)),
        "What the second level may take on disk",
    );
    let write = reader.read(
        "l2_write",
        "through",
        writes::WORDS,
        "When a write is acknowledged: below too, or at once; or kept below alone",
    );
    let demotes = reader.read(
        "l2_demote",
        "true",
        Switch,
        "What is evicted from memory, and is not below, goes down",
    );
    let sync = reader.read(
        "l2_sync",
        "none",
        Or("none", Time(MS * 10..=DAY)),
        "How often the second level is brought to the disk itself; none leaves it to the system",
    );
    let guarded = guard::read(reader, &guard::L2);
    let second_redis = redis(reader, &L2, guarded);
    let third = reader.read(
        "l3",
        "none",
        LevelKind { may_be_disk: false },
        "Third level, behind the second: Redis, or a cluster",
    );
    let third_guarded = guard::read(reader, &guard::L3);
    let third_redis = redis(reader, &L3, third_guarded);
    let disk = (second == Level::Disk).then_some(DiskLevel {
        size,
        sync,
        guarded,
    });
    let levels = [(second, second_redis), (third, third_redis)];
    let levels = levels.into_iter();
    let redis: Vec<_> = levels
        .filter_map(|(level, rest)| rest(reader, level))
        .collect();
    check(reader, &redis);
    let is_there = disk.is_some() || !redis.is_empty();
    is_there.then_some(Below {
        write,
        demotes,
        disk,
        redis,
    })
}

/// Of two levels in Redis one is a cluster, and the lower one has the authority.
fn check(reader: &mut Reader<'_>, redis: &[RedisLevel]) {
    let [second, third] = redis else {
        return;
    };
    if second.address.is_cluster == third.address.is_cluster {
        reader.refuse(
            "l3",
            "\"none\", or another kind of address than l2 has: one of a cluster, the other not",
        );
    }
    if !second.authority.is_empty() {
        let allowed = "\"none\" where l3 is behind it: say l3_authority";
        reader.refuse("l2_authority", allowed);
    }
}

/// A level in Redis, but for whether it is one and where.
fn redis(
    reader: &mut Reader<'_>,
    keys: &Keys,
    guarded: LevelConfig,
) -> impl FnOnce(&mut Reader<'_>, Level) -> Option<RedisLevel> + use<> {
    let password_file = reader.read(
        keys.password_file,
        "none",
        Or("none", Place),
        "File with the password for Redis, in place of one in the address",
    );
    let tls_ca = reader.read(
        keys.tls_ca,
        "none",
        Or("none", Place),
        "Authorities that sign the certificate of Redis, in PEM; none for the system's",
    );
    let connections = reader.read(
        keys.pool,
        "4",
        Whole(1..=64),
        "Connections to each Redis server that are read over",
    );
    let prefix = reader.read(
        keys.prefix,
        "larder",
        Prefix,
        "What all keys in Redis begin with; others are never touched",
    );
    let ttl_max = reader.read(
        keys.ttl_max,
        "7d",
        Time(Duration::from_secs(1)..=YEAR),
        "How long Redis keeps an entry at most",
    );
    let consistency = reader.read(
        keys.consistency,
        "one",
        CONSISTENCY,
        "Who has a write when it is done: the primary, most of its servers, or all",
    );
    let hash_tags = reader.read(
        keys.hash_tags,
        "none",
        Or("none", Whole(1..=16_384)),
        "In how many slots of a cluster the entries of a tenant are; none for all",
    );
    let (hearing, stale_max) = hearing(reader, keys);
    let (authority, own) = (authority(reader, keys), keys.authority);
    move |reader: &mut Reader<'_>, level| {
        let Level::Redis(address) = level else {
            if !authority.is_empty() {
                reader.refuse(own, "\"none\" where the level is not in Redis");
            }
            return None;
        };
        Some(RedisLevel {
            address,
            password_file,
            tls_ca,
            connections: connections as usize,
            guarded,
            prefix,
            ttl_max,
            consistency,
            hash_tags: hash_tags.map(|count| count as u32),
            hearing,
            stale_max,
            authority,
        })
    }
}

/// The patterns of keys over which it has the authority.
fn authority(reader: &mut Reader<'_>, keys: &Keys) -> Vec<String> {
    let patterns = reader.read(
        keys.authority,
        "none",
        Or("none", Patterns),
        "Patterns of keys, with blanks between, whose changes are atomic among servers: made in Redis",
    );
    patterns.unwrap_or_default()
}

/// How long another server may be silent, where servers tell each other; and for how long what they may have changed is answered.
fn hearing(reader: &mut Reader<'_>, keys: &Keys) -> (Option<Duration>, Option<Duration>) {
    let is_shared = reader.read(
        keys.share,
        "true",
        Switch,
        "Whether servers with the same prefix tell each other of what they change",
    );
    let heartbeat_timeout = reader.read(
        keys.heartbeat_timeout,
        "1s",
        Time(MS * 100..=MINUTE),
        "How long another server may say nothing before something may have been missed",
    );
    let stale_max = reader.read(
        keys.stale_max,
        "1h",
        Or("none", Time(Duration::from_secs(1)..=YEAR)),
        "How long what others may have changed is answered while Redis does not answer; none for ever",
    );
    (is_shared.then_some(heartbeat_timeout), stale_max)
}
