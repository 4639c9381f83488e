//! What a connection says of itself.

use larder_resp::{Args, parse_integer};

use super::super::{Failure, Outcome};
use crate::session::Replies;
use crate::{Context, Flow};

/// Bytes that a name may have: ten thousand connections keep theirs.
const NAME_BYTES_MAX: usize = 1024;

pub(super) fn getname(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    match &*ctx.session.client.name() {
        "" => ctx.reply.null(),
        name => ctx.reply.bulk(name.as_bytes()),
    }
    Ok(Flow::Continue)
}

pub(super) fn id(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    ctx.reply.integer(ctx.session.id as i64);
    Ok(Flow::Continue)
}

pub(super) fn setname(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.client.set_name(checked_name(&args[2])?);
    ctx.reply.ok();
    Ok(Flow::Continue)
}

pub(super) fn setinfo(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (option, value) = (&args[2], &args[3]);
    let is_name = option.eq_ignore_ascii_case(b"LIB-NAME");
    let shown = if is_name {
        "lib-name"
    } else if option.eq_ignore_ascii_case(b"LIB-VER") {
        "lib-ver"
    } else {
        let option = String::from_utf8_lossy(option);
        return Err(Failure::from(format!("ERR Unrecognized option '{option}'")));
    };
    if !is_printable(value) {
        return Err(Failure::from(format!(
            "ERR {shown} cannot contain spaces, newlines or special characters."
        )));
    }
    check_length(value)?;
    match is_name {
        true => ctx.session.client.set_library_name(value),
        false => ctx.session.client.set_library_version(value),
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// CLIENT REPLY. Only ON is answered.
pub(super) fn reply(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let now = ctx.session.replies;
    ctx.session.replies = match &*args[2].to_ascii_uppercase() {
        b"ON" => Replies::On,
        b"OFF" => Replies::Off,
        b"SKIP" if now == Replies::Off => now,
        b"SKIP" => Replies::SkipNext,
        _ => return Err(Failure::SYNTAX),
    };
    if ctx.session.replies == Replies::On {
        ctx.reply.ok();
    }
    Ok(Flow::Continue)
}

/// CLIENT NO-EVICT. No client is ever evicted to make room for others, so this changes nothing but what
/// CLIENT LIST tells.
pub(super) fn no_evict(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.no_evict = parse_switch(&args[2])?;
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// CLIENT NO-TOUCH. In a transaction it counts for what comes behind it.
pub(super) fn no_touch(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.no_touch = parse_switch(&args[2])?;
    ctx.store.set_quiet(ctx.session.no_touch);
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// CLIENT UNBLOCK. No command waits for anything that another one does.
pub(super) fn unblock(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let reason = args.get(3).map(<[u8]>::to_ascii_uppercase);
    match reason.as_deref() {
        _ if args.len() > 4 => return Err(Failure::subcommand_arity("CLIENT", &args[1])),
        None | Some(b"TIMEOUT" | b"ERROR") => {}
        Some(_) => {
            return Err(Failure::new(
                "ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR",
            ));
        }
    }
    parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)?;
    ctx.reply.integer(0);
    Ok(Flow::Continue)
}

fn parse_switch(text: &[u8]) -> Result<bool, Failure> {
    match &*text.to_ascii_uppercase() {
        b"ON" => Ok(true),
        b"OFF" => Ok(false),
        _ => Err(Failure::SYNTAX),
    }
}

/// `name` if it may be the name of a connection; the empty one takes the name away.
pub(in crate::commands) fn checked_name(name: &[u8]) -> Result<&[u8], Failure> {
    if !is_printable(name) {
        return Err(Failure::new(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    check_length(name)?;
    Ok(name)
}

fn is_printable(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

fn check_length(text: &[u8]) -> Result<(), Failure> {
    if text.len() > NAME_BYTES_MAX {
        return Err(Failure::from(format!(
            "ERR names may have {NAME_BYTES_MAX} bytes at most"
        )));
    }
    Ok(())
}
