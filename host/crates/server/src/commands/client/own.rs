//! What a connection says of itself.

use larder_resp::Args;

use super::super::{Failure, Outcome};
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
