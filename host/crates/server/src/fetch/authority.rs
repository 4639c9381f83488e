//! Commands on keys over which a level below has the authority.
//!
//! Memory has nothing of such keys. The level is looked at, what it holds is put into memory while the keys' shards are held,
//! the command runs, and what it made is taken out again. Where that is something else the level is to change so, if its keys
//! are as they were seen; the reply waits for that, and where they are not all of it begins anew.

use std::task::{Context as Waking, Poll, ready};

use larder_engine::authority::{Attempt, Authority, Becomes, Look, Mark, Seen};
use larder_engine::tier::{Answer, TierError};
use larder_engine::{Error, Key, Locked, Millis, Store, Tenant};
use larder_resp::Args;

use super::bytes_max;
use super::single::{Keys, keys_of};
use crate::commands::{Command, Failure, Flag, Found, Outcome};
use crate::onlookers::{Heard, Trial as Whispers};
use crate::transaction;
use crate::{Context, Flow, Session};

/// How often a change may be in vain, because others came before it.
const TRIES_MAX: u32 = 32;

const MIXED: Failure = Failure::new(
    "CROSSSLOT keys over which a level has the authority, and others, cannot be used together: a command, transaction or \
     script works on the ones or on the others",
);
const UNDECLARED: Failure =
    Failure::new("ERR a level has the authority over this key: a script has to declare it");
pub(crate) const NOT_WITH_THEM: Failure = Failure::new(
    "ERR this cannot be part of a transaction or script on keys over which a level has the authority",
);
const RESTLESS: Failure =
    Failure::new("TRYAGAIN others change the keys again and again before this could");

/// How far a command is.
pub(super) struct Trial {
    stage: Stage,
    /// What it came to, if the level changes so.
    made: Option<Made>,
    attempt: Attempt,
}

enum Stage {
    Looking(Answer<'static, Result<Look, TierError>>),
    Looked(Result<Look, TierError>),
    Swapping(Answer<'static, Result<bool, TierError>>),
    Swapped(Result<bool, TierError>),
}

struct Made {
    /// What the level is told of what the keys become.
    bytes: usize,
    reply: Vec<u8>,
    outcome: Outcome,
    heard: Heard,
    /// Others of this host wait for it.
    _turns: Box<dyn Send>,
}

impl Trial {
    /// Ready when the command can be presented again.
    pub(super) fn poll(&mut self, cx: &mut Waking<'_>) -> Poll<()> {
        match &mut self.stage {
            Stage::Looking(looking) => {
                self.stage = Stage::Looked(ready!(looking.as_mut().poll(cx)));
            }
            Stage::Swapping(swapping) => {
                self.stage = Stage::Swapped(ready!(swapping.as_mut().poll(cx)));
            }
            Stage::Looked(_) | Stage::Swapped(_) => {}
        }
        Poll::Ready(())
    }

    /// Bytes that it holds for its command.
    pub(super) fn bytes(&self) -> usize {
        let seen = match &self.stage {
            Stage::Looked(Ok(look)) => &look.seen[..],
            _ => &[],
        };
        let stored = seen.iter().filter_map(|seen| seen.stored.as_ref());
        let made = self.made.as_ref();
        let made = made.map_or(0, |made| made.bytes + made.reply.len());
        made + stored.map(|stored| stored.value.len()).sum::<usize>()
    }
}

/// Whether a level has the authority over keys: over all of them, or none.
///
/// # Errors
/// Where it has it over some.
pub(crate) fn is_over<'k>(
    tenant: &Tenant,
    keys: impl IntoIterator<Item = Key<'k>>,
) -> Result<bool, Failure> {
    let Some(authority) = tenant.below().and_then(|below| below.authority()) else {
        return Ok(false);
    };
    let (mut some, mut others) = (false, false);
    for key in keys {
        match authority.rules(key) {
            true => some = true,
            false => others = true,
        }
    }
    match some && others {
        true => Err(MIXED),
        false => Ok(some),
    }
}

/// Carries out a single command, if it is on such keys, or beside some.
pub(super) fn carry_out(ctx: &mut Context<'_>, found: Found, args: Args<'_>) -> Option<Outcome> {
    let command = found.command;
    // These are about what is in memory: nothing.
    if matches!(command.name, "CACHE.EXPLAIN" | "CACHE.WARM") {
        return None;
    }
    let keys = keys_of(command, args, ctx.session.db);
    match is_over(ctx.store.tenant(), keys.iter().copied()) {
        Ok(true) => {}
        Ok(false) if ctx.borrowed.is_empty() || is_about_none(command) => return None,
        Ok(false) => return Some(Err(NOT_WITH_THEM)),
        Err(failure) => return Some(Err(failure)),
    }
    if ctx.store.is_held() {
        let is_borrowed = |key: &Key<'_>| {
            let mut borrowed = ctx.borrowed.iter();
            borrowed.any(|(db, bytes)| (*db, &**bytes) == (key.db, key.bytes))
        };
        return Some(match keys.iter().all(is_borrowed) {
            true => found.execute(ctx, args),
            false => Err(UNDECLARED),
        });
    }
    let keys = each_once(&keys);
    Some(match command.name {
        "WATCH" => watch(ctx, &keys),
        _ => try_out(
            ctx,
            &keys,
            |_| true,
            |tenant, now| lock(tenant, &keys, now),
            |ctx| found.execute(ctx, args),
        ),
    })
}

/// Keys in an order of their own, each once: what is borrowed is given back once.
pub(crate) fn each_once<'k>(keys: &[Key<'k>]) -> Keys<'k> {
    let mut keys: Keys<'k> = keys.iter().copied().collect();
    keys.sort_unstable_by_key(|key| (key.db, key.bytes));
    keys.dedup();
    keys
}

/// Whether a part of a transaction or script touches no keys at all.
fn is_about_none(command: &Command) -> bool {
    command.keys.first == 0 && !command.flags.contains(&Flag::Write) && command.name != "SELECT"
}

fn lock<'t>(tenant: &'t Tenant, keys: &[Key<'_>], now: Millis) -> Result<Locked<'t>, Error> {
    tenant.lock(keys.iter().copied(), 0, now)
}

/// Has keys be watched as they are in the level.
fn watch(ctx: &mut Context<'_>, keys: &Keys<'_>) -> Outcome {
    let mut marks: Vec<Mark> = Vec::new();
    let note = |seen: &[Seen]| {
        marks = seen.iter().map(|seen| seen.mark.clone()).collect();
        true
    };
    let held = |tenant, now| lock(tenant, keys, now);
    if try_out(ctx, keys, note, held, |_| Ok(Flow::Continue))? == Flow::Fetch {
        return Ok(Flow::Fetch);
    }
    transaction::watch_below(ctx, keys.iter().copied().zip(marks))?;
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// Has `run` work on what the level has of `keys`, each of them once, which `lock` holds, and the level become what it makes of them.
/// [`Flow::Fetch`] where the level has to be waited for, or where `run` says that it has to begin anew. `is_wanted` is shown
/// first what the level has: where it is not what was wanted nothing is done, and the reply is a null array, as EXEC's.
pub(crate) fn try_out<'c>(
    ctx: &mut Context<'c>,
    keys: &[Key<'_>],
    is_wanted: impl FnOnce(&[Seen]) -> bool,
    lock: impl FnOnce(&'c Tenant, Millis) -> Result<Locked<'c>, Error>,
    run: impl FnOnce(&mut Context<'c>) -> Outcome,
) -> Outcome {
    let tenant = ctx.store.tenant();
    let Some(authority) = tenant.below().and_then(|below| below.authority()) else {
        return Err(UNDECLARED);
    };
    let fetch = ctx.session.fetch.take();
    let Some(trial) = fetch.and_then(|fetch| fetch.trial) else {
        let attempt = Attempt {
            tries: 0,
            until: None,
            bytes_max: bytes_max(tenant),
        };
        return begin(ctx, authority, keys, attempt);
    };
    let again = Attempt {
        tries: trial.attempt.tries + 1,
        ..trial.attempt
    };
    let look = match (trial.stage, trial.made) {
        (Stage::Looked(look), _) => look.map_err(failure)?,
        (Stage::Swapped(done), Some(made)) => {
            return match done.map_err(failure)? {
                true => Ok(conclude(ctx, tenant, keys, made)?),
                false => begin(ctx, authority, keys, again),
            };
        }
        (stage, made) => {
            return Ok(wait(
                ctx.session,
                Trial {
                    stage,
                    made,
                    ..trial
                },
            ));
        }
    };
    if !is_wanted(&look.seen) {
        ctx.reply.null_array();
        return Ok(Flow::Continue);
    }
    let len = ctx.reply.out_len();
    let whispers = Whispers::begin();
    let held = lock(tenant, ctx.now)?;
    let (outcome, swaps) = run_on(ctx, keys, &look.seen, held, run)?;
    let heard = whispers.end();
    if matches!(outcome, Ok(Flow::Fetch)) {
        ctx.reply.take_back(len);
        let until = Some(look.until);
        return begin(ctx, authority, keys, Attempt { until, ..again });
    }
    if swaps.iter().all(|(_, becomes)| *becomes == Becomes::Same) {
        tell(ctx, &heard);
        return outcome;
    }
    let made = Made {
        bytes: swaps.iter().map(|(_, becomes)| becomes.bytes()).sum(),
        reply: ctx.reply.take_back(len),
        outcome,
        heard,
        _turns: look.turns,
    };
    let trial = Trial {
        stage: Stage::Swapping(authority.swap(keys, swaps, ctx.now)),
        made: Some(made),
        attempt: Attempt {
            until: Some(look.until),
            ..trial.attempt
        },
    };
    Ok(wait(ctx.session, trial))
}

/// Has the level be looked at, unless that was so often in vain.
fn begin(
    ctx: &mut Context<'_>,
    authority: &dyn Authority,
    keys: &[Key<'_>],
    attempt: Attempt,
) -> Outcome {
    if attempt.tries > TRIES_MAX {
        return Err(RESTLESS);
    }
    let trial = Trial {
        stage: Stage::Looking(authority.look(keys, attempt, ctx.now)),
        made: None,
        attempt,
    };
    Ok(wait(ctx.session, trial))
}

fn wait(session: &mut Session, trial: Trial) -> Flow {
    session.fetch.get_or_insert_default().trial = Some(trial);
    Flow::Fetch
}

/// Runs on what was seen. What it came to, and what is to become of the keys.
fn run_on<'c>(
    ctx: &mut Context<'c>,
    keys: &[Key<'_>],
    seen: &[Seen],
    mut held: Locked<'c>,
    run: impl FnOnce(&mut Context<'c>) -> Outcome,
) -> Result<(Outcome, Vec<(Mark, Becomes)>), Failure> {
    let now = ctx.now;
    let pairs = || keys.iter().copied().zip(seen);
    let borrowed = pairs().try_for_each(|(key, seen)| held.borrow(key, seen, now));
    if let Err(error) = borrowed {
        pairs().for_each(|(key, seen)| _ = held.give_back(key, seen, now));
        return Err(error.into());
    }
    let tenant = ctx.store.tenant();
    ctx.borrowed = keys.iter().map(|key| (key.db, key.bytes.into())).collect();
    // Figures speak of memory.
    ctx.store = Store::held(held, true);
    let outcome = run(ctx);
    let becomes = ctx.store.as_held().map_or_else(Vec::new, |held| {
        let swaps = pairs().map(|(key, seen)| (seen.mark.clone(), held.give_back(key, seen, now)));
        swaps.collect()
    });
    ctx.borrowed.clear();
    ctx.store = Store::open(tenant, ctx.session.no_touch);
    Ok((outcome, becomes))
}

/// The level is as the command has made it: it is answered, and those are told who look on.
fn conclude(ctx: &mut Context<'_>, tenant: &Tenant, keys: &[Key<'_>], made: Made) -> Outcome {
    for key in keys {
        tenant.forget(*key, ctx.now, true);
    }
    tell(ctx, &made.heard);
    ctx.reply.raw(&made.reply);
    made.outcome
}

fn tell(ctx: &Context<'_>, heard: &Heard) {
    for (event, db, key) in heard {
        ctx.onlookers().notify(*event, Key::new(*db, key));
    }
}

/// What is replied where the level does not answer as it should.
pub(crate) fn failure(error: TierError) -> Failure {
    let (TierError::Unavailable(text)
    | TierError::Uncertain(text)
    | TierError::Refused(text)
    | TierError::Damaged(text)
    | TierError::NoOrigin(text)) = &error;
    match &error {
        TierError::Unavailable(_) => Failure::from(format!("TRYAGAIN {text}")),
        TierError::Uncertain(_) => Failure::from(format!(
            "UNCERTAIN {text}; this may have been done all the same: look before it is done again"
        )),
        _ if text.starts_with("CROSSSLOT ") => Failure::from(text.clone()),
        _ => Failure::from(format!("ERR {text}")),
    }
}

#[cfg(test)]
mod tests;
