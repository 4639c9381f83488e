//! `/v1/batch/get` and `/v1/batch/set`: many values at once, as JSON. A key or value is a string, or
//! `{"base64": "…"}` where it is no text.

use std::iter;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Map, Value, json};
use tokio::task::yield_now;

use super::api::{Api, page, page_of};
use super::body::Charged;
use super::caller::Caller;
use super::conditions::etag;
use super::keys::Found;
use super::problem::{Answer, Problem};
use super::reports::json_of;
use super::said::{
    ATTRIBUTES, COST, Field, HIGH, NUMBER_MAX, SECURITY, STALE, Said, TAGS, TTL, TYPE, is_high,
    names_with,
};
use super::text::{DB_RANGE, Query};
use crate::commands::digest;

/// Items of a batch.
const ITEMS_MAX: usize = 1_000;
/// Items after which others get their turn.
const TURN_ITEMS: usize = 16;
/// The most that one byte becomes in a string of JSON.
const ESCAPED_BYTES: usize = 6;
/// The most that is written of an item beside key and value: what was said of it, and names.
const SAID_WRITTEN_MAX: usize = 256 << 10;

pub(super) async fn get(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let (caller, batch) = batch(&api, request, "keys").await?;
    let mut reply = Charged::new(api.budget(&caller), b"{\"items\":[".to_vec())?;
    for (number, key) in batch.items.iter().enumerate() {
        let key = bytes(key)?;
        let item = api.read(&caller, &key).await?;
        let value = item.as_ref().map_or(&[][..], |item| &item.value);
        let bytes = written_len(value) + ESCAPED_BYTES * key.len() + SAID_WRITTEN_MAX;
        if reply.bytes.len() + written_len(value) > api.shared.config.output_bytes_max {
            let detail = "the values together exceed limits.output_max; ask for fewer";
            return Err(Problem::too_large(detail));
        }
        // The value is there as it is, and as it is told.
        reply.reserve(bytes, 3 * value.len() + SAID_WRITTEN_MAX)?;
        if number > 0 {
            reply.bytes.push(b',');
        }
        serde_json::to_writer(&mut reply.bytes, &told(&key, item))
            .map_err(|error| Problem::bad(error.to_string()))?;
        if number % TURN_ITEMS == TURN_ITEMS - 1 {
            yield_now().await;
        }
    }
    reply.bytes.extend_from_slice(b"]}\n");
    Ok(page_of(reply.into_bytes()))
}

/// How long a value is as JSON: text with its escapes, or base64.
fn written_len(value: &[u8]) -> usize {
    let written = |byte: &u8| match byte {
        b'"' | b'\\' => 2,
        0..=31 => ESCAPED_BYTES,
        _ => 1,
    };
    let text: usize = value.iter().map(written).sum();
    text.max(value.len().div_ceil(3) * 4)
}

/// What the values of JSON in a text take once they are read: an object has room for several fields, all
/// others are of one size, and half of a list may be empty.
fn tree_bytes(text: &[u8]) -> usize {
    const OBJECT_BYTES: usize = 700;
    const VALUE_BYTES: usize = 64;
    let (mut bytes, mut is_string, mut is_escaped) = (VALUE_BYTES, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_string => is_escaped = true,
            b'"' => is_string = !is_string,
            _ if is_string => {}
            b'{' => bytes += OBJECT_BYTES,
            b'[' | b',' | b':' => bytes += VALUE_BYTES,
            _ => {}
        }
    }
    bytes
}

fn told(key: &[u8], item: Option<Found>) -> Value {
    let Some(Found {
        value,
        said,
        priority,
    }) = item
    else {
        return json!({ "key": text(key), "found": false });
    };
    let tags: Vec<_> = said.tags.iter().map(|tag| text(tag)).collect();
    let pair = |(name, value): &(Vec<u8>, Vec<u8>)| json!([text(name), text(value)]);
    let attributes: Vec<_> = said.attributes.iter().map(pair).collect();
    json!({
        "key": text(key),
        "found": true,
        "value": text(&value),
        "etag": etag(digest(&value)),
        (TTL.name): said.ttl_ms,
        (STALE.name): said.stale_ms,
        (TYPE.name): said.data_type.as_deref().map(text),
        (TAGS.name): tags,
        (COST.name): said.cost_ms,
        (ATTRIBUTES.name): attributes,
        (SECURITY.name): said.is_secret.then_some(HIGH),
        "priority": priority,
    })
}

pub(super) async fn set(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let (caller, batch) = batch(&api, request, "items").await?;
    let items: Vec<Item> = batch.items.iter().map(Item::of).collect::<Answer<_>>()?;
    let mut results = Vec::with_capacity(items.len());
    let mut stored = 0;
    for (number, item) in items.iter().enumerate() {
        let args = item.said.command(&item.key, &item.value);
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        results.push(match api.call(&caller, &args).await {
            Ok(_) => {
                stored += 1;
                json!({ "key": text(&item.key), "stored": true })
            }
            Err(problem) => {
                json!({ "key": text(&item.key), "stored": false, "detail": problem.detail() })
            }
        });
        if number % TURN_ITEMS == TURN_ITEMS - 1 {
            yield_now().await;
        }
    }
    Ok(page(&json!({ "stored": stored, "items": results })))
}

pub(super) async fn warm(State(api): State<Arc<Api>>, request: Request) -> Answer {
    let (caller, batch) = batch(&api, request, "keys").await?;
    let keys: Vec<_> = batch.items.iter().map(bytes).collect::<Answer<_>>()?;
    if keys.is_empty() {
        return Err(Problem::bad("'keys' has at least one key"));
    }
    let name = b"CACHE.WARM".as_slice();
    let args: Vec<_> = iter::once(name)
        .chain(keys.iter().map(Vec::as_slice))
        .collect();
    Ok(page(&json_of(api.call(&caller, &args).await?)))
}

/// A batch that was read, and what it holds is paid for.
struct Batch {
    items: Vec<Value>,
    _paid: Charged,
}

/// Reads a batch whose items stand under `name`.
async fn batch(api: &Api, request: Request, name: &str) -> Answer<(Caller, Batch)> {
    let (caller, mut fields, body) = object(api, request, &["db", name]).await?;
    match fields.remove(name) {
        Some(Value::Array(items)) if items.len() <= ITEMS_MAX => {
            // One request is paid for already.
            let more = items.len().saturating_sub(1);
            api.pay(caller.user(), more as u64).await?;
            Ok((caller, Batch { items, _paid: body }))
        }
        Some(Value::Array(_)) => Err(Problem::too_large(format!(
            "a batch has {ITEMS_MAX} items at most"
        ))),
        _ => Err(Problem::bad(format!("'{name}' is a list, and is missing"))),
    }
}

/// The object of JSON that a request brings, who brings it and for which database, and what pays for it.
pub(super) async fn object(
    api: &Api,
    request: Request,
    known: &[&str],
) -> Answer<(Caller, Map<String, Value>, Charged)> {
    Query::new(request.uri().query(), &[])?;
    let caller = api.caller(request.extensions())?;
    check_json(request.headers())?;
    let bytes_max = api.shared.config.request_bytes_max;
    let mut body = api.body(&caller, request, bytes_max).await?;
    let tree_bytes = tree_bytes(&body.bytes);
    // Each string once as it was read, once decoded, once on its way to the command.
    body.also_hold(3 * body.bytes.len() + tree_bytes)?;
    let fields = match serde_json::from_slice(&body.bytes) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => return Err(Problem::bad("this is sent as an object of JSON")),
        Err(error) => return Err(Problem::bad(format!("this is no JSON: {error}"))),
    };
    check_fields(&fields, known)?;
    let db = match fields.get("db") {
        None => 0,
        Some(db) => whole(db)
            .and_then(|db| u8::try_from(db).ok())
            .filter(|db| *db < larder_engine::DATABASES)
            .ok_or_else(|| Problem::bad(DB_RANGE))?,
    };
    Ok((caller.on(db), fields, body))
}

/// A form of a web page cannot send this type, so that a browser asks before it sends it for one.
fn check_json(headers: &HeaderMap) -> Answer<()> {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    match kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json")) {
        true => Ok(()),
        false => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "this is sent as Content-Type: application/json",
        )),
    }
}

fn check_fields(fields: &Map<String, Value>, known: &[&str]) -> Answer<()> {
    match fields.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Problem::bad(format!(
            "there is no field '{name}' here; known are: {}",
            known.join(", ")
        ))),
    }
}

/// One value to be written.
struct Item {
    key: Vec<u8>,
    value: Vec<u8>,
    said: Said,
}

impl Item {
    fn of(value: &Value) -> Answer<Self> {
        let Value::Object(fields) = value else {
            return Err(Problem::bad("an item is an object"));
        };
        check_fields(fields, &names_with(&["key", "value"]))?;
        let wanted = |name: &str| match fields.get(name) {
            Some(value) => bytes(value),
            None => Err(Problem::bad(format!("an item has no '{name}'"))),
        };
        let field = |Field { name, .. }: Field| fields.get(name).filter(|value| !value.is_null());
        let number = |of: Field| {
            let number = field(of)
                .map(|value| whole(value).ok_or(of.name))
                .transpose();
            number
                .map_err(|name| Problem::bad(format!("{name} is a number from 0 to {NUMBER_MAX}")))
        };
        let list = |Field { name, .. }: Field| match fields.get(name) {
            None => Ok(&[][..]),
            Some(Value::Array(list)) => Ok(&list[..]),
            Some(_) => Err(Problem::bad(format!("'{name}' is a list"))),
        };
        let pair = |pair: &Value| match pair.as_array().map(Vec::as_slice) {
            Some([name, value]) => Ok((bytes(name)?, bytes(value)?)),
            _ => Err(Problem::bad("an attribute is a list of name and value")),
        };
        Ok(Self {
            key: wanted("key")?,
            value: wanted("value")?,
            said: Said {
                ttl_ms: number(TTL)?,
                stale_ms: number(STALE)?,
                data_type: field(TYPE).map(bytes).transpose()?,
                tags: list(TAGS)?.iter().map(bytes).collect::<Answer<_>>()?,
                cost_ms: number(COST)?,
                attributes: list(ATTRIBUTES)?.iter().map(pair).collect::<Answer<_>>()?,
                is_secret: is_high(
                    field(SECURITY).map(|level| level.as_str().unwrap_or_default()),
                )?,
            }
            .checked()?,
        })
    }
}

/// A number from 0 to [`NUMBER_MAX`]; `6.0` is one too, as JSON tells them not apart.
fn whole(value: &Value) -> Option<u64> {
    let number = value.as_u64().or_else(|| {
        let number = value.as_f64()?;
        let is_whole = number.fract() == 0.0 && (0.0..=NUMBER_MAX as f64).contains(&number);
        is_whole.then_some(number as u64)
    });
    number.filter(|number| *number <= NUMBER_MAX)
}

/// A string, or `{"base64": "…"}`.
pub(super) fn bytes(value: &Value) -> Answer<Vec<u8>> {
    let encoded = |fields: &Map<String, Value>| match fields.get("base64") {
        Some(Value::String(text)) if fields.len() == 1 => BASE64_STANDARD.decode(text).ok(),
        _ => None,
    };
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Object(fields) => encoded(fields),
        _ => None,
    }
    .ok_or_else(|| Problem::bad("keys, values and tags are strings, or {\"base64\": \"…\"}"))
}

/// The other way round: a string where it is text.
pub(crate) fn text(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}
