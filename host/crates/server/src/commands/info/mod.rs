//! INFO: the server's figures, and those of the connection's tenant.

mod sections;

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

use sections::{Figures, SECTIONS};

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
    let mut wanted = [args.len() == 1; SECTIONS.len()];
    for name in args.iter().skip(1) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let all = is("all") || is("default") || is("everything");
        for (wanted, section) in wanted.iter_mut().zip(&SECTIONS) {
            *wanted |= all || is(section.title);
        }
    }
    let figures = Figures::gather(ctx);
    let mut text = String::new();
    for (section, _) in SECTIONS.iter().zip(wanted).filter(|(_, wanted)| *wanted) {
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
