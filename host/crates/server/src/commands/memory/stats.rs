//! MEMORY STATS and MEMORY DOCTOR.

use std::fmt::Write;

use larder_engine::{RESIDENT_ALLOWANCE_BYTES, TenantStats};
use larder_resp::Args;

use super::super::Outcome;
use crate::{Context, Flow};

/// Below this use of the memory nothing is worth a report.
const BYTES_MIN: u64 = 1 << 20;

/// The tenant's memory, under the names that Redis has for it.
pub(super) fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let stats = ctx.store.stats();
    let buffers_bytes = ctx.shared.totals().buffers_bytes;
    let number = ctx.store.tenant().number();
    let peak_bytes = ctx.shared.sampler.peak_bytes(number).max(stats.used_bytes);
    let overhead = stats.used_bytes.saturating_sub(stats.data_bytes);
    let keys = stats.entries_total();
    let counts = [
        ("peak.allocated", peak_bytes),
        ("total.allocated", stats.used_bytes),
        ("startup.allocated", 0),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", buffers_bytes),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", 0),
        ("functions.caches", 0),
        ("overhead.total", overhead),
        ("keys.count", keys),
        (
            "keys.bytes-per-key",
            stats.used_bytes.checked_div(keys).unwrap_or(0),
        ),
        ("dataset.bytes", stats.data_bytes),
        ("evictor.bytes", stats.evictor_bytes),
        ("budget.bytes", stats.budget_bytes),
    ];
    let percent = |part: u64, whole: u64| part as f64 * 100.0 / whole.max(1) as f64;
    let shares = [
        (
            "dataset.percentage",
            percent(stats.data_bytes, stats.used_bytes),
        ),
        ("peak.percentage", percent(stats.used_bytes, peak_bytes)),
    ];
    ctx.reply.map(counts.len() + shares.len());
    for (name, count) in counts {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.integer(count as i64);
    }
    for (name, share) in shares {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.double(share);
    }
    Ok(Flow::Continue)
}

pub(super) fn doctor(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let stats = ctx.store.stats();
    let totals = ctx.shared.totals();
    let used = Used {
        stats: &stats,
        memory_bytes: ctx.shared.engine.memory_bytes(),
        resident_bytes: ctx.shared.resident_bytes().unwrap_or(0),
        buffers_bytes: totals.buffers_bytes,
        buffers_bytes_max: ctx.shared.config.client_buffers_bytes_max as u64,
    };
    ctx.reply.verbatim(&used.report());
    Ok(Flow::Continue)
}

/// What a report is made of.
struct Used<'s> {
    stats: &'s TenantStats,
    memory_bytes: u64,
    resident_bytes: u64,
    buffers_bytes: u64,
    buffers_bytes_max: u64,
}

impl Used<'_> {
    fn report(&self) -> String {
        let Self { stats, .. } = self;
        let mut report = String::new();
        let mut say = |line: String| {
            // Writing to a string cannot fail.
            let _ = writeln!(report, "{line}");
        };
        let bound = self.memory_bytes / 100 * 115 + RESIDENT_ALLOWANCE_BYTES + self.buffers_bytes;
        if self.resident_bytes > bound {
            say(format!(
                "The process has {} bytes resident, more than the {bound} it should need: please \
                 report this. MEMORY PURGE may give some back.",
                self.resident_bytes
            ));
        }
        if stats.budget_bytes < stats.memory_bytes / 100 * 95 {
            say(format!(
                "The tenant may use {} of its {} bytes, because more is resident than configured: \
                 large buffers of clients or a fragmented heap are usual causes.",
                stats.budget_bytes, stats.memory_bytes
            ));
        }
        if self.buffers_bytes > self.buffers_bytes_max / 2 {
            say(format!(
                "Unfinished requests and waiting replies take {} of {} bytes: some client sends or \
                 reads slowly, or asks for too much at once (CLIENT LIST).",
                self.buffers_bytes, self.buffers_bytes_max
            ));
        }
        if stats.used_bytes > BYTES_MIN && stats.data_bytes < stats.used_bytes / 4 {
            say(
                "Less than a quarter of the memory is keys and values: entries are very small, so \
                 what is kept to find them weighs most."
                    .to_owned(),
            );
        }
        if stats.evictor_bytes > stats.used_bytes / 4 && stats.used_bytes > BYTES_MIN {
            say(format!(
                "The eviction policy keeps {} bytes of records, more than a quarter of what is used.",
                stats.evictor_bytes
            ));
        }
        if report.is_empty() {
            "No problem of memory was found.\n".clone_into(&mut report);
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn each_problem_is_named_and_none_where_there_is_none() {
        let healthy = TenantStats {
            used_bytes: 50 * MIB,
            data_bytes: 40 * MIB,
            budget_bytes: 64 * MIB,
            memory_bytes: 64 * MIB,
            evictor_bytes: MIB,
            ..TenantStats::default()
        };
        let report = |stats: &TenantStats, resident_bytes, buffers_bytes| {
            let used = Used {
                stats,
                memory_bytes: 64 * MIB,
                resident_bytes,
                buffers_bytes,
                buffers_bytes_max: 64 * MIB,
            };
            used.report()
        };
        assert!(report(&healthy, 60 * MIB, MIB).starts_with("No problem"));
        assert!(report(&healthy, 200 * MIB, MIB).starts_with("The process has"));
        assert!(report(&healthy, 60 * MIB, 40 * MIB).starts_with("Unfinished"));
        let sick = TenantStats {
            data_bytes: MIB,
            budget_bytes: 30 * MIB,
            evictor_bytes: 30 * MIB,
            ..healthy
        };
        assert_eq!(report(&sick, 60 * MIB, MIB).lines().count(), 3);
    }
}
