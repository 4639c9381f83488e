//! COMMAND INFO, and COMMAND alone.

use larder_resp::{Args, Reply};

use super::super::metadata::{Category, Command, Flag, Keys};
use super::super::table::TABLE;
use super::super::uses::KeyUse;
use super::{Named, Outcome};
use crate::{Context, Flow};

pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() <= 2 {
        ctx.reply.array(TABLE.len());
        TABLE
            .iter()
            .for_each(|command| describe(&mut ctx.reply, &Named::of_table(command)));
        return Ok(Flow::Continue);
    }
    ctx.reply.array(args.len() - 2);
    for name in args.iter().skip(2) {
        if ctx.output_is_full() {
            return Ok(Flow::Overfull);
        }
        match Named::find(name) {
            Some(named) => describe(&mut ctx.reply, &named),
            None => ctx.reply.null(),
        }
    }
    Ok(Flow::Continue)
}

/// The ten elements that Redis 7 has; tips are none.
fn describe(reply: &mut Reply<'_>, named: &Named) {
    let command = named.command;
    reply.array(10);
    reply.bulk(named.name.as_bytes());
    reply.integer(command.arity.into());
    reply.set(command.flags.len());
    command
        .flags
        .iter()
        .for_each(|flag| reply.simple(flag.name()));
    let Keys { first, last, step } = command.keys;
    [first, last, step]
        .into_iter()
        .for_each(|number| reply.integer(number.into()));
    let categories = categories(command);
    reply.set(categories.len());
    categories
        .iter()
        .for_each(|category| reply.simple(category));
    reply.set(0);
    describe_keys(reply, command);
    let subcommands = named.subcommands();
    reply.array(subcommands.len());
    subcommands.for_each(|subcommand| describe(reply, &subcommand));
}

/// The key specifications: one, or two where the first key is used otherwise than the others.
fn describe_keys(reply: &mut Reply<'_>, command: &Command) {
    let Keys { first, last, step } = command.keys;
    if first == 0 {
        return reply.set(0);
    }
    let uses = [0, 1].map(|nth| KeyUse::at_most(command, nth));
    if uses[0] == uses[1] {
        reply.set(1);
        return describe_range(reply, command, uses[0], first, last);
    }
    reply.set(2);
    describe_range(reply, command, uses[0], first, first);
    describe_range(reply, command, uses[1], first + step, last);
}

fn describe_range(reply: &mut Reply<'_>, command: &Command, uses: KeyUse, first: i32, last: i32) {
    let variable = KeyUse::is_variable(command).then_some("variable_flags");
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(uses.names().count() + usize::from(variable.is_some()));
    uses.names()
        .chain(variable)
        .for_each(|name| reply.simple(name));
    reply.bulk(b"begin_search");
    describe_search(reply, "index", &[("index", first)]);
    reply.bulk(b"find_keys");
    // Here, unlike above, the last key is counted from the first.
    let last = if last < 0 { last } else { last - first };
    describe_search(
        reply,
        "range",
        &[
            ("lastkey", last),
            ("keystep", command.keys.step),
            ("limit", 0),
        ],
    );
}

fn describe_search(reply: &mut Reply<'_>, kind: &str, numbers: &[(&str, i32)]) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len());
    for (name, number) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer((*number).into());
    }
}

/// The categories of access control, in the order of Redis.
pub(crate) fn categories(command: &Command) -> Vec<&'static str> {
    let is = |flag| command.flags.contains(&flag);
    let belongs = |category| command.categories.contains(&category);
    let all = [
        ("@keyspace", belongs(Category::Keyspace)),
        // What a script reads is told of the commands that it runs.
        ("@read", is(Flag::ReadOnly) && !belongs(Category::Scripting)),
        ("@write", is(Flag::Write)),
        ("@string", belongs(Category::String)),
        ("@bitmap", belongs(Category::Bitmap)),
        ("@admin", is(Flag::Admin) || belongs(Category::Admin)),
        ("@pubsub", belongs(Category::PubSub)),
        ("@fast", is(Flag::Fast)),
        ("@slow", !is(Flag::Fast)),
        (
            "@dangerous",
            is(Flag::Admin) || belongs(Category::Dangerous),
        ),
        ("@connection", belongs(Category::Connection)),
        ("@transaction", belongs(Category::Transaction)),
        ("@scripting", belongs(Category::Scripting)),
    ];
    all.into_iter()
        .filter_map(|(name, holds)| holds.then_some(name))
        .collect()
}
