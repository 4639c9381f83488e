//! Having clients wait: CLIENT PAUSE and CLIENT UNPAUSE.

use std::ops::Range;
use std::time::Duration;

use larder_resp::{Args, parse_integer};

use super::super::{Failure, Outcome};
use crate::clients::pauses::{By, PAUSE_MS_MAX};
use crate::{Context, Flow};

pub(super) fn pause(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let mode = args.get(3).map(<[u8]>::to_ascii_uppercase);
    let is_for_writes = match mode.as_deref() {
        _ if args.len() > 4 => return Err(Failure::subcommand_arity("CLIENT", &args[1])),
        None | Some(b"ALL") => false,
        Some(b"WRITE") => true,
        Some(_) => {
            return Err(Failure::new("ERR CLIENT PAUSE mode must be WRITE or ALL"));
        }
    };
    let time = parse_time(&args[2])?;
    let (by, tenants) = scope(ctx);
    ctx.shared.pauses.begin(by, tenants, time, is_for_writes);
    ctx.reply.ok();
    Ok(Flow::Continue)
}

pub(super) fn unpause(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let (by, tenants) = scope(ctx);
    ctx.shared.pauses.end(by, tenants);
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// Who says so, and the numbers of the tenants whose clients are meant: the own one, an administrator's all.
fn scope(ctx: &Context<'_>) -> (By, Range<usize>) {
    let own = ctx.session.tenant.number();
    match ctx.session.login.user().is_admin() {
        true => (By::Admin, 0..ctx.shared.engine.tenants().len()),
        false => (By::Tenant, own..own + 1),
    }
}

fn parse_time(text: &[u8]) -> Result<Duration, Failure> {
    let ms = parse_integer(text).ok_or(Failure::new(
        "ERR timeout is not an integer or out of range",
    ))?;
    let ms = u64::try_from(ms).map_err(|_| Failure::new("ERR timeout is negative"))?;
    if ms > PAUSE_MS_MAX {
        return Err(Failure::from(format!(
            "ERR timeout is out of range: a pause may last {PAUSE_MS_MAX} ms"
        )));
    }
    Ok(Duration::from_millis(ms))
}
