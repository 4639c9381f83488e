//! What a tenant counts.

use crate::places::Places;
use crate::tags::TagFigures;

/// What many entries may go by at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Invalidation {
    /// Tags of theirs.
    Tag,
    /// What their keys begin with.
    Prefix,
    /// All of them.
    Tenant,
}

impl Invalidation {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Tag, Self::Prefix, Self::Tenant];

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Prefix => "prefix",
            Self::Tenant => "tenant",
        }
    }
}

/// What became of what a tenant has fetched ahead.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AheadFigures {
    /// Entries that came into memory before anybody asked for them.
    pub fetched: u64,
    /// Of those, entries that were asked for while they waited.
    pub used: u64,
    /// And those that went, or were written over, before that.
    pub wasted: u64,
    /// Bytes of those that wait.
    pub bytes: u64,
}

/// A tenant's figures at one moment, summed over its shards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TenantStats {
    /// Reads that found their entry.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Entries that came into being.
    pub inserts: u64,
    /// Values that were written over.
    pub updates: u64,
    /// Entries evicted, however chosen.
    pub evictions: u64,
    /// Of them, those the fallback chose because the evictor was busy or named too few.
    pub fallback_evictions: u64,
    /// Answers of evictors that broke the rules.
    pub wrong_victims: u64,
    /// Writes refused for want of room or because of their size.
    pub refused: u64,
    /// New entries that the evictor did not think worth the room.
    pub refused_newcomers: u64,
    /// Entries removed because their time had come.
    pub expired: u64,
    /// Entries removed by a tag or a prefix.
    pub invalidated: u64,
    /// Invalidations, by [`Invalidation`].
    pub invalidations: [u64; Invalidation::ALL.len()],
    /// How its tags stand.
    pub tags: TagFigures,
    /// Hits and misses that the evictor was not told of because its buffer was full.
    pub events_dropped: u64,
    /// Leases that were given.
    pub leases: u64,
    /// Writes refused because their lease was over.
    pub leases_over: u64,
    /// Entries that have expired and are kept for who asks for stale values.
    pub stale: u64,
    /// Entries resident, by database; those that expired and were not removed yet count.
    pub entries: [u64; 16],
    /// Of them, those with an expiry.
    pub entries_with_ttl: [u64; 16],
    /// Bytes counted against the budget: entries and everything kept to find them.
    pub used_bytes: u64,
    /// Bytes of keys and values alone.
    pub data_bytes: u64,
    /// Bytes that may be used at the moment.
    pub budget_bytes: u64,
    /// Bytes configured, or set since.
    pub memory_bytes: u64,
    /// Bytes that the evictors hold for their own bookkeeping; part of `used_bytes`.
    pub evictor_bytes: u64,
    /// Shards.
    pub shards: u64,
}

impl TenantStats {
    /// Adds what one shard counted.
    pub(crate) fn add(&mut self, shard: &Self) {
        self.hits += shard.hits;
        self.misses += shard.misses;
        self.inserts += shard.inserts;
        self.updates += shard.updates;
        self.evictions += shard.evictions;
        self.fallback_evictions += shard.fallback_evictions;
        self.wrong_victims += shard.wrong_victims;
        self.refused += shard.refused;
        self.refused_newcomers += shard.refused_newcomers;
        self.expired += shard.expired;
        self.invalidated += shard.invalidated;
        self.events_dropped += shard.events_dropped;
        self.leases += shard.leases;
        self.leases_over += shard.leases_over;
        self.stale += shard.stale;
        self.data_bytes += shard.data_bytes;
        for db in 0..self.entries.len() {
            self.entries[db] += shard.entries[db];
            self.entries_with_ttl[db] += shard.entries_with_ttl[db];
        }
    }

    /// Has what was counted by places told by databases.
    pub(crate) fn name(&mut self, places: Places) {
        self.entries = places.by_database(self.entries);
        self.entries_with_ttl = places.by_database(self.entries_with_ttl);
    }

    /// Takes away what had been counted `before`; what is so now stays.
    pub fn subtract(&mut self, before: &Self) {
        for (count, before) in [
            (&mut self.hits, before.hits),
            (&mut self.misses, before.misses),
            (&mut self.inserts, before.inserts),
            (&mut self.updates, before.updates),
            (&mut self.evictions, before.evictions),
            (&mut self.fallback_evictions, before.fallback_evictions),
            (&mut self.wrong_victims, before.wrong_victims),
            (&mut self.refused, before.refused),
            (&mut self.refused_newcomers, before.refused_newcomers),
            (&mut self.expired, before.expired),
            (&mut self.invalidated, before.invalidated),
            (&mut self.events_dropped, before.events_dropped),
            (&mut self.leases, before.leases),
            (&mut self.leases_over, before.leases_over),
        ] {
            *count = count.saturating_sub(before);
        }
        for (count, before) in self.invalidations.iter_mut().zip(before.invalidations) {
            *count = count.saturating_sub(before);
        }
        let raises = &mut self.tags.floor_raises;
        *raises = raises.saturating_sub(before.tags.floor_raises);
    }

    /// All entries.
    pub fn entries_total(&self) -> u64 {
        self.entries.iter().sum()
    }
}
