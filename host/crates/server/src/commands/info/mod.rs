//! INFO: the server's figures, and those of the connection's tenant.

mod by_command;
mod counted;
mod fixed;
mod held;
mod prediction;
mod sections;

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) use prediction::fields as prediction_fields;
use sections::{Figures, SECTIONS, Shown};

pub(super) const COMMAND: Command = Command {
    name: "INFO",
    arity: -1,
    flags: &[Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Dangerous],
    since: "1.0.0",
    summary: "Returns figures of the server and its keyspace",
    action: Action::Run(run),
};

/// Sections come in their own order, each once; names that there are not give nothing.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_asked = |shown: Shown, title: &str| {
        let by_default = shown == Shown::ByDefault;
        if args.len() == 1 {
            return by_default;
        }
        args.iter().skip(1).any(|name| {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            is(title) || is("all") || is("everything") || (by_default && is("default"))
        })
    };
    let figures = Figures::gather(ctx);
    let mut text = String::new();
    for section in &SECTIONS {
        if !is_asked(section.shown, section.title) {
            continue;
        }
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {}\r\n", section.title));
        for (name, value) in (section.lines)(&figures) {
            text.push_str(&format!("{name}:{value}\r\n"));
        }
    }
    ctx.reply.verbatim(&text);
    Ok(Flow::Continue)
}
