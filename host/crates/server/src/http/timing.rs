//! `/v1/slowlog` and `/v1/latency`: which commands took long, and how long commands take.

use std::sync::Arc;

use axum::extract::{Request, State};
use serde_json::{Value, json};

use super::api::{Api, page};
use super::batch::text;
use super::problem::Answer;
use super::text::Query;
use crate::latency::Event;
use crate::meter::CommandFigures;
use crate::slowlog::{self, Entry};

/// Entries of the slow log that a page has at most.
const ENTRIES_MAX: usize = 128;

/// The slow log of the caller's tenant, or of the one that is named.
pub(super) async fn slow(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let query = Query::new(request.uri().query(), &["tenant"])?;
    let caller = api.caller(request.extensions())?;
    api.authorize(&caller, &[b"SLOWLOG", b"GET"])?;
    let tenant = match query.get("tenant") {
        None => &caller.tenant,
        Some(name) => caller.tenant_named(&api.shared.engine, name)?,
    };
    let entries: Vec<_> = {
        let log = slowlog::of(&api.shared, tenant);
        log.iter().rev().take(ENTRIES_MAX).cloned().collect()
    };
    let entries: Vec<_> = entries.iter().map(entry).collect();
    Ok(page(
        &json!({ "tenant": tenant.name(), "entries": entries }),
    ))
}

fn entry(entry: &Entry) -> Value {
    let args: Vec<_> = entry.args.iter().map(|arg| text(arg)).collect();
    json!({
        "id": entry.id,
        "at_ms": entry.at_ms,
        "took_us": entry.took_us,
        "args": args,
        "client": entry.peer,
        "client_name": text(&entry.client_name),
    })
}

/// What LATENCY knows: events that took long, and the times of each command.
pub(super) async fn latency(State(api): State<Arc<Api>>, request: Request) -> Answer {
    Query::new(request.uri().query(), &[])?;
    let caller = api.caller(request.extensions())?;
    api.authorize(&caller, &[b"LATENCY", b"HISTOGRAM"])?;
    let shared = &api.shared;
    let counted = shared.baseline.counted_since(shared.counted());
    let called = counted.commands().into_iter();
    let commands: Vec<_> = called
        .filter(|figures| figures.calls > 0)
        .map(|figures| command(&figures))
        .collect();
    let events = Event::ALL.map(|event| {
        let history = shared.latency.history(event);
        let samples: Vec<_> = history
            .samples
            .iter()
            .map(|sample| json!({ "at_s": sample.at_s, "ms": sample.ms }))
            .collect();
        json!({ "event": event.name(), "ms_max": history.ms_max, "samples": samples })
    });
    Ok(page(&json!({ "commands": commands, "events": events })))
}

fn command(figures: &CommandFigures) -> Value {
    let us = |percent| figures.latency.percentile(percent) as f64 / 1000.0;
    json!({
        "name": figures.name,
        "calls": figures.calls,
        "failed": figures.failed,
        "rejected": figures.rejected,
        "mean_us": figures.ns as f64 / figures.calls as f64 / 1000.0,
        "p50_us": us(50.0),
        "p99_us": us(99.0),
        "p999_us": us(99.9),
    })
}
