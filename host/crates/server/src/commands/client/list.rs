//! Telling of connections: CLIENT LIST and CLIENT INFO.

use larder_resp::{Args, parse_integer};

use super::super::{Failure, Outcome};
use crate::clients::Type;
use crate::{Context, Flow};

pub(super) fn info(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.session.publish(ctx.now, ctx.watch.last());
    let mut text = String::new();
    ctx.session.client.write_line(ctx.now, &mut text);
    ctx.reply.verbatim(&text);
    Ok(Flow::Continue)
}

pub(super) fn list(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.publish(ctx.now, ctx.watch.last());
    let user = ctx.session.login.user();
    let option = args.get(2).map(<[u8]>::to_ascii_uppercase);
    let found = match option.as_deref() {
        None => ctx.shared.clients.seen_by(user),
        Some(b"TYPE") if args.len() == 4 => {
            let wanted = parse_type(&args[3])?;
            let mut all = ctx.shared.clients.seen_by(user);
            all.retain(|client| client.is_of(wanted));
            all
        }
        Some(b"ID") if args.len() > 3 => {
            let ids: Option<Vec<i64>> = args.iter().skip(3).map(parse_integer).collect();
            let ids = ids.ok_or(Failure::new("ERR Invalid client ID"))?;
            let known = |id| ctx.shared.clients.get(u64::try_from(id).ok()?);
            let all = ids.into_iter().filter_map(known);
            all.filter(|client| client.is_seen_by(user)).collect()
        }
        Some(_) => return Err(Failure::SYNTAX),
    };
    let mut text = String::new();
    for client in found {
        client.write_line(ctx.now, &mut text);
        if text.len() > ctx.shared.config.output_bytes_max {
            return Err(Failure::new(
                "ERR too many clients for one reply: name those wanted by ID",
            ));
        }
    }
    ctx.reply.verbatim(&text);
    Ok(Flow::Continue)
}

/// The type of that name, in any case.
pub(super) fn parse_type(name: &[u8]) -> Result<Type, Failure> {
    Type::named(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name);
        Failure::from(format!("ERR Unknown client type '{name}'"))
    })
}
