//! COMMAND DOCS.

use std::ptr;

use larder_resp::{Args, Reply};

use super::super::table::TABLE;
use super::{Named, Outcome};
use crate::{Context, Flow};

/// As in Redis, names that there are not are left out.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mut asked: Vec<Named> = Vec::new();
    for name in args.iter().skip(2) {
        // One entry a command: asking for one a million times gets it once.
        let found = Named::find(name);
        let is_new = |named: &Named| !asked.iter().any(|a| ptr::eq(a.command, named.command));
        asked.extend(found.filter(is_new));
    }
    if args.len() == 2 {
        asked = TABLE.iter().map(Named::of_table).collect();
    }
    describe_all(&mut ctx.reply, &asked);
    Ok(Flow::Continue)
}

fn describe_all(reply: &mut Reply<'_>, all: &[Named]) {
    reply.map(all.len());
    for named in all {
        reply.bulk(named.name.as_bytes());
        describe(reply, named);
    }
}

fn describe(reply: &mut Reply<'_>, named: &Named) {
    let command = named.command;
    let subcommands: Vec<Named> = named.subcommands().collect();
    let texts = [
        ("summary", command.summary),
        ("since", command.since),
        ("group", command.group.name()),
    ];
    reply.map(texts.len() + usize::from(!subcommands.is_empty()));
    for (name, text) in texts {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
    if !subcommands.is_empty() {
        reply.bulk(b"subcommands");
        describe_all(reply, &subcommands);
    }
}
