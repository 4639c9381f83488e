//! From the configuration to hooks.

use std::ffi::OsString;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use larder_engine::Millis;
use larder_engine::glob::Pattern;
use larder_server::{Hook, HookSink, HookTarget};
use larder_tiers::loader::http::HttpClient;
use larder_tiers::webhook::{Webhook, WebhookFigures, WebhookOptions};

use crate::config::{self, Config, HookTo, Secret};

/// The first pause before a batch of events is sent again.
const PAUSE: Duration = Duration::from_millis(200);

/// Hooks that tell over HTTP, in their order, each with its tenant.
#[derive(Default)]
pub struct Webhooks(Vec<(String, Arc<Webhook>)>);

/// Takes events to a webhook.
struct Sink(Arc<Webhook>);

impl HookSink for Sink {
    fn tell(&self, event: String) {
        self.0.tell(event);
    }
}

impl Webhooks {
    /// How each stands, with its tenant.
    pub fn figures(&self) -> impl Iterator<Item = (&str, WebhookFigures)> {
        let all = self.0.iter();
        all.map(|(tenant, hook)| (&**tenant, hook.figures()))
    }
}

/// The hooks that a configuration names. `variable` looks into the environment.
///
/// # Errors
/// When a secret is not there, or the thread that tells cannot be had.
pub(crate) fn hooks(
    config: &Config,
    variable: impl Fn(&str) -> Option<OsString>,
    clock: fn() -> Millis,
) -> anyhow::Result<(Vec<Hook>, Webhooks)> {
    let hooks = &config.store.hooks;
    let urls = || {
        hooks.iter().filter_map(|hook| match &hook.to {
            HookTo::Url(url, _) => Some(url),
            HookTo::Channel(_) => None,
        })
    };
    let client = match urls().next() {
        None => None,
        Some(_) => {
            let speaks_tls = urls().any(|url| url.scheme_str() == Some("https"));
            Some(HttpClient::start("larder-hooks", speaks_tls).context(
                "hooks cannot be started: the system gives no thread, or no authorities to trust for https (SSL_CERT_FILE names others)",
            )?)
        }
    };
    let mut webhooks = Webhooks::default();
    let mut made = Vec::new();
    for hook in hooks {
        let target = match (&hook.to, &client) {
            (HookTo::Url(url, secret), Some(client)) => {
                let secret = secret.as_ref().map(|secret| read(secret, &variable));
                let options = WebhookOptions {
                    tenant: hook.tenant.clone(),
                    url: url.clone(),
                    secret: secret.transpose()?,
                    clock,
                    pause: PAUSE,
                };
                let webhook = Webhook::start(client, options);
                webhooks.0.push((hook.tenant.clone(), Arc::clone(&webhook)));
                HookTarget::Sink(Arc::new(Sink(webhook)))
            }
            (HookTo::Channel(channel), _) => HookTarget::Channel(channel.clone().into_bytes()),
            (HookTo::Url(..), None) => continue,
        };
        made.push(hook_of(hook, target));
    }
    Ok((made, webhooks))
}

fn hook_of(hook: &config::Hook, target: HookTarget) -> Hook {
    Hook {
        tenant: hook.tenant.clone(),
        on: hook.on.clone(),
        keys: Pattern::new(hook.pattern.as_bytes()),
        target,
    }
}

/// A secret; what it is is not told.
fn read(secret: &Secret, variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Vec<u8>> {
    let bytes = match secret {
        Secret::Environment(name) => variable(name)
            .map(OsString::into_encoded_bytes)
            .with_context(|| {
                format!("hook.secret: the variable {name} of the environment is not set")
            })?,
        Secret::File(path) => fs::read(path)
            .with_context(|| format!("hook.secret: the file {} cannot be read", path.display()))?,
    };
    let secret = bytes.trim_ascii();
    if secret.is_empty() {
        bail!("hook.secret: there is nothing where the secret is to be");
    }
    Ok(secret.to_vec())
}
