//! GETEX: GET that may change the expiry.

use larder_engine::{Access, Edit, Millis};
use larder_resp::Args;

use super::moment::Scale;
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "GETEX",
    arity: -2,
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "6.2.0",
    summary: "Returns the value of a key and may change its expiry",
    action: Action::Run(run),
};

/// As in Redis, a deadline is judged only if the key is there.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let edit = parse_edit(args, ctx.now)?;
    let found = ctx.store.update(key, ctx.now, Access::Read, 0, |entry| {
        match (entry, &edit) {
            (None, _) => (Edit::Keep, Ok(None)),
            (Some(_), Err(failure)) => (Edit::Keep, Err(failure.clone())),
            (Some(entry), Ok(edit)) => {
                let event = match edit {
                    Edit::Remove => Some(Event::DEL),
                    Edit::Expire(Some(_)) => Some(Event::EXPIRE),
                    Edit::Expire(None) => entry.expires_at().map(|_| Event::PERSIST),
                    _ => None,
                };
                (edit.clone(), Ok(Some((entry.value().to_vec(), event))))
            }
        }
    })??;
    ctx.notify_missing(key, found.is_none());
    let (value, event) = found.unzip();
    if let Some(event) = event.flatten() {
        ctx.onlookers().notify(event, key);
    }
    ctx.reply_bulk_or_null(value.as_deref());
    Ok(Flow::Continue)
}

/// What the option asks for: the outer error is one of syntax, the inner one a deadline that is
/// none.
fn parse_edit(args: Args<'_>, now: Millis) -> Result<Result<Edit<'static>, Failure>, Failure> {
    let edit = match (args.get(2), args.get(3), args.len()) {
        (None, ..) => Ok(Edit::Keep),
        (Some(option), None, _) if option.eq_ignore_ascii_case(b"PERSIST") => {
            Ok(Edit::Expire(None))
        }
        (Some(option), Some(text), 4) => {
            let scale = Scale::of_option(option).ok_or(Failure::SYNTAX)?;
            scale
                .deadline(text, now, "getex")
                .map(|at| match at <= now {
                    true => Edit::Remove,
                    false => Edit::Expire(Some(at)),
                })
        }
        _ => return Err(Failure::SYNTAX),
    };
    Ok(edit)
}
