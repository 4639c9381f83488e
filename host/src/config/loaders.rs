//! The `[[loader]]` tables: where values come from that are nowhere in the cache.

use std::time::Duration;

use larder_tiers::loader::http::{UrlPattern, header};

use super::file::{Found, LOADER};
use super::kinds::{Kind, Or, Size, Switch, Time, Whole, quoted};
use super::listed::Listed;
use super::reader::Reader;
use super::tenants::{DEFAULT, take_tenant};
use super::units::ShowDuration;
use super::{ByteSize, Header, Loader, Tenant};

const KEYS: [&str; 13] = [
    "match",
    "url",
    "tenant",
    "headers",
    "ttl",
    "cache_control",
    "stale_while_revalidate",
    "stale_if_error",
    "early_refresh",
    "absent_ttl",
    "timeout",
    "size_max",
    "concurrency_max",
];

/// Patterns stand in metrics.
const PATTERN_BYTES_MAX: usize = 128;
const PATTERN_ALLOWED: &str = "a pattern of keys of 1 to 128 characters in one line, such as playlist:*, that no other loader of the tenant has";
const URL_ALLOWED: &str = "an address such as http://127.0.0.1:8000/playlists/{key}";
const HEADERS_ALLOWED: &str = "a table of texts, such as { Authorization = \"env:API_TOKEN\" } for what a variable of the environment holds";
/// What says so is taken from the environment.
const FROM_ENVIRONMENT: &str = "env:";
/// What these say is secret.
const SECRET: [&str; 3] = ["authorization", "cookie", "proxy-authorization"];

const DAY: Duration = Duration::from_secs(86_400);
const TTL: Or<Time> = Or(
    "none",
    Time(Duration::from_secs(1)..=DAY.saturating_mul(365)),
);
const STALE: Time = Time(Duration::ZERO..=DAY.saturating_mul(30));
const EARLY_ALLOWED: &str = "a number from 0 to 10, such as 1.0";
const ABSENT_TTL: Time = Time(Duration::ZERO..=DAY);
const TIMEOUT: Time = Time(Duration::from_millis(1)..=Duration::from_secs(3600));
const SIZE: Size = Size(ByteSize::new(1)..=ByteSize::mib(512));
const CONCURRENCY: Whole = Whole(1..=10_000);

/// Reads the loaders of a server with these tenants.
pub(super) fn read(reader: &mut Reader<'_>, tenants: &[Tenant]) -> Vec<Loader> {
    let layers = reader.layers;
    let mut loaders: Vec<Loader> = Vec::new();
    for table in &layers.file.loaders {
        let listed = Listed {
            list: LOADER,
            table,
        };
        let Some(loader) = read_one(reader, &listed, tenants) else {
            continue;
        };
        let is_same =
            |other: &Loader| (&other.tenant, &other.pattern) == (&loader.tenant, &loader.pattern);
        if loaders.iter().any(is_same) {
            let found = quoted(&loader.pattern);
            let message = format!("loader.match: found {found} again; allowed: {PATTERN_ALLOWED}");
            reader.note(listed.line_of("match"), message);
        }
        loaders.push(loader);
    }
    loaders
}

fn read_one(reader: &mut Reader<'_>, listed: &Listed<'_>, tenants: &[Tenant]) -> Option<Loader> {
    listed.refuse_unknown(reader, &KEYS);
    for (key, allowed) in [
        ("match", PATTERN_ALLOWED.to_owned()),
        ("url", URL_ALLOWED.to_owned()),
    ] {
        if listed.entry(key).is_none() {
            listed.require(reader, key, &allowed);
        }
    }
    let pattern = listed.take(reader, "match", PATTERN_ALLOWED, |text| {
        let is_fit = (1..=PATTERN_BYTES_MAX).contains(&text.len());
        (is_fit && !text.contains(char::is_control)).then(|| text.to_owned())
    });
    let tenant = take_tenant(reader, listed, tenants);
    let headers = listed.take_found(reader, "headers", HEADERS_ALLOWED, |found: &Found| {
        found.pairs.clone()
    });
    let headers = headers.unwrap_or_default();
    let headers = headers
        .into_iter()
        .filter_map(|(name, value)| take_header(reader, listed, name, &value));
    let headers = headers.collect();
    let url = take_url(reader, listed);
    let ttl = take(reader, listed, "ttl", &TTL);
    let is_honoured = take(reader, listed, "cache_control", &Switch);
    let stale_while_revalidate = take(reader, listed, "stale_while_revalidate", &STALE);
    let stale_if_error = take(reader, listed, "stale_if_error", &STALE);
    let early = listed.take(reader, "early_refresh", EARLY_ALLOWED, percent);
    let absent_ttl = take(reader, listed, "absent_ttl", &ABSENT_TTL);
    let timeout = take(reader, listed, "timeout", &TIMEOUT);
    let size_max = take(reader, listed, "size_max", &SIZE);
    let in_flight_max = take(reader, listed, "concurrency_max", &CONCURRENCY);
    Some(Loader {
        pattern: pattern?,
        url: url?,
        tenant: tenant.unwrap_or_else(|| DEFAULT.to_owned()),
        headers,
        ttl: ttl.unwrap_or(Some(Duration::from_secs(300))),
        honours_cache_control: is_honoured.unwrap_or(true),
        stale_while_revalidate: stale_while_revalidate.unwrap_or_default(),
        stale_if_error: stale_if_error.unwrap_or_default(),
        early_percent: early.unwrap_or(100),
        absent_ttl: absent_ttl.unwrap_or(Duration::from_secs(5)),
        timeout: timeout.unwrap_or(Duration::from_secs(5)),
        size_max: size_max.unwrap_or(ByteSize::mib(1)),
        in_flight_max: in_flight_max.unwrap_or(64) as usize,
    })
}

fn take<K: Kind>(
    reader: &mut Reader<'_>,
    listed: &Listed<'_>,
    key: &str,
    kind: &K,
) -> Option<K::Value> {
    listed.take(reader, key, &kind.allowed(), |text| kind.read(text))
}

/// A number of hundredths.
fn percent(text: &str) -> Option<u32> {
    let number: f64 = text.parse().ok()?;
    (0.0..=10.0)
        .contains(&number)
        .then(|| (number * 100.0).round() as u32)
}

fn take_url(reader: &mut Reader<'_>, listed: &Listed<'_>) -> Option<UrlPattern> {
    let text = listed.take(reader, "url", URL_ALLOWED, |text| Some(text.to_owned()))?;
    match UrlPattern::parse(&text) {
        Ok(url) => Some(url),
        Err(why) => {
            // What was found is not told: it may hold a password.
            let message = format!("loader.url: the address {why}; allowed: {URL_ALLOWED}");
            reader.note(listed.line_of("url"), message);
            None
        }
    }
}

/// A header; what is wrong with it is noted without what it says.
fn take_header(
    reader: &mut Reader<'_>,
    listed: &Listed<'_>,
    name: String,
    value: &str,
) -> Option<(String, Header)> {
    let variable = value.strip_prefix(FROM_ENVIRONMENT);
    let is_secret = SECRET
        .iter()
        .any(|secret| name.eq_ignore_ascii_case(secret));
    let wrong = match variable {
        None if is_secret => Some("is a secret, which has no place in a file: say env:NAME"),
        Some("") => Some("names no variable behind env:"),
        Some(_) => header(&name, "").err(),
        None => header(&name, value).err(),
    };
    if let Some(why) = wrong {
        let name = quoted(&name);
        let message = format!("loader.headers: {name} {why}; allowed: {HEADERS_ALLOWED}");
        reader.note(listed.line_of("headers"), message);
        return None;
    }
    let value = match variable {
        Some(variable) => Header::Environment(variable.to_owned()),
        None => Header::Text(value.to_owned()),
    };
    Some((name, value))
}

/// A loader as it stands in a file.
pub(super) fn table_of(loader: &Loader) -> String {
    let headers = loader.headers.iter().map(|(name, value)| {
        let value = match value {
            Header::Text(text) => quoted(text),
            Header::Environment(variable) => quoted(&format!("{FROM_ENVIRONMENT}{variable}")),
        };
        format!("{} = {value}", quoted(name))
    });
    let headers: Vec<_> = headers.collect();
    format!(
        "\n[[loader]] # file\nmatch = {}\nurl = {}\ntenant = {}\nheaders = {{ {} }}\nttl = {}\n\
         cache_control = {}\nstale_while_revalidate = \"{}\"\nstale_if_error = \"{}\"\n\
         early_refresh = {:?}\nabsent_ttl = \"{}\"\ntimeout = \"{}\"\nsize_max = \"{}\"\nconcurrency_max = {}",
        quoted(&loader.pattern),
        quoted(&loader.url.to_string()),
        quoted(&loader.tenant),
        headers.join(", "),
        TTL.literal(&loader.ttl),
        loader.honours_cache_control,
        ShowDuration(loader.stale_while_revalidate),
        ShowDuration(loader.stale_if_error),
        f64::from(loader.early_percent) / 100.0,
        ShowDuration(loader.absent_ttl),
        ShowDuration(loader.timeout),
        loader.size_max,
        loader.in_flight_max,
    )
}
