//! `/v1/policies`: what POLICY LIST and POLICY INFO tell, as JSON, and what POLICY orders.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use larder_engine::{PolicyRow, PolicyRuntime};
use serde_json::{Map, Value, json};

use super::api::{Api, page};
use super::problem::{Answer, Problem};
use super::text::Query;
use crate::commands::policies_for;

pub(super) async fn list(State(api): State<Arc<Api>>, request: Request) -> Answer {
    Query::new(request.uri().query(), &[])?;
    let caller = api.caller(request.extensions())?;
    api.call(&caller, &[b"POLICY", b"LIST"]).await?;
    let rows = policies_for(&api.shared, caller.user());
    let policies: Vec<_> = rows.iter().map(row).collect();
    Ok(page(&json!({ "policies": policies })))
}

pub(super) async fn one(
    State(api): State<Arc<Api>>,
    path: Result<Path<String>, PathRejection>,
    request: Request,
) -> Answer {
    Query::new(request.uri().query(), &[])?;
    let caller = api.caller(request.extensions())?;
    let Path(name) = path.map_err(Problem::of_path)?;
    api.call(&caller, &[b"POLICY", b"LIST"]).await?;
    let rows = policies_for(&api.shared, caller.user());
    Ok(page(&row(find(&rows, &name)?)))
}

/// A file may have the name of a native policy; it is the one that somebody put there.
fn find<'a>(rows: &'a [PolicyRow], name: &str) -> Answer<&'a PolicyRow> {
    let named = rows.iter().filter(|row| row.name == name);
    named
        .min_by_key(|row| row.runtime == PolicyRuntime::Native)
        .ok_or_else(|| Problem::not_found("there is no policy of that name; see /v1/policies"))
}

pub(super) async fn order(
    State(api): State<Arc<Api>>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Answer {
    Query::new(request.uri().query(), &[])?;
    let Path((name, action)) = path.map_err(Problem::of_path)?;
    if !["enable", "disable", "rollback"].contains(&action.as_str()) {
        let detail = "a policy can be told to enable, disable or rollback";
        return Err(Problem::not_found(detail));
    }
    let caller = api.caller(request.extensions())?;
    find(&policies_for(&api.shared, caller.user()), &name)?;
    api.call(&caller, &[b"POLICY", action.as_bytes(), name.as_bytes()])
        .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

pub(super) async fn reload(State(api): State<Arc<Api>>, request: Request) -> Answer {
    Query::new(request.uri().query(), &[])?;
    let caller = api.caller(request.extensions())?;
    api.call(&caller, &[b"POLICY", b"RELOAD"]).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

fn row(row: &PolicyRow) -> Value {
    let kinds: Vec<_> = row.kinds.iter().map(|kind| kind.name()).collect();
    let parameters: Map<_, _> = row
        .parameters
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let figures = row.figures;
    json!({
        "name": row.name,
        "file": row.file,
        "runtime": row.runtime.name(),
        "kinds": kinds,
        "tenant": row.tenant,
        "keys": row.keys,
        "state": row.state.name(),
        "why": row.why,
        "version": row.version,
        "digest": row.digest,
        "loaded_ms": row.loaded_ms,
        "parameters": parameters,
        "has_previous": row.has_previous,
        "figures": {
            "calls": figures.calls,
            "events": figures.events,
            "call_ns": figures.call_ns,
            "traps": figures.traps,
            "deadlines_missed": figures.deadlines_missed,
            "wrong_answers": figures.wrong_answers,
            "refused_values": figures.refused_values,
            "instances": figures.instances,
            "memory_bytes": figures.memory_bytes,
            "log_lines": figures.log_lines,
            "log_lines_dropped": figures.log_lines_dropped,
        },
    })
}
