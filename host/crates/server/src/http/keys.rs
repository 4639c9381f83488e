//! `/v1/keys/{key}`: one value at a time.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::IntoResponse;
use larder_engine::authority::{Attempt, Seen};
use larder_engine::below::Reach;
use larder_engine::{Entry, Key, Label, Millis};
use larder_resp::Value;

use super::api::Api;
use super::body::Charged;
use super::caller::Caller;
use super::conditions::{Part, etag, if_match, if_none_match, part};
use super::problem::{Answer, Problem};
use super::said::{PRIORITY, Said, names_with};
use super::text::{Query, decode};
use crate::commands::digest;
use crate::fetch;
use crate::onlookers::Event;

/// Who asks, and for which key.
fn target(api: &Api, request: &Request, query: &Query<'_>) -> Answer<(Caller, Vec<u8>)> {
    let caller = api.caller(request.extensions())?.on(query.db()?);
    Ok((caller, last_segment(request.uri())?))
}

/// The key that an address ends with, decoded.
pub(super) fn last_segment(uri: &Uri) -> Answer<Vec<u8>> {
    let (_, name) = uri.path().rsplit_once('/').unwrap_or_default();
    decode(name)
}

/// An entry as a reader sees it.
pub(super) struct Found {
    pub(super) value: Vec<u8>,
    pub(super) said: Said,
    pub(super) priority: u8,
}

impl Found {
    pub(super) fn of(entry: Entry<'_>, now: Millis) -> Self {
        Self::new(
            entry.value().to_vec(),
            entry.label(),
            entry.expires_at(),
            now,
        )
    }

    fn new(value: Vec<u8>, label: Label<'_>, expiry: Option<Millis>, now: Millis) -> Self {
        let ttl_ms = expiry.map(|at| at.saturating_sub(now));
        Self {
            value,
            said: Said::of_label(label, ttl_ms),
            priority: label.priority,
        }
    }
}

impl Api {
    /// Reads as GET does.
    pub(super) async fn read(&self, caller: &Caller, key: &[u8]) -> Answer<Option<Found>> {
        self.authorize(caller, &[b"GET", key])?;
        let now = self.shared.now();
        let key = Key::new(caller.db, key);
        if let Some(seen) = self.look(caller, key, now).await? {
            return Ok(seen.stored.map(|stored| {
                Found::new(
                    stored.value.to_vec(),
                    stored.label(),
                    stored.expires_at,
                    now,
                )
            }));
        }
        let read = |entry: Entry<'_>| Found::of(entry, now);
        let found = self.counted_as_get(|| caller.tenant.get(key, now, read));
        let found = match found {
            None => fetch::read(&caller.tenant, key, &self.shared, read).await,
            found => found,
        };
        if found.is_none() {
            let onlookers = &self.shared.onlookers[caller.tenant.number()];
            onlookers.notify(Event::KEYMISS, key);
        }
        Ok(found)
    }

    /// What a level holds under a key that it has the authority over; `None` where none has.
    async fn look(&self, caller: &Caller, key: Key<'_>, now: Millis) -> Answer<Option<Seen>> {
        let authority = caller.tenant.below().and_then(|below| below.authority());
        let Some(authority) = authority.filter(|authority| authority.rules(key)) else {
            return Ok(None);
        };
        let attempt = Attempt {
            tries: 0,
            until: None,
            bytes_max: fetch::bytes_max(&caller.tenant),
        };
        let look = authority.look(&[key], attempt, now).await;
        let look = look.map_err(|error| Problem::of_reply(fetch::failure(error).text()))?;
        Ok(look.seen.into_iter().next())
    }

    /// Whether something is under a key, in memory or where a level has the authority over it.
    async fn is_there(&self, caller: &Caller, key: Key<'_>) -> Answer<bool> {
        let now = self.shared.now();
        Ok(match self.look(caller, key, now).await? {
            Some(seen) => seen.stored.is_some(),
            None => caller.tenant.peek(key, now, |_| ()).is_some(),
        })
    }
}

pub(super) async fn get(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let query = Query::new(request.uri().query(), &["db"])?;
    let (caller, key) = target(&api, &request, &query)?;
    let Some(found) = api.read(&caller, &key).await? else {
        return Err(Problem::not_found("there is no such key"));
    };
    let (digest, len) = (digest(&found.value), found.value.len());
    let part = part(request.headers(), digest, len)?;
    let mut head = HeaderMap::new();
    let text = |text: String| HeaderValue::try_from(text).ok();
    head.extend(text(etag(digest)).map(|tag| (ETAG, tag)));
    head.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Whoever keeps it between us and the reader would not hear of it when it changes.
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Values are anybody's: no browser shall take one for a page of ours.
    let bytes = HeaderValue::from_static("application/octet-stream");
    head.insert(CONTENT_TYPE, bytes);
    head.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    head.insert(PRIORITY, u16::from(found.priority).into());
    found.said.write(&mut head);
    let body = Charged::new(api.budget(&caller), found.value)?.into_bytes();
    Ok(match part {
        Part::Whole => (head, body).into_response(),
        Part::NotModified => {
            head.remove(CONTENT_TYPE);
            (StatusCode::NOT_MODIFIED, head).into_response()
        }
        Part::Range(first, last) => {
            let range = text(format!("bytes {first}-{last}/{len}"));
            head.extend(range.map(|range| (CONTENT_RANGE, range)));
            let body = body.slice(first..=last);
            (StatusCode::PARTIAL_CONTENT, head, body).into_response()
        }
        Part::Unsatisfiable => {
            let detail = format!("the value has {len} bytes: none of the range are among them");
            let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, detail);
            let mut response = problem.into_response();
            let range = text(format!("bytes */{len}")).map(|range| (CONTENT_RANGE, range));
            response.headers_mut().extend(range);
            response
        }
    })
}

pub(super) async fn put(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let parameters = names_with(&["db"]);
    let query = Query::new(request.uri().query(), &parameters)?;
    let (caller, key) = target(&api, &request, &query)?;
    let said = Said::of_request(&query, request.headers())?;
    let conditions = [
        if_match(request.headers())?,
        if_none_match(request.headers())?,
    ];
    let bytes_max = api.shared.config.proto_bulk_bytes_max;
    let mut body = api.body(&caller, request, bytes_max).await?;
    // It is copied on its way to the command, twice.
    body.also_hold(2 * body.bytes.len())?;
    let mut args = said.command(&key, &body.bytes);
    args.extend(conditions.into_iter().flatten());
    // Whoever may not write there is not told whether there is one.
    api.authorize(&caller, &[b"CACHE.SET", &key, b""])?;
    let key = Key::new(caller.db, &key);
    let may_be_below = || caller.tenant.lacks(key, Reach::Cache, api.shared.now());
    let was_there = api.is_there(&caller, key).await? || may_be_below();
    let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
    if api.call(&caller, &args).await? == Value::Null {
        return Err(Problem::precondition());
    }
    let status = match was_there {
        true => StatusCode::NO_CONTENT,
        false => StatusCode::CREATED,
    };
    let tag = [(ETAG, etag(digest(&body.bytes)))];
    Ok((status, tag).into_response())
}

pub(super) async fn delete(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let query = Query::new(request.uri().query(), &["db"])?;
    let (caller, key) = target(&api, &request, &query)?;
    let mut condition = if_match(request.headers())?;
    let wants_none = if_none_match(request.headers())?;
    let is_met_by_none = condition.is_empty();
    condition.extend(wants_none);
    let removed = match &condition[..] {
        // With If-None-Match: * nothing may be there, so nothing is removed.
        [.., word] if word == b"NX" => Value::Integer(0),
        [word, tag] => api.call(&caller, &[b"DELEX", &key, word, tag]).await?,
        [] | [_] => api.call(&caller, &[b"DEL", &key]).await?,
        _ => return Err(Problem::bad("a DELETE has one condition at most")),
    };
    match removed {
        Value::Integer(0) => {
            let is_there = || api.is_there(&caller, Key::new(caller.db, &key));
            match condition.is_empty() || (is_met_by_none && !is_there().await?) {
                true => Err(Problem::not_found("there is no such key")),
                false => Err(Problem::precondition()),
            }
        }
        _ => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

/// Removes all keys of a database, which has to be named.
pub(super) async fn flush(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let query = Query::new(request.uri().query(), &["db"])?;
    if query.get("db").is_none() {
        return Err(Problem::bad("name the database to be emptied: ?db=0"));
    }
    let caller = api.caller(request.extensions())?.on(query.db()?);
    api.call(&caller, &[b"FLUSHDB"]).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
