//! `/v1/stats`, `/v1/tenants`, `/v1/prediction` and `/v1/explain/{key}`: figures, and why a key is there.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use larder_engine::Tenant;
use larder_engine::foresight::Prediction;
use larder_resp::Value as Reply;
use serde_json::{Map, Value, json};

use super::api::{Api, page};
use super::batch::text;
use super::caller::Caller;
use super::keys::last_segment;
use super::problem::{Answer, Problem};
use super::text::Query;

/// Whoever may ask this may see figures.
const INFO: [&[u8]; 2] = [b"INFO", b"server"];

/// Who asks for figures.
fn reader(api: &Api, request: &Request) -> Answer<Caller> {
    Query::new(request.uri().query(), &[])?;
    api.caller(request.extensions())
}

pub(super) async fn stats(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let caller = reader(&api, &request)?;
    api.call(&caller, &INFO).await?;
    let shared = &api.shared;
    let now_ms = shared.now();
    let totals = shared.totals();
    let http = totals.http;
    Ok(page(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now_ms": now_ms,
        "uptime_ms": now_ms.saturating_sub(shared.started_ms),
        "threads": shared.config.threads,
        "memory": {
            "limit_bytes": shared.engine.memory_bytes(),
            "resident_bytes": shared.resident_bytes(),
            "client_buffers_bytes": totals.buffers_bytes,
        },
        "connections": {
            "open": totals.connections,
            "accepted": totals.accepted,
            "rejected": totals.rejected,
            "timed_out": totals.timed_out,
            "over_limit": totals.over_limit,
        },
        "commands": {
            "executed": totals.commands,
            "errors": totals.errors,
            "protocol_errors": totals.protocol_errors,
            "input_bytes": totals.input_bytes,
            "output_bytes": totals.output_bytes,
        },
        "http": {
            "connections": http.connections,
            "responses": http.responses.iter().sum::<u64>(),
            "refused": http.refused,
            "input_bytes": http.input_bytes,
            "output_bytes": http.output_bytes,
        },
        "tenants": tenants_of(&api, &caller),
    })))
}

pub(super) async fn tenants(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let caller = reader(&api, &request)?;
    api.call(&caller, &INFO).await?;
    Ok(page(&json!({ "tenants": tenants_of(&api, &caller) })))
}

pub(super) async fn tenant(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Answer {
    let Path(name) = path.map_err(Problem::of_path)?;
    let caller = reader(&api, &request)?;
    api.call(&caller, &INFO).await?;
    Ok(page(&figures(
        caller.tenant_named(&api.shared.engine, &name)?,
    )))
}

fn tenants_of(api: &Api, caller: &Caller) -> Vec<Value> {
    let seen = caller.tenants(&api.shared.engine);
    seen.iter().map(|tenant| figures(tenant)).collect()
}

fn figures(tenant: &Tenant) -> Value {
    let stats = tenant.stats();
    let counts = stats.entries.iter().zip(stats.entries_with_ttl).enumerate();
    let databases: Vec<_> = counts
        .filter(|(_, (entries, _))| **entries > 0)
        .map(
            |(db, (entries, ttl))| json!({ "db": db, "entries": entries, "entries_with_ttl": ttl }),
        )
        .collect();
    json!({
        "name": tenant.name(),
        "eviction": tenant.eviction(),
        "memory_bytes": stats.memory_bytes,
        "budget_bytes": stats.budget_bytes,
        "used_bytes": stats.used_bytes,
        "data_bytes": stats.data_bytes,
        "evictor_bytes": stats.evictor_bytes,
        "entries": stats.entries_total(),
        "entries_with_ttl": stats.entries_with_ttl.iter().sum::<u64>(),
        "hits": stats.hits,
        "misses": stats.misses,
        "inserts": stats.inserts,
        "updates": stats.updates,
        "expired": stats.expired,
        "evictions": stats.evictions,
        "fallback_evictions": stats.fallback_evictions,
        "refused": stats.refused,
        "refused_newcomers": stats.refused_newcomers,
        "wrong_victims": stats.wrong_victims,
        "events_dropped": stats.events_dropped,
        "shards": stats.shards,
        "unfit_shards": tenant.unfit_shards(),
        "databases": databases,
    })
}

pub(super) async fn explain(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let query = Query::new(request.uri().query(), &["db"])?;
    let caller = api.caller(request.extensions())?;
    let key = last_segment(request.uri())?;
    let caller = caller.on(query.db()?);
    let told = api.call(&caller, &[b"CACHE.EXPLAIN", &key]).await?;
    Ok(page(&json_of(told)))
}

/// How prediction stands, for each tenant that the caller may know of.
pub(super) async fn prediction(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let caller = reader(&api, &request)?;
    api.call(&caller, &[b"CACHE.PREDICT", b"STATUS"]).await?;
    let seen = caller.tenants(&api.shared.engine).iter();
    let told: Vec<_> = seen
        .map(|tenant| prediction_of(tenant.name(), &api.shared.prediction(tenant)))
        .collect();
    Ok(page(&json!({ "tenants": told })))
}

fn prediction_of(tenant: &str, prediction: &Prediction) -> Value {
    let undone = Prediction::UNDONE.iter().zip(prediction.undone);
    let undone: Map<_, _> = undone
        .map(|(why, count)| ((*why).to_owned(), count.into()))
        .collect();
    json!({
        "tenant": tenant,
        "state": if prediction.is_on { "on" } else { "off" },
        "why": prediction.why,
        "fetched": prediction.ahead.fetched,
        "used": prediction.ahead.used,
        "wasted": prediction.ahead.wasted,
        "bytes": prediction.ahead.bytes,
        "precision": prediction.precision(),
        "recall": prediction.recall(),
        "coverage": prediction.coverage(),
        "asked": prediction.asked,
        "planned": prediction.planned,
        "undone": undone,
        "heard": prediction.heard,
        "unheard": prediction.unheard,
        "trained": prediction.trained,
        "failed_trainings": prediction.failed_trainings,
        "training_ms": prediction.training_ms,
        "model_age_ms": prediction.model_age_ms,
        "memory_bytes": prediction.memory_bytes,
    })
}

/// A reply as JSON.
pub(super) fn json_of(reply: Reply) -> Value {
    match reply {
        Reply::Simple(text) | Reply::Error(text) | Reply::Verbatim(text) => text.into(),
        Reply::BigNumber(text) => text.into(),
        Reply::Integer(number) => number.into(),
        Reply::Double(number) => number.into(),
        Reply::Boolean(truth) => truth.into(),
        Reply::Bulk(Some(bytes)) => text(&bytes),
        Reply::Bulk(None) | Reply::Null | Reply::NullArray => Value::Null,
        Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => {
            items.into_iter().map(json_of).collect()
        }
        Reply::Map(pairs) => {
            let named = |(name, value): (Reply, Reply)| match json_of(name) {
                Value::String(name) => (name, json_of(value)),
                other => (other.to_string(), json_of(value)),
            };
            Value::Object(pairs.into_iter().map(named).collect::<Map<_, _>>())
        }
    }
}
