//! Single commands over what lies below.

use std::time::Duration;

use larder_engine::below::{Reach, Sight};
use larder_engine::tier::TierError;
use larder_engine::{KEY_BYTES_MAX, Key, Store, Tenant};
use larder_resp::Args;
use smallvec::SmallVec;

use super::replicas::note_change;
use super::{Complete, Wanted, authority, awaits_room, hold, try_again};
use crate::commands::{Command, Failure, Flag, Found, Group, Outcome, database};
use crate::{Context, Flow};

/// How long a command waits for a slower tier while it holds shards that others need.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long the commands of a transaction or script wait together for room on the way to slower tiers.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

const BEHIND: Failure =
    Failure::new("TRYAGAIN a slower tier cannot take as much as this writes at once");
const AWAY: Failure = Failure::new(
    "TRYAGAIN a slower tier is away, and as much waits for it as may: write again when it is back",
);

pub(super) type Keys<'a> = SmallVec<[Key<'a>; 4]>;

/// Carries out a command once what it works on is in memory; [`Flow::Fetch`] where that has to be waited for.
pub(crate) fn carry_out(ctx: &mut Context<'_>, found: Found, args: Args<'_>) -> Outcome {
    if !found.command.is_read_only() {
        note_change(ctx);
    }
    let below = ctx.store.tenant().below();
    if below.is_some_and(|below| below.authority().is_some())
        && let Some(outcome) = authority::carry_out(ctx, found, args)
    {
        return outcome;
    }
    let command = found.command;
    // What removes something goes down whatever waits there.
    if command.flags.contains(&Flag::DenyOom) {
        let below = ctx.store.tenant().below();
        if below.is_some_and(|below| below.refuses()) {
            return Err(AWAY);
        }
        if ctx.store.is_held() {
            await_room(ctx)?;
        } else if awaits_room(ctx) {
            return Ok(Flow::Fetch);
        }
    }
    if is_blind(command, args) {
        let outcome = found.execute(ctx, args);
        // Transactions and scripts go on with what they load when they come anew.
        if !matches!(outcome, Ok(Flow::Fetch)) {
            ctx.session.fetch = None;
        }
        return outcome;
    }
    if ctx.store.is_held() {
        complete_here(ctx, command, &keys_of(command, args, ctx.session.db))?;
        return found.execute(ctx, args);
    }
    let is_fetched = ctx.session.fetch.is_some();
    if command.is_read_only() && !is_fetched {
        return look_first(ctx, found, args);
    }
    let keys = keys_of(command, args, ctx.session.db);
    let reach = reach_of(command);
    let lacks = |key: &Key<'_>| ctx.store.tenant().lacks(*key, reach, ctx.now);
    match is_fetched || keys.iter().any(lacks) {
        true => complete(ctx, found, args, &keys),
        false => change(ctx, found, args, &keys),
    }
}

/// What is in memory may have gone down when it is changed, for the room that the change takes even: then it is loaded
/// first, as if it had not been there.
fn change(ctx: &mut Context<'_>, found: Found, args: Args<'_>, keys: &[Key<'_>]) -> Outcome {
    let len = ctx.reply.out_len();
    ctx.store.look_below(true);
    let outcome = found.attempt(ctx, args, |ctx| !ctx.store.take_lacked());
    ctx.store.look_below(false);
    outcome.unwrap_or_else(|| {
        ctx.reply.take_back(len);
        complete(ctx, found, args, keys)
    })
}

/// A read finds its keys in memory, as a rule: it is looked at afterwards whether it missed some.
fn look_first(ctx: &mut Context<'_>, found: Found, args: Args<'_>) -> Outcome {
    let len = ctx.reply.out_len();
    ctx.store.take_missed();
    let outcome = found.attempt(ctx, args, |ctx| {
        let missed = ctx.store.take_missed();
        if missed == 0 {
            return true;
        }
        let keys = keys_of(found.command, args, ctx.session.db);
        let reach = reach_of(found.command);
        let tenant = ctx.store.tenant();
        !tenant.may_have(&keys, missed, reach, ctx.now)
    });
    match outcome {
        Some(outcome) => outcome,
        None => {
            ctx.reply.take_back(len);
            let keys = keys_of(found.command, args, ctx.session.db);
            complete(ctx, found, args, &keys)
        }
    }
}

/// Carries out a command on held shards, with all that its keys lack put in.
fn complete<'c>(ctx: &mut Context<'c>, found: Found, args: Args<'_>, keys: &[Key<'_>]) -> Outcome {
    let fitting = || {
        keys.iter()
            .copied()
            .filter(|key| key.bytes.len() <= KEY_BYTES_MAX)
    };
    let lock = |tenant: &'c Tenant, room_bytes, now| tenant.lock(fitting(), room_bytes, now);
    let reach = reach_of(found.command);
    let wanted: SmallVec<[Wanted<'_>; 4]> = keys.iter().map(|key| (*key, reach)).collect();
    let Some(Complete { mut held, rest }) = hold(ctx, &wanted, lock)? else {
        return Ok(Flow::Fetch);
    };
    if let Some(failure) = rest.failure(&mut held, ctx.now)
        && !bears_absence(found.command)
    {
        // The end of a ticket locks a shard.
        drop(held);
        return Err(failure);
    }
    let tenant = ctx.store.tenant();
    // It counted as a miss when it was looked for.
    ctx.store = Store::held(held, true);
    let outcome = found.execute(ctx, args);
    ctx.store = Store::open(tenant, ctx.session.no_touch);
    drop(rest);
    outcome
}

/// Puts in what the keys of a command lack that is one of several: nobody else is to come between, so it is waited for
/// here. What only a loader has was to be asked for before.
fn complete_here(
    ctx: &mut Context<'_>,
    command: &Command,
    keys: &[Key<'_>],
) -> Result<(), Failure> {
    let (tenant, now) = (ctx.store.tenant(), ctx.now);
    let Some((below, held)) = tenant.below().zip(ctx.store.as_held()) else {
        return Ok(());
    };
    for &key in keys {
        if !held.holds(key) || !held.lacks(key, Reach::Cache, now) {
            continue;
        }
        let loaded = match below.sight(key, Reach::Cache, now) {
            Sight::Absent => None,
            Sight::There(stored) => Some(stored),
            Sight::Maybe => match below.load_here(key, now, PATIENCE) {
                Ok(loaded) => loaded,
                Err(TierError::Unavailable(_)) if held.trust(key, now) => continue,
                Err(error) => match try_again(&error) {
                    Some(failure) if !removes(command) => return Err(failure),
                    _ => None,
                },
            },
        };
        match loaded {
            Some(stored) => held.admit_at_hand(key, &stored, now)?,
            None => held.drop_suspect(key, now),
        }
    }
    Ok(())
}

/// One of several commands waits here until what those before it wrote is on its way: a transaction or script may write
/// any number of times what there is room for. Where that takes too long none of them waits again.
fn await_room(ctx: &mut Context<'_>) -> Result<(), Failure> {
    let Some(below) = ctx.store.tenant().below().filter(|below| below.is_full()) else {
        return Ok(());
    };
    let began_ns = (ctx.shared.monotonic_ns)();
    let patience = PATIENCE.min(ROOM_PATIENCE.saturating_sub(ctx.waited));
    if patience.is_zero() || !below.await_room_here(patience) {
        ctx.waited = ROOM_PATIENCE;
        return Err(BEHIND);
    }
    let took_ns = (ctx.shared.monotonic_ns)().saturating_sub(began_ns);
    ctx.waited += Duration::from_nanos(took_ns);
    Ok(())
}

/// How far down a command looks for its keys: what tells of values goes as far as the loaders, the rest speaks of
/// what is cached.
pub(crate) fn reach_of(command: &Command) -> Reach {
    let is_of_values = matches!(command.group, Group::String | Group::Bitmap);
    match (is_of_values && command.is_read_only()) || command.name == "GETEX" {
        true => Reach::Origin,
        false => Reach::Cache,
    }
}

/// Whether a command may take for absent what could not be read: what only tells of it is answered so, and what removes it
/// does so either way. Any other would change it as if it had not been there.
fn bears_absence(command: &Command) -> bool {
    command.is_read_only() || removes(command) || reach_of(command) == Reach::Origin
}

/// Whether all that a command does is to remove its keys.
fn removes(command: &Command) -> bool {
    matches!(command.name, "DEL" | "UNLINK")
}

/// Whether a command takes no account of what its keys hold.
fn is_blind(command: &Command, args: Args<'_>) -> bool {
    let is_of_old = |option: &[u8]| {
        let options: [&[u8]; 8] = [
            b"NX", b"XX", b"GET", b"KEEPTTL", b"IFEQ", b"IFNE", b"IFDEQ", b"IFDNE",
        ];
        options.iter().any(|name| option.eq_ignore_ascii_case(name))
    };
    match command.name {
        "SETEX" | "PSETEX" | "MSET" => true,
        "SET" | "CACHE.SET" => !args.iter().skip(3).any(is_of_old),
        // What is watched, or explained, stays as it is.
        "WATCH" | "CACHE.EXPLAIN" => true,
        _ => command.keys.first == 0,
    }
}

/// The keys that a command works on, in other databases too.
pub(crate) fn keys_of<'a>(command: &Command, args: Args<'a>, db: u8) -> Keys<'a> {
    let positions = command.key_positions(args.len());
    let mut keys: Keys<'a> = positions
        .filter_map(|at| Some(Key::new(db, args.get(at)?)))
        .collect();
    let elsewhere = match command.name {
        "MOVE" => args.get(1).zip(args.get(2)),
        "COPY" => {
            let option = (3..args.len()).find(|at| args[*at].eq_ignore_ascii_case(b"DB"));
            args.get(2).zip(option.and_then(|at| args.get(at + 1)))
        }
        _ => None,
    };
    if let Some((key, number)) = elsewhere
        && let Ok(db) = database(number)
    {
        keys.push(Key::new(db, key));
    }
    keys
}

#[cfg(test)]
mod tests;
