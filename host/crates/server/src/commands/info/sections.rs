//! The sections of INFO, and what they are computed from. Where Redis has a figure it has the same name
//! here.

use std::borrow::Cow;

use larder_engine::{Millis, TenantStats};

use super::{by_command, counted, fixed, held, prediction};
use crate::meter::Counted;
use crate::{Context, Session, Shared, Totals};

/// Whether a section is in the reply when nothing is said about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    ByDefault,
    /// Only by its own name, `all` or `everything`.
    OnDemand,
}

/// A section: its title, and what computes its lines.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) shown: Shown,
    pub(super) lines: fn(&Figures<'_>) -> Lines,
}

impl Section {
    const fn new(title: &'static str, lines: fn(&Figures<'_>) -> Lines) -> Self {
        Self {
            title,
            shown: Shown::ByDefault,
            lines,
        }
    }

    const fn on_demand(mut self) -> Self {
        self.shown = Shown::OnDemand;
        self
    }
}

/// Names and values.
pub(super) type Lines = Vec<(Cow<'static, str>, String)>;

/// All sections, in the order of the reply.
pub(super) static SECTIONS: [Section; 17] = [
    Section::new("Server", fixed::server),
    Section::new("Clients", counted::clients),
    Section::new("Memory", held::memory),
    Section::new("Persistence", fixed::persistence),
    Section::new("Stats", counted::stats),
    Section::new("Replication", fixed::replication),
    Section::new("CPU", counted::cpu),
    Section::new("Modules", |_| Lines::new()),
    Section::new("Commandstats", by_command::calls).on_demand(),
    Section::new("Errorstats", by_command::errors),
    Section::new("Latencystats", by_command::latencies).on_demand(),
    Section::new("Cluster", fixed::cluster),
    Section::new("Keyspace", held::keyspace),
    Section::new("Tiers", held::tiers).on_demand(),
    Section::new("Prediction", prediction::lines).on_demand(),
    Section::new("Policies", held::policies).on_demand(),
    Section::new("Tenants", held::tenants).on_demand(),
];

/// What the sections are computed from: the connection's own tenant, and the others where `tenants` may speak of them.
/// Counters are those since CONFIG RESETSTAT.
pub(super) struct Figures<'c> {
    pub(super) shared: &'c Shared,
    pub(super) session: &'c Session,
    pub(super) now: Millis,
    pub(super) totals: Totals,
    pub(super) tenant: TenantStats,
    /// Whether the tenant's shards are held: who holds one tenant's may not wait for another's.
    pub(super) is_held: bool,
}

impl<'c> Figures<'c> {
    pub(super) fn gather(ctx: &'c Context<'_>) -> Self {
        let shared = ctx.shared;
        let tenant = ctx.store.tenant();
        Self {
            shared,
            session: ctx.session,
            now: ctx.now,
            totals: shared.baseline.totals_since(shared.totals()),
            tenant: shared
                .baseline
                .stats_since(tenant.number(), ctx.store.stats()),
            is_held: ctx.store.is_held(),
        }
    }

    pub(super) fn counted(&self) -> Counted {
        self.shared.baseline.counted_since(self.shared.counted())
    }
}

pub(super) fn line(
    name: impl Into<Cow<'static, str>>,
    value: impl ToString,
) -> (Cow<'static, str>, String) {
    (name.into(), value.to_string())
}

/// Bytes as Redis shows them to people: `1.50M`.
pub(super) fn human(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "K", "M", "G", "T"] {
        if value < 1024.0 {
            return if unit == "B" {
                format!("{bytes}B")
            } else {
                format!("{value:.2}{unit}")
            };
        }
        value /= 1024.0;
    }
    format!("{value:.2}P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_shown_as_redis_shows_them() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_572_864, "1.50M"),
            (3 << 30, "3.00G"),
            (5 << 50, "5.00P"),
        ];
        for (bytes, text) in cases {
            assert_eq!(human(bytes), text);
        }
    }
}
