//! `/v1/invalidate`: CACHE.INVALIDATE, as JSON.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde_json::Value;

use super::api::Api;
use super::batch::{bytes, object};
use super::problem::{Answer, Problem};

pub(super) async fn invalidate(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let (caller, fields, _paid) =
        object(&api, request, &["db", "tags", "prefix", "tenant"]).await?;
    let mut args = vec![b"CACHE.INVALIDATE".to_vec()];
    let said = ["tags", "prefix", "tenant"].map(|name| fields.get(name));
    match said {
        [Some(Value::Array(tags)), None, None] if !tags.is_empty() => {
            args.push(b"TAG".to_vec());
            for tag in tags {
                args.push(bytes(tag)?);
            }
        }
        [None, Some(prefix), None] => {
            args.push(b"PREFIX".to_vec());
            args.push(bytes(prefix)?);
        }
        [None, None, Some(Value::Bool(true))] => args.push(b"TENANT".to_vec()),
        _ => {
            let text =
                "say one of: \"tags\", a list that is not empty; \"prefix\"; \"tenant\": true";
            return Err(Problem::bad(text));
        }
    }
    let args: Vec<_> = args.iter().map(Vec::as_slice).collect();
    api.call(&caller, &args).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
