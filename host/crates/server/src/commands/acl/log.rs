//! ACL LOG.

use larder_resp::{Args, parse_integer};

use super::{Context, Failure, Flow, Outcome};

/// Entries shown unless more are asked for.
const COUNT_DEFAULT: usize = 10;

pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    if args.len() > 3 {
        return Err(super::wrong_number(args));
    }
    let log = ctx.shared.users.log();
    let count = match args.get(2) {
        Some(word) if word.eq_ignore_ascii_case(b"RESET") => {
            log.reset();
            ctx.reply.ok();
            return Ok(Flow::Continue);
        }
        Some(count) => parse_integer(count).ok_or(Failure::NOT_AN_INTEGER)?,
        None => COUNT_DEFAULT as i64,
    };
    let entries = log.latest(usize::try_from(count).unwrap_or(0));
    let reply = &mut ctx.reply;
    reply.array(entries.len());
    for entry in &entries {
        reply.map(10);
        reply.bulk(b"count");
        reply.integer(entry.count as i64);
        for (name, value) in [
            ("reason", entry.reason.name()),
            ("context", entry.context),
            ("object", &entry.object),
            ("username", &entry.user),
        ] {
            reply.bulk(name.as_bytes());
            reply.bulk(value.as_bytes());
        }
        reply.bulk(b"age-seconds");
        reply.double(ctx.now.saturating_sub(entry.updated_ms) as f64 / 1000.0);
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        for (name, value) in [
            ("entry-id", entry.id),
            ("timestamp-created", entry.created_ms),
            ("timestamp-last-updated", entry.updated_ms),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(value as i64);
        }
    }
    Ok(Flow::Continue)
}
