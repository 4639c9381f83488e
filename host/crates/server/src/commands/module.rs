//! MODULE: there are none.

use larder_resp::Args;

use super::{Action, Command, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "MODULE",
    Group::Server,
    "4.0.0",
    "Commands about modules, of which there are none",
    &[HELP_SUBCOMMAND, LIST],
);

const LIST: Command = Command {
    name: "LIST",
    arity: 2,
    flags: &[Flag::Admin, Flag::NoScript],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[],
    since: "4.0.0",
    summary: "Lists the modules",
    action: Action::Run(list),
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "5.0.0", &[], |ctx, _| {
    reply_help(ctx, "MODULE", &["LIST", "    Return an empty list."])
});

fn list(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.array(0);
    Ok(Flow::Continue)
}
