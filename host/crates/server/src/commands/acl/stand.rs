//! What there is and what would be allowed: ACL CAT, DRYRUN and GENPASS.

use larder_resp::{Args, ArgsBuf, parse_integer};

use super::super::{Command, Named};
use super::{Context, Failure, Flow, Outcome};
use crate::users::{CATEGORIES, Denied, User, commands_of};

/// Most bits of a password.
const BITS_MAX: i64 = 4096;
const BITS_DEFAULT: i64 = 256;

pub(super) fn cat(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let Some(category) = args.get(2) else {
        ctx.reply.array(CATEGORIES.len());
        CATEGORIES
            .iter()
            .for_each(|name| ctx.reply.bulk(name.as_bytes()));
        return Ok(Flow::Continue);
    };
    if args.len() > 3 {
        return Err(super::wrong_number(args));
    }
    let lower = category.to_ascii_lowercase();
    let Some(name) = CATEGORIES.iter().find(|name| name.as_bytes() == lower) else {
        let category = String::from_utf8_lossy(category);
        return Err(Failure::from(format!("ERR Unknown category '{category}'")));
    };
    let commands: Vec<_> = commands_of(&format!("@{name}")).collect();
    ctx.reply.array(commands.len());
    for (_, name) in &commands {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(Flow::Continue)
}

/// The request asked about begins at the fourth argument.
pub(super) fn dryrun(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let quoted = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let name = std::str::from_utf8(&args[2]).unwrap_or_default();
    let Some(user) = ctx.shared.users.find(name) else {
        return Err(Failure::from(format!(
            "ERR User '{}' not found",
            quoted(&args[2])
        )));
    };
    let request: ArgsBuf = args.iter().skip(3).collect();
    let request = request.args();
    let Some((command, name)) = find(request) else {
        return Err(Failure::from(format!(
            "ERR Command '{}' not found",
            quoted(&args[3])
        )));
    };
    if !command.accepts(request.len()) {
        return Err(Failure::arity(&name));
    }
    match user.check(command, request) {
        Ok(()) => ctx.reply.ok(),
        Err(denied) => ctx.reply.bulk(told(&user, &name, &denied).as_bytes()),
    }
    Ok(Flow::Continue)
}

fn told(user: &User, command: &str, denied: &Denied) -> String {
    let user = user.name();
    match denied {
        Denied::Command => format!("User {user} has no permissions to run the '{command}' command"),
        Denied::Key(key) => {
            let key = String::from_utf8_lossy(key);
            format!("User {user} has no permissions to access the '{key}' key")
        }
        Denied::Channel(channel) => {
            let channel = String::from_utf8_lossy(channel);
            format!("User {user} has no permissions to access the '{channel}' channel")
        }
    }
}

/// The command of a request, or its subcommand, with its full name.
fn find(request: Args<'_>) -> Option<(&'static Command, String)> {
    let named = Named::find(request.name())?;
    let sub = request.get(1).and_then(|name| {
        named
            .subcommands()
            .find(|sub| name.eq_ignore_ascii_case(sub.command.name.as_bytes()))
    });
    let named = sub.unwrap_or(named);
    Some((named.command, named.name))
}

pub(super) fn genpass(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    if args.len() > 3 {
        return Err(super::wrong_number(args));
    }
    let bits = match args.get(2) {
        Some(text) => parse_integer(text).ok_or(Failure::NOT_AN_INTEGER)?,
        None => BITS_DEFAULT,
    };
    if !(1..=BITS_MAX).contains(&bits) {
        return Err(Failure::new(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive \
             number up to 4096",
        ));
    }
    let digits = (bits as usize).div_ceil(4);
    let mut drawn = vec![0; digits.div_ceil(2)];
    let filled = ctx.shared.users.random(&mut drawn);
    filled.map_err(|error| Failure::from(format!("ERR no random numbers: {error}")))?;
    let mut password: String = drawn.iter().map(|byte| format!("{byte:02x}")).collect();
    password.truncate(digits);
    ctx.reply.bulk(password.as_bytes());
    Ok(Flow::Continue)
}
