//! What is held: memory, entries, policies, the tenant.

use std::borrow::Cow;

use larder_engine::{Tenant, TenantStats};

use super::super::config::maxmemory_policy;
use super::sections::{Figures, Lines, human, line};
use crate::process::machine_memory_bytes;

/// The budget is the tenant's; resident is the whole process.
pub(super) fn memory(figures: &Figures<'_>) -> Lines {
    let (shared, tenant) = (figures.shared, &figures.tenant);
    let overhead = tenant.used_bytes.saturating_sub(tenant.data_bytes);
    let percent = |part: u64, whole: u64| format!("{:.2}%", ratio(part, whole) * 100.0);
    let scripts = shared.script_figures(&figures.session.tenant);
    let peak_bytes = shared.sampler.peak_bytes(figures.session.tenant.number());
    let peak_bytes = peak_bytes.max(tenant.used_bytes);
    let mut lines = vec![
        line("used_memory", tenant.used_bytes),
        line("used_memory_human", human(tenant.used_bytes)),
        line("used_memory_peak", peak_bytes),
        line("used_memory_peak_human", human(peak_bytes)),
        line(
            "used_memory_peak_perc",
            percent(tenant.used_bytes, peak_bytes),
        ),
        line("used_memory_overhead", overhead),
        line("used_memory_startup", 0),
        line("used_memory_dataset", tenant.data_bytes),
        line(
            "used_memory_dataset_perc",
            percent(tenant.data_bytes, tenant.used_bytes),
        ),
        line("used_memory_evictor", tenant.evictor_bytes),
        line("budget_memory", tenant.budget_bytes),
        line("maxmemory", tenant.memory_bytes),
        line("maxmemory_human", human(tenant.memory_bytes)),
        line(
            "maxmemory_policy",
            maxmemory_policy(&figures.session.tenant),
        ),
        line("used_memory_lua", scripts.memory_bytes),
        line("used_memory_lua_human", human(scripts.memory_bytes)),
        line("used_memory_scripts", scripts.known_bytes),
        line("used_memory_scripts_human", human(scripts.known_bytes)),
        line("number_of_cached_scripts", scripts.known),
        line("mem_clients_normal", figures.totals.buffers_bytes),
        line("active_defrag_running", 0),
        line("lazyfree_pending_objects", 0),
    ];
    if let Some(bytes) = machine_memory_bytes() {
        lines.push(line("total_system_memory", bytes));
        lines.push(line("total_system_memory_human", human(bytes)));
    }
    if let Some(resident_bytes) = shared.resident_bytes() {
        let tenants = shared.engine.tenants().iter();
        let used_bytes = tenants.map(|tenant| tenant.used()).sum();
        let fragmentation = format!("{:.2}", ratio(resident_bytes, used_bytes));
        lines.push(line("used_memory_rss", resident_bytes));
        lines.push(line("used_memory_rss_human", human(resident_bytes)));
        lines.push(line("mem_fragmentation_ratio", fragmentation));
    }
    lines
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// One line for each database that is not empty. The average time to live is not measured: 0.
pub(super) fn keyspace(figures: &Figures<'_>) -> Lines {
    let tenant = &figures.tenant;
    let counts = tenant.entries.iter().zip(&tenant.entries_with_ttl);
    let databases = counts.enumerate().filter(|(_, (keys, _))| **keys > 0);
    databases
        .map(|(db, (keys, expires))| {
            let value = format!("keys={keys},expires={expires},avg_ttl=0");
            line(format!("db{db}"), value)
        })
        .collect()
}

/// One line for each level below the memory, for the codec, and for each loader of the tenant. Levels hold entries of all
/// tenants, so only an administrator sees how many, and what the codec did for them.
pub(super) fn tiers(figures: &Figures<'_>) -> Lines {
    let is_admin = figures.session.login.user().is_admin();
    let levels = figures.shared.levels().into_iter().enumerate();
    levels
        .map(|(nth, level)| {
            let tier = &level.tier;
            let mut value = format!("state={}", level.state());
            if is_admin {
                value += &format!(
                    ",entries={},used={},max={},index={},queued={},hits={},misses={},read_errors={},writes={},\
                     write_errors={},evicted={},damaged={},overtaken={},unreplicated={},written={},put={},reads={},\
                     writes_to={},passed_over={},crowded_out={},retries={},deferred={},shed={},collapses={},\
                     told={},heard={},losses={},delay_us={},hosts={},deaf={}",
                    tier.entries,
                    tier.used_bytes,
                    tier.bytes_max,
                    tier.index_bytes,
                    level.queued_bytes,
                    level.hits,
                    level.misses,
                    level.read_errors,
                    level.writes,
                    level.write_errors,
                    tier.evictions,
                    tier.damaged,
                    tier.overtaken,
                    tier.unreplicated,
                    tier.written_bytes,
                    tier.put_bytes,
                    level.reads.circuit.name(),
                    level.writes_to.circuit.name(),
                    level.passed_over,
                    level.crowded_out,
                    level.reads.retries + level.writes_to.retries,
                    level.deferred,
                    level.shed.iter().sum::<u64>(),
                    level.collapses,
                    tier.told,
                    tier.heard,
                    tier.losses,
                    tier.delay_us,
                    tier.hosts,
                    u8::from(tier.is_deaf),
                );
            }
            line(format!("tier_l{}_{}", nth + 2, level.name), value)
        })
        .chain(is_admin.then(|| codec(figures)))
        .chain(loaders(figures))
        .collect()
}

fn codec(figures: &Figures<'_>) -> (Cow<'static, str>, String) {
    let codec = (figures.shared.codec)();
    let value = format!(
        "records={},input={},output={},sealed={},opened={},damaged={},dictionaries={},memory={}",
        codec.records,
        codec.input_bytes,
        codec.output_bytes,
        codec.sealed,
        codec.opened,
        codec.damaged,
        codec.dictionaries,
        codec.memory_bytes,
    );
    line("codec", value)
}

/// What they load comes last: a pattern may have any characters.
fn loaders(figures: &Figures<'_>) -> Lines {
    let tenant = figures.session.tenant.name();
    let loaders = figures.shared.loaders().into_iter();
    let own = loaders.filter(|loader| loader.tenant == tenant);
    own.enumerate()
        .map(|(nth, loader)| {
            let value = format!(
                "values={},absences={},failures={},refreshed_early={},refreshed_stale={},in_flight={},waiting={},bytes={},match={}",
                loader.values,
                loader.absences,
                loader.failures.iter().sum::<u64>(),
                loader.refreshed_early,
                loader.refreshed_stale,
                loader.in_flight,
                loader.waiting,
                loader.value_bytes,
                loader.pattern,
            );
            line(format!("loader{nth}"), value)
        })
        .collect()
}

/// One line for each policy that concerns the tenant.
pub(super) fn policies(figures: &Figures<'_>) -> Lines {
    let tenant = figures.session.tenant.name();
    let rows = figures.shared.policies.list().into_iter();
    let own = rows.filter(|row| row.tenant == "*" || row.tenant == tenant);
    own.map(|row| {
        let kinds: Vec<_> = row.kinds.iter().map(|kind| kind.name()).collect();
        let value = format!(
            "state={},runtime={},kinds={},calls={},traps={},deadlines_missed={},wrong_answers={}",
            row.state.name(),
            row.runtime.name(),
            kinds.join("+"),
            row.figures.calls,
            row.figures.traps,
            row.figures.deadlines_missed,
            row.figures.wrong_answers,
        );
        line(format!("policy_{}", row.name), value)
    })
    .collect()
}

/// The connection's own; for administrators all, but not within EXEC and scripts.
pub(super) fn tenants(figures: &Figures<'_>) -> Lines {
    let own = &figures.session.tenant;
    let mut lines = vec![tenant(own, &figures.tenant)];
    if figures.session.login.user().is_admin() && !figures.is_held {
        let all = figures.shared.engine.tenants().iter();
        let others = all.filter(|other| other.number() != own.number());
        lines.extend(others.map(|other| {
            let stats = figures
                .shared
                .baseline
                .stats_since(other.number(), other.stats());
            tenant(other, &stats)
        }));
    }
    lines
}

fn tenant(tenant: &Tenant, stats: &TenantStats) -> (Cow<'static, str>, String) {
    let value = format!(
        "memory={},used={},entries={},hits={},misses={},evicted={},expired={},eviction={}",
        stats.memory_bytes,
        stats.used_bytes,
        stats.entries_total(),
        stats.hits,
        stats.misses,
        stats.evictions,
        stats.expired,
        tenant.eviction(),
    );
    line(format!("tenant_{}", tenant.name()), value)
}
