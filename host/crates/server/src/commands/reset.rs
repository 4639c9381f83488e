//! RESET: the connection is as it was when it began.

use larder_resp::{Args, Version};

use super::{Action, Command, Failure, Outcome, auth};
use crate::session::Replies;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "RESET",
    arity: 1,
    since: "6.2.0",
    summary: "Makes the connection as it was when it began",
    action: Action::Run(run),
    ..auth::COMMAND
};

/// Whoever had signed in has to do so again. The name of the client library stays, as in Redis.
fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    if ctx.store.is_held() {
        return Err(Failure::new(
            "ERR RESET cannot be a part of a transaction or script",
        ));
    }
    let session = &mut *ctx.session;
    session.transaction = None;
    session.subscriptions = None;
    session.monitoring = None;
    session.following = None;
    // What came before is sent before.
    if let Some(mailbox) = session.mailbox() {
        let mut mail = Vec::new();
        mailbox.take(&mut mail);
        ctx.reply.raw(&mail);
    }
    session.sign_out(ctx.shared)?;
    session.db = 0;
    session.replies = Replies::On;
    session.no_evict = false;
    session.no_touch = false;
    session.client.set_name(b"");
    session.set_version(Version::V2);
    ctx.reply.set_version(Version::V2);
    ctx.reply.simple("RESET");
    Ok(Flow::Continue)
}
