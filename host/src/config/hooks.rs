//! The `[[hook]]` tables: who is told of entries that go.

use std::path::PathBuf;

use larder_server::Gone;
use larder_tiers::webhook::Uri;

use super::file::HOOK;
use super::kinds::quoted;
use super::listed::Listed;
use super::reader::Reader;
use super::tenants::{DEFAULT, take_tenant};
use super::{Hook, HookTo, Secret, Tenant};

const KEYS: [&str; 6] = ["on", "match", "tenant", "url", "secret", "channel"];

const ON_ALLOWED: &str = "an array of \"invalidate\", \"evict\" and \"expire\", each once";
const PATTERN_BYTES_MAX: usize = 1024;
const PATTERN_ALLOWED: &str = "a pattern of keys of 1 to 1024 characters, such as session:*";
const URL_ALLOWED: &str = "an address such as https://example.org/gone, or a channel in its place";
const CHANNEL_ALLOWED: &str = "the name of a channel, or a url in its place";
const SECRET_ALLOWED: &str =
    "env:NAME or file:PATH, where the secret is that seals what is sent to the url";
const FROM_ENVIRONMENT: &str = "env:";
const FROM_FILE: &str = "file:";

/// Reads the hooks of a server with these tenants.
pub(super) fn read(reader: &mut Reader<'_>, tenants: &[Tenant]) -> Vec<Hook> {
    let layers = reader.layers;
    let tables = layers.file.hooks.iter();
    let listed = tables.map(|table| Listed { list: HOOK, table });
    listed
        .filter_map(|listed| read_one(reader, &listed, tenants))
        .collect()
}

fn read_one(reader: &mut Reader<'_>, listed: &Listed<'_>, tenants: &[Tenant]) -> Option<Hook> {
    listed.refuse_unknown(reader, &KEYS);
    if listed.entry("on").is_none() {
        listed.require(reader, "on", ON_ALLOWED);
    }
    let on = listed.take_each(reader, "on", ON_ALLOWED, Gone::ALL.len(), gone);
    if on.as_ref().is_some_and(|on| !is_set(on)) {
        listed.refuse(reader, "on", "an array", ON_ALLOWED);
    }
    let pattern = listed.take(reader, "match", PATTERN_ALLOWED, |text| {
        (1..=PATTERN_BYTES_MAX)
            .contains(&text.len())
            .then(|| text.to_owned())
    });
    let tenant = take_tenant(reader, listed, tenants);
    let secret = unseen(reader, listed, "secret", SECRET_ALLOWED, secret);
    let url = unseen(reader, listed, "url", URL_ALLOWED, url);
    let channel = listed.take(reader, "channel", CHANNEL_ALLOWED, |text| {
        (!text.is_empty()).then(|| text.to_owned())
    });
    match (listed.entry("url"), listed.entry("channel")) {
        (None, None) => listed.require(reader, "url", URL_ALLOWED),
        (Some(_), Some(_)) => {
            let message = format!("hook.channel: found beside a url; allowed: {CHANNEL_ALLOWED}");
            reader.note(listed.line_of("channel"), message);
        }
        _ => {}
    }
    let to = url
        .map(|url| HookTo::Url(url, secret))
        .or_else(|| channel.map(HookTo::Channel));
    Some(Hook {
        on: on?,
        pattern: pattern.unwrap_or_else(|| "*".to_owned()),
        tenant: tenant.unwrap_or_else(|| DEFAULT.to_owned()),
        to: to?,
    })
}

/// What was found is not told where it is wrong: it may hold a secret.
fn unseen<T>(
    reader: &mut Reader<'_>,
    listed: &Listed<'_>,
    key: &str,
    allowed: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let text = listed.take(reader, key, allowed, |text| Some(text.to_owned()))?;
    let value = read(&text);
    if value.is_none() {
        let message = format!("hook.{key}: it is none such; allowed: {allowed}");
        reader.note(listed.line_of(key), message);
    }
    value
}

fn url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let is_http = matches!(url.scheme_str(), Some("http" | "https"));
    let names_user = url
        .authority()
        .is_none_or(|place| place.as_str().contains('@'));
    (is_http && !names_user).then_some(url)
}

fn gone(name: &str) -> Option<Gone> {
    Gone::ALL.into_iter().find(|gone| gone.name() == name)
}

/// Whether there is something, and each once.
fn is_set(on: &[Gone]) -> bool {
    let is_once = |gone: &Gone| on.iter().filter(|other| *other == gone).count() == 1;
    !on.is_empty() && on.iter().all(is_once)
}

fn secret(text: &str) -> Option<Secret> {
    let from = |prefix| {
        text.strip_prefix(prefix)
            .filter(|rest: &&str| !rest.is_empty())
    };
    let variable = from(FROM_ENVIRONMENT).map(|name| Secret::Environment(name.to_owned()));
    variable.or_else(|| from(FROM_FILE).map(|path| Secret::File(PathBuf::from(path))))
}

/// What is told of a url: behind the host it may hold a secret.
fn shown(url: &Uri) -> String {
    let behind = url.path_and_query().map_or("/", |behind| behind.as_str());
    let whole = url.to_string();
    match whole.strip_suffix(behind) {
        Some(host) if behind != "/" => format!("{host}/***"),
        _ => whole,
    }
}

/// A hook as it stands in a file.
pub(super) fn table_of(hook: &Hook) -> String {
    let on: Vec<_> = hook.on.iter().map(|gone| quoted(gone.name())).collect();
    let to = match &hook.to {
        HookTo::Channel(channel) => format!("channel = {}", quoted(channel)),
        HookTo::Url(url, secret) => {
            let secret = secret.as_ref().map(|secret| match secret {
                Secret::Environment(name) => format!("{FROM_ENVIRONMENT}{name}"),
                Secret::File(path) => format!("{FROM_FILE}{}", path.display()),
            });
            let secret = secret.map(|secret| format!("\nsecret = {}", quoted(&secret)));
            let url = quoted(&shown(url));
            format!("url = {url}{}", secret.unwrap_or_default())
        }
    };
    format!(
        "\n[[hook]] # file\non = [{}]\nmatch = {}\ntenant = {}\n{to}",
        on.join(", "),
        quoted(&hook.pattern),
        quoted(&hook.tenant),
    )
}
