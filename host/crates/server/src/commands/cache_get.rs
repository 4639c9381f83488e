//! CACHE.GET: GET; of several who miss a key at once one makes its value, the others wait or do with a stale one.

use std::time::Duration;

use larder_engine::{Entry, Key, Lease, Millis};
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, get};
use crate::waiting::Waiting;
use crate::{Context, Flow, Health, fetch};

pub(super) const COMMAND: Command = Command {
    name: "CACHE.GET",
    arity: -2,
    flags: &[Flag::ReadOnly, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "7.2.0",
    summary: "Returns the value of a key, a stale one, or the lease to make it",
    action: Action::Run(run),
};

/// How long a lease may last: whoever has it may be gone.
const LEASE_MS_MAX: Millis = 600_000;

const NO_LEASE: Failure = Failure::new(
    "ERR a level has the authority over this key, and a lease is of one server: use SET NX PX",
);
const NO_LEASE_TIME: Failure = Failure::new("ERR LEASE takes 1 to 600000 milliseconds");

/// What the options say.
#[derive(Default, PartialEq, Eq)]
struct Options {
    /// How long a lease lasts, and is waited for.
    lease_ms: Option<Millis>,
    /// How long a value may have expired.
    stale_ms: Option<Millis>,
}

/// What a look at a key came to.
enum Look {
    /// The value was replied.
    Hit,
    /// It is not in memory, and what is below was not looked at.
    Unknown,
    /// It is nowhere; a stale value of that age was replied, if there is one.
    Miss(Lease, Option<Millis>),
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = parse(args)?;
    if options == Options::default() {
        return get::run(ctx, args);
    }
    if options.lease_ms.is_some() && !ctx.borrowed.is_empty() {
        return Err(NO_LEASE);
    }
    let key = ctx.key(&args[1]);
    let waiting = ctx.session.waiting.take();
    let (lease, late_ms) = match look(ctx, key, &options, waiting.is_none())? {
        Look::Hit => return Ok(Flow::Continue),
        Look::Unknown => {
            ctx.session.waiting = waiting;
            return Ok(fetch::look_below(ctx.session));
        }
        Look::Miss(Lease::Taken { until, ended }, None) if may_wait(ctx, waiting.as_deref()) => {
            let time = Duration::from_millis(options.lease_ms.unwrap_or(0));
            let mut waiting = waiting.unwrap_or_else(|| Box::new(Waiting::begin(time)));
            waiting.wait_for(ended, until.saturating_sub(ctx.now));
            ctx.session.waiting = Some(waiting);
            return Ok(Flow::Fetch);
        }
        Look::Miss(lease, late_ms) => (lease, late_ms),
    };
    ctx.notify_missing(key, true);
    if late_ms.is_none() {
        ctx.reply.array(3);
        ctx.reply.null();
    }
    match lease {
        Lease::Won(token) => ctx.reply.bulk(format!("{token:016x}").as_bytes()),
        Lease::Taken { .. } | Lease::Refused => ctx.reply.null(),
    }
    match late_ms {
        Some(late_ms) => ctx.reply.integer(late_ms as i64),
        None => ctx.reply.null(),
    }
    Ok(Flow::Continue)
}

/// Looks for a value; where there is none, for the lease to make it and for a stale one, at one moment.
fn look(
    ctx: &mut Context<'_>,
    key: Key<'_>,
    options: &Options,
    is_new: bool,
) -> Result<Look, Failure> {
    let lease_ms = options.lease_ms.filter(|_| !ctx.is_part);
    let has_below = ctx.store.tenant().below().is_some();
    // What is held was looked for below.
    let is_unknown = lease_ms.is_some() && has_below && !ctx.store.is_held();
    let (now, reply) = (ctx.now, &mut ctx.reply);
    let mut held = ctx.store.lock([key], 0, now)?;
    let mut hit = |entry: Entry<'_>| {
        reply.array(3);
        reply.bulk(entry.value());
        reply.null();
        reply.null();
    };
    let found = match is_new {
        true => held.get(key, now, &mut hit),
        // It counted as a miss when it was looked for.
        false => held.peek(key, now, &mut hit),
    };
    if found.is_some() {
        return Ok(Look::Hit);
    }
    if is_unknown {
        return Ok(Look::Unknown);
    }
    let lease = lease_ms.map_or(Lease::Refused, |time_ms| held.lease(key, now, time_ms));
    let late_ms = options.stale_ms.and_then(|stale_ms_max| {
        let stale = held.peek_stale(key, now, |entry, late_ms| {
            (late_ms <= stale_ms_max).then(|| {
                reply.array(3);
                reply.bulk(entry.value());
                late_ms
            })
        });
        stale.flatten()
    });
    Ok(Look::Miss(lease, late_ms))
}

/// Whether a request waits for who has the lease; one that waits already until its time is up.
fn may_wait(ctx: &Context<'_>, waiting: Option<&Waiting>) -> bool {
    let is_over = waiting.is_some_and(Waiting::is_over);
    !is_over && ctx.shared.health() != Health::Draining
}

/// Each option once, in any order.
fn parse(args: Args<'_>) -> Result<Options, Failure> {
    let mut options = Options::default();
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let time = rest.next().ok_or(Failure::SYNTAX)?;
        let time_ms = parse_integer(time).ok_or(Failure::NOT_AN_INTEGER)?;
        let time_ms = u64::try_from(time_ms).map_err(|_| Failure::NOT_AN_INTEGER)?;
        let is_new = if is(b"LEASE") {
            if !(1..=LEASE_MS_MAX).contains(&time_ms) {
                return Err(NO_LEASE_TIME);
            }
            options.lease_ms.replace(time_ms).is_none()
        } else if is(b"STALE") {
            options.stale_ms.replace(time_ms).is_none()
        } else {
            false
        };
        if !is_new {
            return Err(Failure::SYNTAX);
        }
    }
    Ok(options)
}
