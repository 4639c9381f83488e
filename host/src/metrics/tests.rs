use std::collections::BTreeSet;

use super::*;
use crate::config::{self, HookTo, Sources};
use crate::hooks::hooks;
use crate::{assemble, memory, serve};
use larder_engine::decision::Kinds;
use larder_engine::foresight::{Explanation, Foresight, Prediction};
use larder_engine::tier::{LOAD_MS_BOUNDS, LevelFigures, Levels, LoaderFigures};
use larder_engine::{
    Access, Edit, Engine, Expiry, Key, Policies, PolicyState, SizeClasses, Undecided,
};
use larder_observe::METRICS;
use larder_server::{Gone, Parts};
use std::sync::Arc;

struct OneLevel;

impl Levels for OneLevel {
    fn figures(&self) -> Vec<LevelFigures> {
        let name = "disk".to_owned();
        vec![LevelFigures {
            name,
            ..LevelFigures::default()
        }]
    }

    fn loaders(&self) -> Vec<LoaderFigures> {
        vec![LoaderFigures {
            tenant: "default".to_owned(),
            pattern: "playlist:*".to_owned(),
            times: [1; LOAD_MS_BOUNDS.len() + 1],
            ..LoaderFigures::default()
        }]
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

struct OnePolicy;

impl Policies for OnePolicy {
    fn list(&self) -> Vec<PolicyRow> {
        vec![PolicyRow {
            name: "gate".into(),
            file: "gate.wasm".into(),
            runtime: PolicyRuntime::Wasm,
            kinds: Kinds::default(),
            tenant: "*".into(),
            keys: "*".into(),
            state: PolicyState::Active,
            why: String::new(),
            version: String::new(),
            digest: String::new(),
            loaded_ms: 1,
            parameters: Vec::new(),
            has_previous: false,
            figures: PolicyFigures {
                traps: 3,
                ..PolicyFigures::default()
            },
        }]
    }
    fn enable(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn disable(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn rollback(&self, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn reload(&self) -> Result<(), String> {
        Ok(())
    }
    fn decisions(&self, _: &str, _: u8, _: &[u8]) -> Vec<String> {
        Vec::new()
    }
}

/// Foresight with something to show.
struct OneForesight;

impl Foresight for OneForesight {
    fn prediction(&self, _: usize) -> Prediction {
        Prediction {
            is_on: true,
            model_age_ms: Some(2_000),
            ..Prediction::default()
        }
    }

    fn explain(&self, _: usize, _: Key<'_>) -> Option<Explanation> {
        None
    }

    fn memory_bytes(&self) -> u64 {
        0
    }
}

fn shared() -> Shared {
    let loaded = config::load(Sources::default()).unwrap();
    let engine = assemble::engine_config(&loaded.config, SizeClasses::Sixteen, 7, 1, None, None);
    let parts = Parts {
        engine: Arc::new(Engine::new(engine).unwrap()),
        deciders: Arc::new(Undecided),
        levels: Some(Arc::new(OneLevel)),
        codec: Arc::new(Default::default),
        policies: Arc::new(OnePolicy),
        foresight: Some(Arc::new(OneForesight)),
        hooks: Vec::new(),
        clock: || 5_000,
        monotonic_ns: || 1_000_000_000,
        resident: memory::resident,
        release_memory: || (),
        run_id: "0".repeat(40),
        random: |_| Ok(()),
        log: serve::LOG,
    };
    Shared::new(assemble::server_config(&loaded), parts)
}

fn webhooks() -> Webhooks {
    let mut config = config::load(Sources::default()).unwrap().config;
    config.store.hooks.push(config::Hook {
        on: vec![Gone::Expired],
        pattern: "*".to_owned(),
        tenant: "default".to_owned(),
        to: HookTo::Url("http://127.0.0.1:1/".parse().unwrap(), None),
    });
    hooks(&config, |_| None, || 1).unwrap().1
}

fn upkeep() -> Arc<Upkeep> {
    let flags = [("l2".to_owned(), "none".to_owned())];
    let sources = Sources {
        flags: flags.into(),
        ..Sources::default()
    };
    let config = config::load(sources).unwrap().config;
    Upkeep::new(assemble::codec(&config, None, 7).unwrap())
}

#[test]
fn a_scrape_has_each_metric_of_the_table_exactly_once() {
    let page = render(&shared(), &upkeep(), &webhooks());
    // There are none before the disk was gone over.
    let rendered = METRICS
        .iter()
        .filter(|metric| metric.name != "larder_key_entries");
    for metric in rendered.clone() {
        let header = format!("# TYPE {} ", metric.name);
        assert_eq!(
            page.matches(&header).count(),
            1,
            "{} in\n{page}",
            metric.name
        );
    }
    assert_eq!(page.matches("# TYPE ").count(), rendered.count());
}

#[test]
fn what_the_engine_counts_is_published_by_tenant() {
    let shared = shared();
    let tenant = shared.engine.default_tenant();
    tenant
        .update(Key::new(0, b"key"), 1, Access::Write, 5, |_| {
            (Edit::put(&b"value"[..], Expiry::At(1 << 40)), ())
        })
        .unwrap();
    tenant.get(Key::new(0, b"key"), 1, |_| ()).unwrap();
    assert!(tenant.get(Key::new(0, b"other"), 1, |_| ()).is_none());
    let page = render(&shared, &upkeep(), &webhooks());
    for line in [
        "larder_hits_total{tenant=\"default\"} 1",
        "larder_misses_total{tenant=\"default\"} 1",
        "larder_inserts_total{tenant=\"default\"} 1",
        "larder_entries{tenant=\"default\"} 1",
        "larder_ttl_entries{tenant=\"default\"} 1",
        "larder_data_bytes{tenant=\"default\"} 8",
        "larder_evictions_total{tenant=\"default\",chosen_by=\"fallback\"} 0",
        "larder_memory_limit_bytes 268435456",
        "larder_policy_offences_total{policy=\"gate\",kind=\"trap\"} 3",
        "larder_policy_info{policy=\"gate\",runtime=\"wasm\",kinds=\"\",tenant=\"*\",state=\"active\"} 1",
    ] {
        assert!(
            page.lines().any(|printed| printed == line),
            "{line} is not in\n{page}"
        );
    }
}

#[test]
fn a_policy_s_calls_are_told_by_their_time() {
    let mut figures = PolicyFigures {
        call_ns: 3_000_000_000,
        ..PolicyFigures::default()
    };
    figures.call_times[0] = 5;
    figures.call_times[CALL_NS_BOUNDS.len()] = 2;
    let told = call_times(&figures);
    assert_eq!((told.count, told.sum), (7, 3.0));
    assert_eq!(told.at_most.first(), Some(&(128e-9, 5)));
    assert_eq!(told.at_most.last(), Some(&(8_388_608e-9, 5)));
}

#[test]
fn metrics_md_is_the_table() {
    let mut rows: Vec<_> = METRICS
        .iter()
        .map(|metric| {
            let kind = format!("{:?}", metric.kind).to_lowercase();
            let labels = metric.labels.join(", ");
            format!(
                "| `{}` | {kind} | {labels} | {} |",
                metric.name, metric.help
            )
        })
        .collect();
    rows.sort();
    let written: Vec<_> = include_str!("../../METRICS.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(written, rows, "host/METRICS.md is not what the table says");
}

/// The names of metrics in a text, a histogram's without what its samples add.
fn names(text: &str) -> BTreeSet<&str> {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_part(letter));
    let names = words.filter(|word| word.starts_with("larder_") || word.starts_with("process_"));
    names
        .map(|name| {
            let endings = ["_bucket", "_sum", "_count"].iter();
            let mut stems = endings.filter_map(|ending| name.strip_suffix(ending));
            stems.next().unwrap_or(name)
        })
        .collect()
}

#[test]
fn dashboard_and_alerts_ask_for_metrics_that_there_are() {
    let known: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    let dashboard = include_str!("../../config/grafana.json");
    serde_json::from_str::<serde_json::Value>(dashboard).expect("JSON");
    let alerts = include_str!("../../config/prometheus-alerts.yaml");
    for (file, text, at_least) in [("dashboard", dashboard, 30), ("alerts", alerts, 15)] {
        let asked = names(text);
        assert!(asked.len() >= at_least, "{file}: only {asked:?}");
        let unknown: Vec<_> = asked.difference(&known).collect();
        assert!(unknown.is_empty(), "{file}: there is no {unknown:?}");
    }
}

/// What is always 1 is told by its labels: a line of it says nothing, and no unit is its own.
#[test]
fn the_dashboard_draws_no_line_of_what_is_always_one() {
    let dashboard = include_str!("../../config/grafana.json");
    let dashboard: serde_json::Value = serde_json::from_str(dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let shows = |panel: &serde_json::Value| panel["targets"].to_string().contains("_info{");
    let kinds: BTreeSet<_> = panels
        .iter()
        .filter(|panel| shows(panel))
        .map(|panel| panel["type"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(kinds, BTreeSet::from(["stat", "table"]));
}
