//! `/v1/policies`: what POLICY LIST and POLICY INFO tell, as JSON.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use larder_engine::PolicyRow;
use serde_json::{Map, Value, json};

use crate::Shared;

pub(super) async fn list(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let policies: Vec<_> = shared.policies.list().iter().map(row).collect();
    let page = json!({ "policies": policies });
    (
        [(CONTENT_TYPE, "application/json; charset=utf-8")],
        format!("{page}\n"),
    )
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
