//! CONFIG GET: the effective settings, by their names in Redis and in Larder.

use std::borrow::Cow;

use larder_engine::DATABASES;
use larder_resp::Args;

use super::{Action, Command, Failure, Flag, Group, Keys, Outcome, glob, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "CONFIG",
    arity: -2,
    flags: &[],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "2.0.0",
    summary: "Commands about the server's settings",
    action: Action::Container {
        alone: None,
        subcommands: &[GET, HELP_SUBCOMMAND],
    },
};

const GET: Command = Command {
    name: "GET",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "2.0.0",
    summary: "Returns the effective values of settings",
    action: Action::Run(get),
};

const HELP_SUBCOMMAND: Command = Command {
    name: "HELP",
    arity: 2,
    flags: &[Flag::Loading, Flag::Stale],
    since: "5.0.0",
    summary: "Lists the subcommands",
    action: Action::Run(help),
    ..GET
};

const HELP: [&str; 2] = [
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
];

fn help(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    reply_help(ctx, "CONFIG", &HELP)
}

/// A setting that several patterns match is answered once.
fn get(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let patterns = args.iter().skip(2);
    // One byte more each, so that empty ones cannot be many either.
    if patterns
        .clone()
        .map(|pattern| pattern.len() + 1)
        .sum::<usize>()
        > glob::PATTERN_BYTES_MAX
    {
        return Err(Failure::PATTERN_TOO_LONG);
    }
    let patterns: Vec<_> = patterns.map(<[u8]>::to_ascii_lowercase).collect();
    let settings: Vec<_> = settings(ctx)
        .into_iter()
        .filter(|(name, _)| {
            patterns
                .iter()
                .any(|pattern| glob::matches(pattern, name.as_bytes()))
        })
        .collect();
    ctx.reply.map(settings.len());
    for (name, value) in &settings {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value.as_bytes());
    }
    Ok(Flow::Continue)
}

/// The settings that clients of Redis ask for, then those of Larder that are not among them.
fn settings<'c>(ctx: &Context<'c>) -> Vec<(&'c str, Cow<'c, str>)> {
    let shared = ctx.shared;
    let config = &shared.config;
    let tenant = ctx.store.tenant();
    let timeout = config.idle_timeout.map_or(0, |timeout| timeout.as_secs());
    let mut settings: Vec<(&str, Cow<'_, str>)> = vec![
        ("appendonly", "no".into()),
        ("databases", DATABASES.to_string().into()),
        ("maxclients", config.clients_max.to_string().into()),
        ("maxmemory", tenant.memory_bytes().to_string().into()),
        (
            "maxmemory-policy",
            format!("allkeys-{}", tenant.eviction()).into(),
        ),
        ("port", shared.resp_addr().port().to_string().into()),
        (
            "proto-max-bulk-len",
            config.proto_bulk_bytes_max.to_string().into(),
        ),
        ("save", "".into()),
        ("timeout", timeout.to_string().into()),
    ];
    for (name, value) in &config.print_config {
        if !settings.iter().any(|(known, _)| known == name) {
            settings.push((name, value.into()));
        }
    }
    settings
}
