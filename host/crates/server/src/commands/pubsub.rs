//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, their ends, PUBLISH, SPUBLISH and PUBSUB.

use larder_engine::{KEY_BYTES_MAX, glob};
use larder_resp::{Args, Version};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, reply_help};
use crate::mailbox::letter_bytes_max;
use crate::pubsub::{Kind, SUBSCRIPTIONS_MAX, Subscriptions};
use crate::{Context, Flow};

pub(super) const SUBSCRIBE: Command = Command {
    name: "SUBSCRIBE",
    arity: -2,
    flags: &[Flag::PubSub, Flag::NoScript, Flag::Loading, Flag::Stale],
    keys: Keys::NONE,
    group: Group::PubSub,
    categories: &[Category::PubSub],
    since: "2.0.0",
    summary: "Listens to channels",
    action: Action::Run(|ctx, args| subscribe(ctx, args, Kind::Channel, "subscribe")),
};

pub(super) const PSUBSCRIBE: Command = Command {
    name: "PSUBSCRIBE",
    summary: "Listens to all channels whose names match patterns",
    action: Action::Run(|ctx, args| subscribe(ctx, args, Kind::Pattern, "psubscribe")),
    ..SUBSCRIBE
};

pub(super) const SSUBSCRIBE: Command = Command {
    name: "SSUBSCRIBE",
    since: "7.0.0",
    summary: "Listens to channels of SPUBLISH",
    action: Action::Run(|ctx, args| subscribe(ctx, args, Kind::Shard, "ssubscribe")),
    ..SUBSCRIBE
};

pub(super) const UNSUBSCRIBE: Command = Command {
    name: "UNSUBSCRIBE",
    arity: -1,
    summary: "Listens no more to channels, or to all of them",
    action: Action::Run(|ctx, args| unsubscribe(ctx, args, Kind::Channel, "unsubscribe")),
    ..SUBSCRIBE
};

pub(super) const PUNSUBSCRIBE: Command = Command {
    name: "PUNSUBSCRIBE",
    summary: "Listens no more by patterns, or by all of them",
    action: Action::Run(|ctx, args| unsubscribe(ctx, args, Kind::Pattern, "punsubscribe")),
    ..UNSUBSCRIBE
};

pub(super) const SUNSUBSCRIBE: Command = Command {
    name: "SUNSUBSCRIBE",
    since: "7.0.0",
    summary: "Listens no more to channels of SPUBLISH, or to all of them",
    action: Action::Run(|ctx, args| unsubscribe(ctx, args, Kind::Shard, "sunsubscribe")),
    ..UNSUBSCRIBE
};

pub(super) const PUBLISH: Command = Command {
    name: "PUBLISH",
    arity: 3,
    flags: &[Flag::PubSub, Flag::Loading, Flag::Stale, Flag::Fast],
    summary: "Sends a message to all who listen to a channel and counts them",
    action: Action::Run(|ctx, args| publish(ctx, args, Kind::Channel)),
    ..SUBSCRIBE
};

pub(super) const SPUBLISH: Command = Command {
    name: "SPUBLISH",
    since: "7.0.0",
    summary: "Sends a message to all who listen to a channel by SSUBSCRIBE and counts them",
    action: Action::Run(|ctx, args| publish(ctx, args, Kind::Shard)),
    ..PUBLISH
};

pub(super) const PUBSUB: Command = Command::container(
    "PUBSUB",
    Group::PubSub,
    "2.8.0",
    "Commands about channels and who listens",
    &[
        CHANNELS,
        HELP_SUBCOMMAND,
        NUMPAT,
        NUMSUB,
        SHARDCHANNELS,
        SHARDNUMSUB,
    ],
);

const CHANNELS: Command = Command {
    name: "CHANNELS",
    arity: -2,
    flags: &[Flag::PubSub, Flag::Loading, Flag::Stale],
    since: "2.8.0",
    summary: "Lists the channels that somebody listens to",
    action: Action::Run(|ctx, args| channels(ctx, args, Kind::Channel)),
    ..SUBSCRIBE
};

const SHARDCHANNELS: Command = Command {
    name: "SHARDCHANNELS",
    since: "7.0.0",
    summary: "Lists the channels that somebody listens to by SSUBSCRIBE",
    action: Action::Run(|ctx, args| channels(ctx, args, Kind::Shard)),
    ..CHANNELS
};

const NUMSUB: Command = Command {
    name: "NUMSUB",
    summary: "Counts who listens to channels",
    action: Action::Run(|ctx, args| numsub(ctx, args, Kind::Channel)),
    ..CHANNELS
};

const SHARDNUMSUB: Command = Command {
    name: "SHARDNUMSUB",
    since: "7.0.0",
    summary: "Counts who listens to channels by SSUBSCRIBE",
    action: Action::Run(|ctx, args| numsub(ctx, args, Kind::Shard)),
    ..CHANNELS
};

const NUMPAT: Command = Command {
    name: "NUMPAT",
    arity: 2,
    summary: "Counts the patterns that somebody listens by",
    action: Action::Run(|ctx, _| {
        let [_, patterns, _] = ctx.shared.hub(ctx.session).counts();
        ctx.reply.integer(patterns as i64);
        Ok(Flow::Continue)
    }),
    ..CHANNELS
};

const HELP_SUBCOMMAND: Command =
    Command::help(Group::PubSub, "6.2.0", &[Category::PubSub], |ctx, _| {
        reply_help(ctx, "PUBSUB", &HELP)
    });

const HELP: [&str; 10] = [
    "CHANNELS [<pattern>]",
    "    Return the channels that somebody listens to and that match.",
    "NUMPAT",
    "    Return the number of patterns that somebody listens by.",
    "NUMSUB [<channel> ...]",
    "    Return the number of those who listen to each channel, patterns apart.",
    "SHARDCHANNELS [<pattern>]",
    "    Return the channels of SPUBLISH that somebody listens to and that match.",
    "SHARDNUMSUB [<channel> ...]",
    "    Return the number of those who listen to each channel of SPUBLISH.",
];

/// Bytes of a channel's name: those of the longest key, and what stands before it in the channel of a key.
/// It bounds the work of patterns.
const CHANNEL_BYTES_MAX: usize = KEY_BYTES_MAX + 64;
const CHANNEL_TOO_LONG: Failure =
    Failure::new("ERR the name of a channel has 65,600 bytes at most");

const TOO_MANY: Failure = Failure::new("ERR too many subscriptions: a connection may have 131072");

const TOO_MUCH_TO_SEARCH: Failure = Failure::new(
    "ERR too many patterns are subscribed to: 8 MiB of them are allowed, 32 bytes each besides, and of those \
     with text between two '*' 2048, or with '?', '[' or '\\' in that text 128",
);

const TOO_MANY_CHANNELS: Failure =
    Failure::new("ERR too many channels to list: ask for fewer, by a simpler pattern");

/// Commands that a connection of RESP2 may use while it listens.
const ALLOWED: [&str; 9] = [
    "PING",
    "PSUBSCRIBE",
    "PUNSUBSCRIBE",
    "QUIT",
    "RESET",
    "SSUBSCRIBE",
    "SUBSCRIBE",
    "SUNSUBSCRIBE",
    "UNSUBSCRIBE",
];

/// Refuses what a connection of RESP2 may not use while it listens: its replies could not be told from
/// messages.
pub(super) fn check_allowed(ctx: &Context<'_>, args: Args<'_>) -> Result<(), Failure> {
    let is_bound = ctx.session.version == Version::V2 && ctx.session.is_subscribed();
    let name = args.name().to_ascii_uppercase();
    if !is_bound || ALLOWED.iter().any(|allowed| allowed.as_bytes() == name) {
        return Ok(());
    }
    let name = String::from_utf8_lossy(args.name()).to_ascii_lowercase();
    Err(Failure::from(format!(
        "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context"
    )))
}

fn subscribe(ctx: &mut Context<'_>, args: Args<'_>, kind: Kind, word: &str) -> Outcome {
    let (bytes_max, failure) = match kind {
        Kind::Pattern => (glob::PATTERN_BYTES_MAX, Failure::PATTERN_TOO_LONG),
        Kind::Channel | Kind::Shard => (CHANNEL_BYTES_MAX, CHANNEL_TOO_LONG),
    };
    if args.iter().skip(1).any(|name| name.len() > bytes_max) {
        return Err(failure);
    }
    let (shared, session) = (ctx.shared, &mut *ctx.session);
    if session.subscriptions.is_none() {
        session.subscriptions = Some(Box::new(Subscriptions::new(shared, session)));
    }
    let Some(subscriptions) = &mut session.subscriptions else {
        return Ok(Flow::Continue);
    };
    if subscriptions.total() + args.len() > SUBSCRIPTIONS_MAX {
        return Err(TOO_MANY);
    }
    if kind == Kind::Pattern && !subscriptions.may_add_patterns(args.iter().skip(1)) {
        return Err(TOO_MUCH_TO_SEARCH);
    }
    let at = ctx.reply.out_len();
    for name in args.iter().skip(1) {
        subscriptions.add(kind, name);
        ctx.reply.push(3);
        ctx.reply.bulk(word.as_bytes());
        ctx.reply.bulk(name);
        ctx.reply.integer(subscriptions.count(kind) as i64);
    }
    keep_unasked(ctx, at);
    Ok(Flow::Continue)
}

/// What is said of subscriptions from `at` on is sent where the client wants no replies, too.
fn keep_unasked(ctx: &mut Context<'_>, at: usize) {
    if ctx.session.is_hushed() {
        let mut told = ctx.reply.take_back(at);
        ctx.session.unasked.append(&mut told);
    }
}

/// What came before the end comes before it is confirmed.
fn unsubscribe(ctx: &mut Context<'_>, args: Args<'_>, kind: Kind, word: &str) -> Outcome {
    let mut names: Vec<Box<[u8]>> = args.iter().skip(1).map(Into::into).collect();
    let mut subscriptions = ctx.session.subscriptions.as_mut();
    if let Some(subscriptions) = subscriptions.as_ref().filter(|_| names.is_empty()) {
        names = subscriptions.names(kind);
    }
    let at = ctx.reply.out_len();
    let mut mail = Vec::new();
    let mut confirm = |name: Option<&[u8]>| {
        let mut count = 0;
        if let Some(subscriptions) = &mut subscriptions {
            name.iter()
                .for_each(|name| subscriptions.remove(kind, name));
            count = subscriptions.count(kind);
            subscriptions.take_mail(&mut mail);
        }
        ctx.reply.raw(&mail);
        mail.clear();
        ctx.reply.push(3);
        ctx.reply.bulk(word.as_bytes());
        match name {
            Some(name) => ctx.reply.bulk(name),
            None => ctx.reply.null(),
        }
        ctx.reply.integer(count as i64);
    };
    if names.is_empty() {
        confirm(None);
    }
    names.iter().for_each(|name| confirm(Some(name)));
    keep_unasked(ctx, at);
    Ok(Flow::Continue)
}

fn publish(ctx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Outcome {
    let hub = ctx.shared.hub(ctx.session);
    if args[1].len() > CHANNEL_BYTES_MAX {
        return Err(CHANNEL_TOO_LONG);
    }
    let budget = ctx.shared.buffers.of(ctx.session);
    let bytes_max = letter_bytes_max(ctx.shared.config.output_bytes_max, budget);
    if args[1].len() + args[2].len() > bytes_max {
        return Err(Failure::from(format!(
            "ERR message too large: no listener could take more than {bytes_max} bytes of channel and message"
        )));
    }
    let receivers = hub.publish(kind, &args[1], &args[2]);
    ctx.reply.integer(receivers as i64);
    Ok(Flow::Continue)
}

fn channels(ctx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Outcome {
    let pattern = args.get(2);
    if args.len() > 3 {
        return Err(Failure::subcommand_arity("PUBSUB", &args[1]));
    }
    if pattern.is_some_and(|pattern| pattern.len() > glob::PATTERN_BYTES_MAX) {
        return Err(Failure::PATTERN_TOO_LONG);
    }
    let bytes_max = ctx.shared.config.output_bytes_max;
    let names = ctx.shared.hub(ctx.session).names(kind, pattern, bytes_max);
    let names = names.ok_or(TOO_MANY_CHANNELS)?;
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name));
    Ok(Flow::Continue)
}

fn numsub(ctx: &mut Context<'_>, args: Args<'_>, kind: Kind) -> Outcome {
    let hub = ctx.shared.hub(ctx.session);
    ctx.reply.array(2 * (args.len() - 2));
    for name in args.iter().skip(2) {
        ctx.reply.bulk(name);
        ctx.reply.integer(hub.listeners(kind, name) as i64);
    }
    Ok(Flow::Continue)
}
