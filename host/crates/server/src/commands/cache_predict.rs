//! CACHE.PREDICT: how prediction stands for the connection's tenant, and what it thinks of a key.

use larder_engine::foresight::Explanation;
use larder_resp::Args;

use super::info::prediction_fields;
use super::{Action, Category, Command, Flag, Group, Keys, Outcome, reply_help};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command::container(
    "CACHE.PREDICT",
    Group::Generic,
    "7.2.0",
    "Commands about what is fetched before anybody asks for it",
    &[EXPLAIN, HELP_SUBCOMMAND, STATUS],
);

const EXPLAIN: Command = Command {
    name: "EXPLAIN",
    arity: 3,
    flags: &[Flag::ReadOnly],
    keys: Keys::SECOND,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "7.2.0",
    summary: "Tells what prediction thinks of a key, and what speaks for that",
    action: Action::Run(explain),
};

const STATUS: Command = Command {
    name: "STATUS",
    arity: 2,
    keys: Keys::NONE,
    summary: "Tells whether prediction is on, why, and what it has gained",
    action: Action::Run(status),
    ..EXPLAIN
};

const HELP_SUBCOMMAND: Command =
    Command::help(Group::Generic, "7.2.0", &[Category::Keyspace], |ctx, _| {
        reply_help(ctx, "CACHE.PREDICT", &HELP)
    });

const HELP: [&str; 4] = [
    "EXPLAIN <key>",
    "    Tell what prediction thinks of a key, and what speaks for that.",
    "STATUS",
    "    Tell whether prediction is on, why, and what it has gained.",
];

fn status(ctx: &mut Context<'_>, _: Args<'_>) -> Outcome {
    let fields = prediction_fields(&ctx.shared.prediction(&ctx.session.tenant));
    ctx.reply.map(fields.len());
    for (name, value) in fields {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value.as_bytes());
    }
    Ok(Flow::Continue)
}

/// Of a key that nothing is known of the features are none.
fn explain(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[2]);
    let explained = ctx.shared.explain_prediction(&ctx.session.tenant, key);
    let is_known = explained.is_some();
    let Explanation {
        score,
        features,
        horizon_ms,
    } = explained.unwrap_or_default();
    let reply = &mut ctx.reply;
    reply.map(4);
    reply.bulk(b"known");
    reply.bulk(if is_known { b"yes" } else { b"no" });
    reply.bulk(b"score");
    match score {
        Some(score) => reply.double(f64::from(score)),
        None => reply.null(),
    }
    reply.bulk(b"horizon_ms");
    reply.integer(i64::try_from(horizon_ms).unwrap_or(i64::MAX));
    reply.bulk(b"features");
    reply.array(features.len());
    for (name, number, weight) in features {
        reply.bulk(format!("{name}={number:.3} weight={weight:+.3}").as_bytes());
    }
    Ok(Flow::Continue)
}
