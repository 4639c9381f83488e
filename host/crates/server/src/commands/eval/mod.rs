//! EVAL, EVALSHA and what only reads: scripts.

mod host;

use std::sync::Arc;

use larder_engine::below::Reach;
use larder_engine::{KEY_BYTES_MAX, Key, Store, Tenant};
use larder_lua::{Ended, Run, Script, sha1_hex};
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::fetch::{self, Complete};
use crate::onlookers::monitor::{end_script, show};
use crate::scripts::{KnownScript, Scripts, with_interpreter};
use crate::{Context, Flow};
use host::Caller;

pub(super) const EVAL: Command = Command {
    name: "EVAL",
    arity: -3,
    flags: &[
        Flag::NoScript,
        Flag::Stale,
        Flag::SkipMonitor,
        Flag::NoMandatoryKeys,
        Flag::MovableKeys,
    ],
    keys: Keys::NONE,
    group: Group::Scripting,
    categories: &[Category::Scripting],
    since: "2.6.0",
    summary: "Runs a Lua script",
    action: Action::Run(|ctx, args| eval(ctx, args, by_code, false)),
};

pub(super) const EVAL_RO: Command = Command {
    name: "EVAL_RO",
    flags: &[
        Flag::ReadOnly,
        Flag::NoScript,
        Flag::Stale,
        Flag::SkipMonitor,
        Flag::NoMandatoryKeys,
        Flag::MovableKeys,
    ],
    since: "7.0.0",
    summary: "Runs a Lua script that only reads",
    action: Action::Run(|ctx, args| eval(ctx, args, by_code, true)),
    ..EVAL
};

pub(super) const EVALSHA: Command = Command {
    name: "EVALSHA",
    summary: "Runs a Lua script that is known, by its SHA-1",
    action: Action::Run(|ctx, args| eval(ctx, args, by_name, false)),
    ..EVAL
};

pub(super) const EVALSHA_RO: Command = Command {
    name: "EVALSHA_RO",
    summary: "Runs a Lua script that is known and only reads, by its SHA-1",
    action: Action::Run(|ctx, args| eval(ctx, args, by_name, true)),
    ..EVAL_RO
};

/// The scripts of the connection's tenant.
pub(super) fn scripts<'c>(ctx: &Context<'c>) -> &'c Arc<Scripts> {
    let shared = ctx.shared;
    &shared.scripts[ctx.session.tenant.number()]
}

/// The script with that code, which is known from now on if it is one.
pub(super) fn by_code(ctx: &Context<'_>, code: &[u8]) -> Result<Arc<KnownScript>, Failure> {
    let scripts = scripts(ctx);
    if let Some(known) = scripts.find(&sha1_hex(code)) {
        return Ok(known);
    }
    let script = Script::new(code).map_err(|error| Failure::from(format!("ERR {error}")))?;
    with_interpreter(scripts, &ctx.shared.config, |lua| lua.compile(&script))
        .map_err(|text| Failure::from(format!("ERR {text}")))?
        .map_err(Failure::from)?;
    Ok(scripts.keep(script))
}

fn by_name(ctx: &Context<'_>, name: &[u8]) -> Result<Arc<KnownScript>, Failure> {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    let unknown = Failure::new("NOSCRIPT No matching script. Please use EVAL.");
    scripts(ctx).find(&name).ok_or(unknown)
}

/// Runs the script that `find` finds, and shows it before what it does.
fn eval(
    ctx: &mut Context<'_>,
    args: Args<'_>,
    find: fn(&Context<'_>, &[u8]) -> Result<Arc<KnownScript>, Failure>,
    is_read_only: bool,
) -> Outcome {
    // It may come a second time, when what it lacked is there.
    if ctx.watch.showing.is_on() && ctx.session.fetch.is_none() {
        show(ctx, args);
    }
    let known = find(ctx, &args[1])?;
    run(ctx, args, &known, is_read_only)
}

fn run(ctx: &mut Context<'_>, args: Args<'_>, known: &KnownScript, is_read_only: bool) -> Outcome {
    let count = parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)?;
    if count < 0 {
        return Err(Failure::new("ERR Number of keys can't be negative"));
    }
    let given: Vec<&[u8]> = args.iter().skip(3).collect();
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= given.len());
    let count = count.ok_or(Failure::new(
        "ERR Number of keys can't be greater than number of args",
    ))?;
    if is_read_only && known.script.may_write() {
        return Err(Failure::new(
            "ERR Can not execute a script with write flag using *_ro command.",
        ));
    }
    let (keys, arguments) = given.split_at(count);
    let is_read_only = is_read_only || known.script.no_writes();
    if ctx.store.is_held() {
        // A part of a transaction, which holds everything.
        return match attempt(ctx, known, (keys, arguments), is_read_only)? {
            Ended::Replied(reply) => replied(ctx, &reply),
            Ended::Again => Err(Failure::new("ERR the transaction does not hold all keys")),
        };
    }
    let tenant = ctx.store.tenant();
    let named = named(ctx.session.db, keys);
    if fetch::is_over(tenant, named.iter().copied())? {
        return run_below(ctx, known, &named, |ctx| {
            attempt(ctx, known, (keys, arguments), is_read_only)
        });
    }
    let Some(Complete { mut held, rest }) = hold(ctx, &named, known.is_boundless())? else {
        return Ok(Flow::Fetch);
    };
    let ended = loop {
        ctx.store = Store::held(held, ctx.session.no_touch);
        let ended = attempt(ctx, known, (keys, arguments), is_read_only);
        ctx.store = Store::open(tenant, ctx.session.no_touch);
        match ended {
            // Nothing was written yet. With all shards it has nothing to begin anew for.
            Ok(Ended::Again) => held = tenant.lock_all(),
            Ok(Ended::Replied(reply)) => break Ok(reply),
            Err(failure) => break Err(failure),
        }
    };
    // No shard is held any more.
    drop(rest);
    replied(ctx, &ended?)
}

/// The keys that a script declares. What is too long is no key of this store, and the commands that name it say so.
fn named<'k>(db: u8, keys: &[&'k [u8]]) -> Vec<Key<'k>> {
    let fitting = keys.iter().filter(|key| key.len() <= KEY_BYTES_MAX);
    fitting.map(|key| Key::new(db, key)).collect()
}

/// Runs a script on keys over which a level has the authority.
fn run_below<'c>(
    ctx: &mut Context<'c>,
    known: &KnownScript,
    keys: &[Key<'_>],
    attempt: impl FnOnce(&mut Context<'c>) -> Result<Ended, Failure>,
) -> Outcome {
    let keys = fetch::each_once(keys);
    let lock = |tenant: &'c Tenant, now| match known.is_boundless() {
        true => Ok(tenant.lock_all()),
        false => tenant.lock(keys.iter().copied(), 0, now),
    };
    fetch::try_out(
        ctx,
        &keys,
        |_| true,
        lock,
        |ctx| match attempt(ctx)? {
            Ended::Replied(reply) => replied(ctx, &reply),
            // It holds all shards the next time.
            Ended::Again => Ok(Flow::Fetch),
        },
    )
}

/// The shards of the keys that a script declares, or all, once what the keys lack in memory is at hand.
fn hold<'c>(
    ctx: &mut Context<'c>,
    keys: &[Key<'_>],
    is_boundless: bool,
) -> Result<Option<Complete<'c>>, Failure> {
    // It may read any of them.
    let keys: Vec<_> = keys.iter().map(|key| (*key, Reach::Origin)).collect();
    fetch::hold(ctx, &keys, |tenant, room_bytes, now| match is_boundless {
        true => Ok(tenant.lock_all()),
        false => tenant.lock(keys.iter().map(|(key, _)| *key), room_bytes, now),
    })
}

/// Runs the script on the shards that are held.
fn attempt(
    ctx: &mut Context<'_>,
    known: &KnownScript,
    (keys, arguments): (&[&[u8]], &[&[u8]]),
    is_read_only: bool,
) -> Result<Ended, Failure> {
    let (db, version) = (ctx.session.db, ctx.reply.version());
    let run = Run {
        script: &known.script,
        keys,
        arguments,
        version,
    };
    let (scripts, shared) = (scripts(ctx), ctx.shared);
    let began_ns = (shared.monotonic_ns)();
    ctx.watch.showing.begin_script();
    let ended = with_interpreter(scripts, &shared.config, |lua| {
        let progress = Arc::clone(lua.progress());
        let mut caller = Caller {
            ctx,
            known,
            progress,
            is_read_only,
        };
        lua.run(run, &mut caller)
    });
    end_script(ctx, !matches!(ended, Ok(Ended::Again)));
    // What a script selects or chooses is its own.
    ctx.session.db = db;
    ctx.reply.set_version(version);
    if let Ok(Ended::Replied(reply)) = &ended {
        let took_ns = (shared.monotonic_ns)().saturating_sub(began_ns);
        scripts.ran(took_ns, reply.first() == Some(&b'-'));
    }
    ended.map_err(|text| Failure::from(format!("ERR {text}")))
}

fn replied(ctx: &mut Context<'_>, reply: &[u8]) -> Outcome {
    ctx.reply.raw(reply);
    Ok(Flow::Continue)
}
