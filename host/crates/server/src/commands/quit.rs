//! QUIT: the connection is closed once its replies are written.

use larder_resp::Args;

use super::{Action, Command, Outcome, auth};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "QUIT",
    arity: -1,
    summary: "Closes the connection",
    action: Action::Run(run),
    ..auth::COMMAND
};

fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.ok();
    Ok(Flow::Close)
}
