//! From the configuration to loaders.

use std::ffi::OsString;
use std::sync::Arc;

use anyhow::{Context, bail};
use larder_engine::glob::Pattern;
use larder_server::note_of_loaded;
use larder_tiers::loader::http::{self, HttpClient, HttpLoader, HttpOptions};
use larder_tiers::loader::{LoadLimits, LoadRule};

use crate::config::{Config, Header, Loader};

/// A loaded value may take this part of its tenant's memory: half of what any entry may, so that key and
/// bookkeeping find room, too.
const MEMORY_PART: u64 = 16;

/// The loaders that a configuration names, each with its tenant. `variable` looks into the environment.
///
/// # Errors
/// When a variable is not there or holds what no header may, or the thread that asks cannot be had.
pub(crate) fn rules(
    config: &Config,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<Vec<(String, LoadRule)>> {
    let loaders = &config.store.loaders;
    if loaders.is_empty() {
        return Ok(Vec::new());
    }
    let speaks_tls = loaders.iter().any(|loader| loader.url.is_tls());
    let client = HttpClient::start("larder-loaders", speaks_tls).context(
        "loaders cannot be started: the system gives no thread, or no authorities to trust for https (SSL_CERT_FILE names others)",
    )?;
    let rules = loaders.iter().map(|loader| {
        let mut headers = Vec::new();
        for (name, says) in &loader.headers {
            let checked = header(name, says, &variable);
            let what = || format!("loader {}, header {name}", loader.pattern);
            headers.push(checked.with_context(what)?);
        }
        let value_bytes_max = value_bytes_max(config, loader);
        let options = HttpOptions {
            url: loader.url.clone(),
            headers: headers.into_iter().collect(),
            honours_cache_control: loader.honours_cache_control,
            value_bytes_max,
        };
        let pattern = Pattern::new(loader.pattern.as_bytes());
        let rule = LoadRule {
            name: loader.pattern.as_str().into(),
            fits: Arc::new(move |key| pattern.matches(key)),
            loader: Arc::new(HttpLoader::new(&client, options)),
            limits: LoadLimits {
                ttl: loader.ttl,
                stale_while_revalidate: loader.stale_while_revalidate,
                stale_if_error: loader.stale_if_error,
                early_percent: loader.early_percent,
                absent_ttl: loader.absent_ttl,
                timeout: loader.timeout,
                value_bytes_max,
                in_flight_max: loader.in_flight_max,
                note_of: note_of_loaded,
            },
        };
        Ok((loader.tenant.clone(), rule))
    });
    rules.collect()
}

fn header(
    name: &str,
    says: &Header,
    variable: impl Fn(&str) -> Option<OsString>,
) -> anyhow::Result<(http::HeaderName, http::HeaderValue)> {
    let checked = match says {
        Header::Text(text) => http::header(name, text),
        Header::Environment(from) => match variable(from).map(OsString::into_string) {
            Some(Ok(secret)) => http::header(name, &secret),
            Some(Err(_)) => Err("has characters that no header may have"),
            None => bail!("the variable {from} of the environment, which holds it, is not set"),
        },
    };
    // What the variable holds is not told.
    checked.map_err(|why| anyhow::anyhow!("it {why}"))
}

fn value_bytes_max(config: &Config, loader: &Loader) -> usize {
    let mut tenants = config.store.tenants.iter();
    let tenant = tenants.find(|tenant| tenant.name == loader.tenant);
    let memory = tenant.map_or(config.store.memory, |tenant| tenant.memory);
    let bytes = loader.size_max.bytes().min(memory.bytes() / MEMORY_PART);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Sources};

    fn config(headers: &str) -> Config {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("larder.toml");
        let text = format!(
            "memory = '16MiB'\n[[loader]]\nmatch = 'a:*'\nurl = 'http://127.0.0.1:1/{{key}}'\nttl = '1m'\nheaders = {headers}"
        );
        std::fs::write(&file, text).unwrap();
        let sources = Sources {
            file: Some(file),
            ..Sources::default()
        };
        config::load(sources).unwrap().config
    }

    #[test]
    fn a_secret_comes_from_the_environment_and_is_never_told() {
        let config = config("{ Authorization = 'env:TOKEN' }");
        let of = |value: Option<&'static str>| {
            rules(&config, move |name| {
                assert_eq!(name, "TOKEN");
                value.map(OsString::from)
            })
        };
        let rules = of(Some("Bearer hunter2")).unwrap();
        let (tenant, rule) = &rules[0];
        assert_eq!((&**tenant, &*rule.name), ("default", "a:*"));
        assert!((rule.fits)(b"a:1") && !(rule.fits)(b"b:1"));
        assert_eq!(rule.limits.value_bytes_max, 1 << 20);
        let said = |value| format!("{:#}", of(value).err().unwrap());
        assert_eq!(
            said(None),
            "loader a:*, header Authorization: the variable TOKEN of the environment, which holds it, is not set"
        );
        assert_eq!(
            said(Some("hunter2\n")),
            "loader a:*, header Authorization: it has characters that no header may have"
        );
    }
}
