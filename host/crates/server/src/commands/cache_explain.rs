//! CACHE.EXPLAIN: why an entry is there, for how long, and how it stands.

use larder_engine::{Key, Standing};
use larder_resp::Args;

use super::note::{Item, data_type, items};
use super::{Action, Category, Command, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "CACHE.EXPLAIN",
    arity: 2,
    flags: &[Flag::ReadOnly],
    keys: Keys::FIRST,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "7.2.0",
    summary: "Tells what the policies decided for a key and how it stands for eviction",
    action: Action::Run(run),
};

/// What is known of a resident entry.
struct Resident {
    value_bytes: usize,
    ttl_ms: Option<u64>,
    priority: u8,
    note: Vec<u8>,
    standing: Standing,
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let resident = look(ctx, key);
    let tenant = ctx.store.tenant();
    let decisions = ctx
        .shared
        .policies
        .decisions(tenant.name(), key.db, key.bytes);
    let (name, ruler) = (tenant.name().to_owned(), tenant.eviction());
    let reply = &mut ctx.reply;
    reply.map(if resident.is_some() { 14 } else { 4 });
    let mut text = |name: &str, value: &[u8]| {
        reply.bulk(name.as_bytes());
        reply.bulk(value);
    };
    text("resident", if resident.is_some() { b"yes" } else { b"no" });
    text("tenant", name.as_bytes());
    text("eviction_policy", ruler.as_bytes());
    if let Some(resident) = &resident {
        reply_resident(ctx, resident);
    }
    ctx.reply.bulk(b"decisions");
    ctx.reply.array(decisions.len());
    for line in decisions {
        ctx.reply.bulk(line.as_bytes());
    }
    Ok(Flow::Continue)
}

fn look(ctx: &mut Context<'_>, key: Key<'_>) -> Option<Resident> {
    let standing = ctx.store.standing(key, ctx.now)?;
    ctx.store.peek(key, ctx.now, |entry| Resident {
        value_bytes: entry.value().len(),
        ttl_ms: entry.expires_at().map(|at| at.saturating_sub(ctx.now)),
        priority: entry.label().priority,
        note: entry.label().note.to_vec(),
        standing,
    })
}

fn reply_resident(ctx: &mut Context<'_>, resident: &Resident) {
    let standing = resident.standing;
    let ttl_ms = resident.ttl_ms.map_or(-1, |ttl| ttl as i64);
    let numbers = [
        ("bytes", standing.bytes as i64),
        ("value_bytes", resident.value_bytes as i64),
        ("ttl_ms", ttl_ms),
        ("priority", resident.priority.into()),
        ("last_access_ms_ago", standing.idle_ms as i64),
        ("shard", standing.shard as i64),
        ("slot", standing.slot.into()),
    ];
    for (name, value) in numbers {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.integer(value);
    }
    let Standing {
        samples,
        idle_longer,
        ..
    } = standing;
    let text = format!("{idle_longer} of {samples} other entries of its shard are idle for longer");
    ctx.reply.bulk(b"standing");
    ctx.reply.bulk(text.as_bytes());
    ctx.reply.bulk(b"type");
    ctx.reply_bulk_or_null(data_type(&resident.note));
    ctx.reply.bulk(b"said");
    let said: Vec<_> = items(&resident.note).filter_map(shown).collect();
    ctx.reply.array(said.len());
    said.iter().for_each(|line| ctx.reply.bulk(line));
}

/// Tags, cost, attributes and whether it is secret: `tag=…`, `cost_ms=…`, `name=value`, `security=high`.
fn shown(item: Item<'_>) -> Option<Vec<u8>> {
    match item {
        Item::Type(_) => None,
        Item::Tag(tag) => Some([b"tag=", tag].concat()),
        Item::CostMs(cost_ms) => Some(format!("cost_ms={cost_ms}").into_bytes()),
        Item::Attribute(name, value) => Some([name, b"=", value].concat()),
        Item::Secret => Some(b"security=high".to_vec()),
    }
}
