//! Which address is answered by what, and what happens to every request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{CONNECTION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post, put};

use super::api::Api;
use super::link::Link;
use super::problem::{Answer, Problem};
use super::{batch, console, history, invalidate, keys, openapi, policies, reports, timing};
use crate::Health;

/// All there is to be asked for under `/v1`, in the order of the description.
pub(super) fn routes() -> [(&'static str, MethodRouter<Arc<Api>>); 18] {
    [
        (
            "/v1/keys/{key}",
            put(keys::put).get(keys::get).delete(keys::delete),
        ),
        ("/v1/keys", axum::routing::delete(keys::flush)),
        ("/v1/batch/get", post(batch::get)),
        ("/v1/batch/set", post(batch::set)),
        ("/v1/batch/warm", post(batch::warm)),
        ("/v1/invalidate", post(invalidate::invalidate)),
        ("/v1/policies", get(policies::list)),
        ("/v1/policies/reload", post(policies::reload)),
        ("/v1/policies/history", get(history::list)),
        ("/v1/policies/{name}", get(policies::one)),
        ("/v1/policies/{name}/{action}", post(policies::order)),
        ("/v1/tenants", get(reports::tenants)),
        ("/v1/tenants/{name}", get(reports::tenant)),
        ("/v1/stats", get(reports::stats)),
        ("/v1/slowlog", get(timing::slow)),
        ("/v1/latency", get(timing::latency)),
        ("/v1/explain/{key}", get(reports::explain)),
        ("/v1/prediction", get(reports::prediction)),
    ]
}

/// Addresses that tell no more than that the server is there; whoever asks, under any name.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Of them, those that nobody has to say a name for.
const HEALTH: [&str; 2] = ["/healthz", "/readyz"];

pub(super) fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .route("/openapi.json", get(openapi::page))
        .merge(console::routes());
    for (path, methods) in routes() {
        router = router.route(path, methods);
    }
    router
        .fallback(async || Problem::not_found("there is nothing here; see /openapi.json"))
        .method_not_allowed_fallback(async || {
            let detail =
                "this cannot be asked with that method; the header Allow names those that can";
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
        })
        .layer(from_fn_with_state(api.clone(), attend))
        .with_state(api)
}

/// What happens to every request.
async fn attend(State(api): State<Arc<Api>>, mut request: Request, next: Next) -> Response {
    let link = request.extensions().get::<ConnectInfo<Link>>().cloned();
    let link = link.map(|ConnectInfo(link)| link);
    let _answering = link.as_ref().map(Link::answering);
    let is_open = OPEN.contains(&request.uri().path());
    let admitted = match api.check_origin(request.method(), request.headers()) {
        Err(problem) if !is_open => Err(problem),
        _ if HEALTH.contains(&request.uri().path()) => Ok(None),
        _ if link.as_ref().is_some_and(Link::is_stranger) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "a certificate of the client's own is needed here (tls.client_auth = \"required\")",
        )),
        _ => api.recognise(link.as_ref(), request.headers()).await,
    };
    let mut response = match admitted {
        Err(problem) => {
            api.shared.http.refused();
            problem.into_response()
        }
        Ok(user) => {
            if let Some(user) = user {
                request.extensions_mut().insert(user);
            }
            next.run(request).await
        }
    };
    let ends = api.shared.health() != Health::Ready || link.as_ref().is_none_or(Link::is_crowded);
    if ends {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    api.shared.http.answered(response.status());
    response
}

async fn ready(State(api): State<Arc<Api>>) -> (StatusCode, Cow<'static, str>) {
    let (required, others) = api.shared.levels_away();
    readiness(
        api.shared.health(),
        api.shared.silence(),
        &required,
        &others,
    )
}

/// Of the levels that do nothing at the moment, `required` are those that it is not ready without.
pub(super) fn readiness(
    health: Health,
    silence: Option<Duration>,
    required: &[String],
    others: &[String],
) -> (StatusCode, Cow<'static, str>) {
    let why_not = match (health, silence) {
        (Health::Ready, None) if !required.is_empty() => {
            let names = required.join(", ");
            format!("away: a tier that is required does nothing at the moment: {names}\n").into()
        }
        (Health::Ready, None) if others.is_empty() => return (StatusCode::OK, "ready\n".into()),
        (Health::Ready, None) => {
            let names = others.join(", ");
            return (StatusCode::OK, format!("ready, without {names}\n").into());
        }
        (Health::Ready, Some(silence)) => {
            let seconds = silence.as_secs();
            format!("hangs: a worker thread has been at one thing for {seconds} s\n").into()
        }
        (Health::Starting, _) => "starting\n".into(),
        (Health::Draining, _) => "draining\n".into(),
        (Health::Failed, _) => "failed: a worker thread died\n".into(),
    };
    (StatusCode::SERVICE_UNAVAILABLE, why_not)
}

async fn scrape(State(api): State<Arc<Api>>, request: Request) -> Answer {
    api.check_figures(request.extensions())?;
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, (api.metrics)()).into_response())
}
