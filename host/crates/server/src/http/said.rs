//! What a client says of a value that it sends: `Larder-…` headers or parameters, fields of JSON; and how
//! it is told again.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use larder_engine::Label;

use super::problem::{Answer, Problem};
use super::text::{Query, decode, encode, items, pairs};
use crate::commands::Item;

/// What a client says of a value.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) ttl_ms: Option<u64>,
    pub(super) stale_ms: Option<u64>,
    pub(super) data_type: Option<Vec<u8>>,
    pub(super) tags: Vec<Vec<u8>>,
    pub(super) cost_ms: Option<u64>,
    pub(super) attributes: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) is_secret: bool,
}

/// One thing that can be said: its name, as a parameter and as a field of JSON, and its header.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    header: &'static str,
}

pub(super) const TTL: Field = field("ttl_ms", "larder-ttl-ms");
pub(super) const STALE: Field = field("stale_ms", "larder-stale-ms");
pub(super) const TYPE: Field = field("type", "larder-type");
pub(super) const TAGS: Field = field("tags", "larder-tags");
pub(super) const COST: Field = field("cost_ms", "larder-cost-ms");
pub(super) const ATTRIBUTES: Field = field("attributes", "larder-attributes");
pub(super) const SECURITY: Field = field("security", "larder-security");
const FIELDS: [Field; 7] = [TTL, STALE, TYPE, TAGS, COST, ATTRIBUTES, SECURITY];

const fn field(name: &'static str, header: &'static str) -> Field {
    Field { name, header }
}

/// These names, and those of all that can be said.
pub(super) fn names_with<'a>(others: &'a [&'a str]) -> Vec<&'a str> {
    let fields = FIELDS.iter().map(|field| field.name);
    others.iter().copied().chain(fields).collect()
}

/// The only level of security that is said.
pub(super) const HIGH: &str = "high";
pub(super) const PRIORITY: HeaderName = HeaderName::from_static("larder-priority");

impl Said {
    pub(super) fn of_request(query: &Query<'_>, headers: &HeaderMap) -> Answer<Self> {
        let ask = |Field { name, header }: Field| -> Answer<Option<String>> {
            let in_header = headers.get(header).map(|value| {
                let text = value.to_str().map(str::to_owned);
                text.map_err(|_| Problem::bad(format!("the header {header} is no plain text")))
            });
            match (query.get(name), in_header) {
                (Some(_), Some(_)) => Err(Problem::bad(format!(
                    "{name} is said twice, as a header and as a parameter"
                ))),
                // A parameter was decoded already, and stands for itself.
                (Some(text), None) => Ok(Some(text.replace('%', "%25"))),
                (None, text) => text.transpose(),
            }
        };
        let count = |field: Field| {
            let text = ask(field)?;
            text.map(|text| number(field.name, &text)).transpose()
        };
        Self {
            ttl_ms: count(TTL)?,
            stale_ms: count(STALE)?,
            data_type: ask(TYPE)?.map(|text| decode(&text)).transpose()?,
            tags: items(&ask(TAGS)?.unwrap_or_default())?,
            cost_ms: count(COST)?,
            attributes: pairs(&ask(ATTRIBUTES)?.unwrap_or_default())?,
            is_secret: is_high(ask(SECURITY)?.as_deref())?,
        }
        .checked()
    }

    /// The same, where its times can be.
    pub(super) fn checked(self) -> Answer<Self> {
        if self.ttl_ms == Some(0) {
            return Err(Problem::bad("ttl_ms is 1 or more"));
        }
        let is_long = |stale_ms: u64| !(1..=STALE_MS_MAX).contains(&stale_ms);
        if self.stale_ms.is_some_and(is_long) {
            let text = format!("stale_ms is a number from 1 to {STALE_MS_MAX}");
            return Err(Problem::bad(text));
        }
        Ok(self)
    }

    /// CACHE.SET, with all that was said.
    pub(super) fn command(&self, key: &[u8], value: &[u8]) -> Vec<Vec<u8>> {
        let count = |count: usize| count.to_string().into_bytes();
        let mut args = vec![b"CACHE.SET".to_vec(), key.to_vec(), value.to_vec()];
        let mut push = |part: &[u8]| args.push(part.to_vec());
        if let Some(ttl_ms) = self.ttl_ms {
            push(b"PX");
            push(ttl_ms.to_string().as_bytes());
            // Beyond no end there is nothing.
            if let Some(stale_ms) = self.stale_ms {
                push(b"STALE");
                push(stale_ms.to_string().as_bytes());
            }
        }
        if let Some(data_type) = &self.data_type {
            push(b"TYPE");
            push(data_type);
        }
        if let Some(cost_ms) = self.cost_ms {
            push(b"COST");
            push(cost_ms.to_string().as_bytes());
        }
        if !self.tags.is_empty() {
            push(b"TAGS");
            push(&count(self.tags.len()));
            self.tags.iter().for_each(|tag| push(tag));
        }
        if !self.attributes.is_empty() {
            push(b"ATTR");
            push(&count(self.attributes.len()));
            for (name, value) in &self.attributes {
                push(name);
                push(value);
            }
        }
        if self.is_secret {
            push(b"SECURITY");
            push(HIGH.as_bytes());
        }
        args
    }

    /// What the label of an entry says.
    pub(super) fn of_label(label: Label<'_>, ttl_ms: Option<u64>) -> Self {
        let stale_ms = label.times.stale_ms;
        let mut said = Self {
            ttl_ms,
            stale_ms: (stale_ms > 0).then_some(stale_ms.into()),
            ..Self::default()
        };
        for item in crate::commands::items(label.note) {
            match item {
                Item::Type(name) => said.data_type = Some(name.to_vec()),
                Item::Tag(tag) => said.tags.push(tag.to_vec()),
                Item::CostMs(cost_ms) => said.cost_ms = Some(cost_ms),
                Item::Attribute(name, value) => {
                    said.attributes.push((name.to_vec(), value.to_vec()));
                }
                Item::Secret => said.is_secret = true,
            }
        }
        said
    }

    /// Tells it in headers.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let tags: Vec<_> = self.tags.iter().map(|tag| encode(tag)).collect();
        let pair =
            |(name, value): &(Vec<u8>, Vec<u8>)| format!("{}={}", encode(name), encode(value));
        let attributes: Vec<_> = self.attributes.iter().map(pair).collect();
        let mut tell = |field: Field, text: Option<String>| {
            let value = text.and_then(|text| HeaderValue::try_from(text).ok());
            if let Some(value) = value {
                headers.insert(field.header, value);
            }
        };
        tell(TTL, self.ttl_ms.map(|ttl_ms| ttl_ms.to_string()));
        tell(STALE, self.stale_ms.map(|stale_ms| stale_ms.to_string()));
        tell(TYPE, self.data_type.as_deref().map(encode));
        tell(COST, self.cost_ms.map(|cost_ms| cost_ms.to_string()));
        tell(TAGS, (!tags.is_empty()).then(|| tags.join(",")));
        tell(
            ATTRIBUTES,
            (!attributes.is_empty()).then(|| attributes.join(",")),
        );
        tell(SECURITY, self.is_secret.then(|| HIGH.to_owned()));
    }
}

/// Whether a level of security says that the value is a secret.
pub(super) fn is_high(level: Option<&str>) -> Answer<bool> {
    match level {
        None => Ok(false),
        Some(HIGH) => Ok(true),
        Some(_) => Err(Problem::bad("security is high, or is left out")),
    }
}

/// The longest that a value is kept beyond its time to live.
const STALE_MS_MAX: u64 = u32::MAX as u64;

fn number(name: &str, text: &str) -> Answer<u64> {
    // Else a plus sign would do.
    let digits = Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .filter(|number| *number <= NUMBER_MAX)
        .ok_or_else(|| Problem::bad(format!("{name} is a number from 0 to {NUMBER_MAX}")))
}

/// The largest integer that every reader of JSON can hold.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_in_headers_is_told_again_in_headers() {
        let said = Said {
            ttl_ms: Some(7),
            stale_ms: Some(8),
            data_type: Some(b"a b/\xff".to_vec()),
            tags: vec![b"x,y".to_vec(), b"z".to_vec()],
            cost_ms: Some(NUMBER_MAX),
            attributes: vec![
                (b"n=".to_vec(), b"".to_vec()),
                (b"m".to_vec(), b"1".to_vec()),
            ],
            is_secret: true,
        };
        let mut headers = HeaderMap::new();
        said.write(&mut headers);
        let query = Query::new(None, &[]).unwrap();
        assert_eq!(Said::of_request(&query, &headers).unwrap(), said);
        let parameters = names_with(&["db"]);
        let query = Query::new(Some("tags=x%2541,z"), &parameters).unwrap();
        assert!(Said::of_request(&query, &headers).is_err(), "said twice");
        let query = Said::of_request(&query, &HeaderMap::new()).unwrap();
        assert_eq!(query.tags, [&b"x%41"[..], b"z"]);
    }

    #[test]
    fn numbers_have_bounds() {
        for wrong in [
            "ttl_ms=0",
            "ttl_ms=-1",
            "ttl_ms=1&stale_ms=0",
            "ttl_ms=1&stale_ms=4294967296",
            "cost_ms=%2B1",
            "cost_ms=9007199254740992",
        ] {
            let parameters = names_with(&[]);
            let query = Query::new(Some(wrong), &parameters).unwrap();
            assert!(
                Said::of_request(&query, &HeaderMap::new()).is_err(),
                "{wrong}"
            );
        }
    }
}
