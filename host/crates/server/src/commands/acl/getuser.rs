//! ACL GETUSER.

use larder_resp::{Args, Reply};

use super::{Context, Flow, Outcome};
use crate::users::Rights;

pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    let name = std::str::from_utf8(&args[2]).unwrap_or_default();
    let reply = &mut ctx.reply;
    let Some(user) = ctx.shared.users.find(name) else {
        reply.null();
        return Ok(Flow::Continue);
    };
    let profile = user.profile();
    reply.map(6);
    reply.bulk(b"flags");
    let flags = [
        (profile.is_enabled, "on"),
        (!profile.is_enabled, "off"),
        (profile.needs_no_password, "nopass"),
    ];
    let flags = flags.into_iter().filter(|(holds, _)| *holds);
    reply.set(flags.clone().count());
    flags.for_each(|(_, flag)| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(profile.secrets.len());
    for secret in &profile.secrets {
        reply.bulk(secret.to_string().as_bytes());
    }
    describe(reply, &profile.rights);
    reply.bulk(b"selectors");
    reply.array(profile.selectors.len());
    for rights in &profile.selectors {
        reply.map(3);
        describe(reply, rights);
    }
    Ok(Flow::Continue)
}

fn describe(reply: &mut Reply<'_>, rights: &Rights) {
    for (name, value) in [
        ("commands", rights.printed_commands()),
        ("keys", rights.printed_keys()),
        ("channels", rights.printed_channels()),
    ] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
}
