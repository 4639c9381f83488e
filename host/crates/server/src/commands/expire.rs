//! EXPIRE, PEXPIRE, EXPIREAT and PEXPIREAT.

use larder_engine::{Access, Edit, MILLIS_MAX, Millis};
use larder_resp::{Args, parse_integer};

use super::moment::Scale;
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const EXPIRE: Command = Command {
    name: "EXPIRE",
    arity: -3,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Sets the time to live of a key in seconds",
    action: Action::Run(|ctx, args| run(ctx, args, Scale::EX, "expire")),
};

pub(super) const PEXPIRE: Command = Command {
    name: "PEXPIRE",
    since: "2.6.0",
    summary: "Sets the time to live of a key in milliseconds",
    action: Action::Run(|ctx, args| run(ctx, args, Scale::PX, "pexpire")),
    ..EXPIRE
};

pub(super) const EXPIREAT: Command = Command {
    name: "EXPIREAT",
    since: "1.2.0",
    summary: "Sets when a key expires, in seconds since 1970",
    action: Action::Run(|ctx, args| run(ctx, args, Scale::EXAT, "expireat")),
    ..EXPIRE
};

pub(super) const PEXPIREAT: Command = Command {
    name: "PEXPIREAT",
    since: "2.6.0",
    summary: "Sets when a key expires, in milliseconds since 1970",
    action: Action::Run(|ctx, args| run(ctx, args, Scale::PXAT, "pexpireat")),
    ..EXPIRE
};

/// When the expiry is changed at all.
#[derive(Clone, Copy, Default)]
struct Condition {
    /// Only if there is none.
    nx: bool,
    /// Only if there is one.
    xx: bool,
    /// Only if it becomes later; none is the latest.
    gt: bool,
    /// Only if it becomes earlier.
    lt: bool,
}

/// A moment that has passed removes the key, and counts as a change.
fn run(ctx: &mut Context<'_>, args: Args<'_>, scale: Scale, name: &str) -> Outcome {
    let condition = Condition::parse(args)?;
    let amount = parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)?;
    let moment = scale
        .moment(amount, ctx.now)
        .ok_or_else(|| Failure::expire_time(name))?;
    // Before 1970 is as much past as 1970, and what is kept is what GT and LT have to compare.
    let at = Millis::try_from(moment).unwrap_or(0).min(MILLIS_MAX);
    let edit = if at <= ctx.now {
        Edit::Remove
    } else {
        Edit::Expire(Some(at))
    };
    let key = ctx.key(&args[1]);
    let changed = ctx.store.update(key, ctx.now, Access::Write, 0, |entry| {
        let changes = entry.is_some_and(|entry| condition.holds(entry.expires_at(), at));
        if changes {
            (edit.clone(), true)
        } else {
            (Edit::Keep, false)
        }
    })?;
    if changed {
        let event = match at <= ctx.now {
            true => Event::DEL,
            false => Event::EXPIRE,
        };
        ctx.onlookers().notify(event, key);
    }
    ctx.reply.integer(changed.into());
    Ok(Flow::Continue)
}

impl Condition {
    fn parse(args: Args<'_>) -> Result<Self, Failure> {
        let mut condition = Self::default();
        for option in args.iter().skip(3) {
            match option.to_ascii_uppercase().as_slice() {
                b"NX" => condition.nx = true,
                b"XX" => condition.xx = true,
                b"GT" => condition.gt = true,
                b"LT" => condition.lt = true,
                _ => {
                    let option = String::from_utf8_lossy(option);
                    return Err(Failure::from(format!("ERR Unsupported option {option}")));
                }
            }
        }
        let Self { nx, xx, gt, lt } = condition;
        if nx && (xx || gt || lt) {
            return Err(Failure::new(
                "ERR NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if gt && lt {
            return Err(Failure::new(
                "ERR GT and LT options at the same time are not compatible",
            ));
        }
        Ok(condition)
    }

    fn holds(self, current: Option<Millis>, new: Millis) -> bool {
        match current {
            None => !self.xx && !self.gt,
            Some(current) => !self.nx && (!self.gt || new > current) && (!self.lt || new < current),
        }
    }
}
