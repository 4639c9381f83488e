//! LATENCY: what took long lately, and how long commands take.

mod doctor;
mod graph;
mod histogram;

use larder_resp::Args;

use super::{Action, Category, Command, Flag, Group, Keys, Outcome, reply_help};
use crate::latency::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "LATENCY",
    Group::Server,
    "2.8.13",
    "Commands about what takes long",
    &[
        DOCTOR,
        GRAPH,
        HELP_SUBCOMMAND,
        HISTOGRAM,
        HISTORY,
        LATEST,
        RESET,
    ],
);

const LATEST: Command = Command {
    name: "LATEST",
    arity: 2,
    flags: &[Flag::Admin, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Dangerous],
    since: "2.8.13",
    summary: "Returns the latest sample of each event",
    action: Action::Run(latest),
};

const DOCTOR: Command = Command {
    name: "DOCTOR",
    summary: "Says in words what takes long and what may help",
    action: Action::Run(doctor::run),
    ..LATEST
};

const GRAPH: Command = Command {
    name: "GRAPH",
    arity: 3,
    summary: "Draws the samples of an event",
    action: Action::Run(graph::run),
    ..LATEST
};

const HELP_SUBCOMMAND: Command = Command::help(Group::Server, "2.8.13", &[], |ctx, _| {
    reply_help(ctx, "LATENCY", &HELP)
});

const HISTOGRAM: Command = Command {
    name: "HISTOGRAM",
    arity: -2,
    since: "7.0.0",
    summary: "Returns how long commands took, by upper bounds",
    action: Action::Run(histogram::run),
    ..LATEST
};

const HISTORY: Command = Command {
    name: "HISTORY",
    arity: 3,
    summary: "Returns the samples of an event",
    action: Action::Run(history),
    ..LATEST
};

const RESET: Command = Command {
    name: "RESET",
    arity: -2,
    summary: "Forgets the samples of events",
    action: Action::Run(reset),
    ..LATEST
};

const HELP: [&str; 13] = [
    "DOCTOR",
    "    Return a report in words.",
    "GRAPH <event>",
    "    Return a drawing of the latency samples for the <event>.",
    "HISTORY <event>",
    "    Return time-latency samples for the <event>: command, fast-command or maintenance.",
    "LATEST",
    "    Return the latest latency samples for all events.",
    "RESET [<event> ...]",
    "    Reset latency data of one or more <event>s (default: of all).",
    "HISTOGRAM [COMMAND ...]",
    "    Return how many calls of the commands (default: of all) took at most so many",
    "    microseconds.",
];

fn latest(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let histories = Event::ALL.map(|event| (event, ctx.shared.latency.history(event)));
    let seen = histories
        .iter()
        .filter_map(|(event, history)| Some((event, history, history.samples.back()?)));
    ctx.reply.array(seen.clone().count());
    for (event, history, last) in seen {
        ctx.reply.array(4);
        ctx.reply.bulk(event.name().as_bytes());
        ctx.reply.integer(last.at_s as i64);
        ctx.reply.integer(last.ms as i64);
        ctx.reply.integer(history.ms_max as i64);
    }
    Ok(Flow::Continue)
}

/// Of an event that there is not, nothing.
fn history(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let event = Event::named(&args[2]);
    let history = event.map(|event| ctx.shared.latency.history(event));
    let samples = history.unwrap_or_default().samples;
    ctx.reply.array(samples.len());
    for sample in samples {
        ctx.reply.array(2);
        ctx.reply.integer(sample.at_s as i64);
        ctx.reply.integer(sample.ms as i64);
    }
    Ok(Flow::Continue)
}

/// Replies how many events had samples.
fn reset(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let is_asked = |event: &Event| {
        args.len() == 2
            || args
                .iter()
                .skip(2)
                .any(|name| name == event.name().as_bytes())
    };
    let asked = Event::ALL.into_iter().filter(is_asked);
    let forgotten = asked.filter(|event| ctx.shared.latency.reset(*event));
    let count = forgotten.count();
    ctx.reply.integer(count as i64);
    Ok(Flow::Continue)
}
