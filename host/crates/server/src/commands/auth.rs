//! AUTH, and how HELLO signs in.

use std::sync::Arc;

use larder_resp::{Args, Reply};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, hello};
use crate::users::{Address, Refused, SignIn, Tried, User};
use crate::{Context, Flow, Session, Shared};

pub(super) const COMMAND: Command = Command {
    name: "AUTH",
    arity: -2,
    flags: &[
        Flag::NoScript,
        Flag::Loading,
        Flag::Stale,
        Flag::Fast,
        Flag::NoAuth,
        Flag::AllowBusy,
    ],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "1.0.0",
    summary: "Signs this connection in",
    action: Action::Run(run),
};

const NO_PASSWORD: Failure = Failure::new(
    "ERR AUTH <password> called without any password configured for the default user. Are you sure \
     your configuration is correct?",
);

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (name, password) = match (args.get(1), args.get(2)) {
        (Some(name), Some(password)) if args.len() == 3 => (name, password),
        (Some(password), None) => {
            if is_open_to_all(ctx.shared) {
                return Err(NO_PASSWORD);
            }
            (crate::users::DEFAULT.as_bytes(), password)
        }
        _ => return Err(Failure::SYNTAX),
    };
    let sign_in = SignIn {
        name: String::from_utf8_lossy(name).into_owned(),
        password: password.to_vec(),
        hello: None,
    };
    begin(ctx, sign_in)
}

fn is_open_to_all(shared: &Shared) -> bool {
    let default = shared.users.find(crate::users::DEFAULT);
    default.is_some_and(|user| user.is_open())
}

/// Signs in and replies, or has that done late.
pub(super) fn begin(ctx: &mut Context<'_>, sign_in: SignIn) -> Outcome {
    if ctx.store.is_held() {
        return Err(Failure::new(
            "ERR signing in cannot be a part of a transaction or script",
        ));
    }
    let address = Address::of_peer(ctx.session.client.peer());
    let users = &ctx.shared.users;
    let result = match users.try_sign_in(&sign_in.name, &sign_in.password, address) {
        Tried::In(user) => Ok(user),
        Tried::Refused(refused) => Err(refused),
        Tried::Unknown => return Ok(Flow::SignIn(Box::new(sign_in))),
    };
    finish(ctx.shared, ctx.session, &sign_in, result, &mut ctx.reply);
    Ok(Flow::Continue)
}

/// Replies to who wanted to sign in, and lets the connection speak for them where they may.
pub(crate) fn finish(
    shared: &Shared,
    session: &mut Session,
    sign_in: &SignIn,
    result: Result<Arc<User>, Refused>,
    reply: &mut Reply<'_>,
) {
    let entered = result
        .map_err(|refused| Failure::from(refused.text()))
        .and_then(|user| session.enter(shared, user));
    match (entered, &sign_in.hello) {
        (Err(failure), _) => reply.error(failure.text()),
        (Ok(()), None) => reply.ok(),
        (Ok(()), Some(wanted)) => hello::greet(session, wanted, reply),
    }
}
