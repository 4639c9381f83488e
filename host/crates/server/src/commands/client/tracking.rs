//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: client-side caching.

use larder_resp::{Args, parse_integer};

use super::super::{Action, Command, Failure, Outcome};
use super::GETNAME;
use crate::onlookers::{Follower, Following, Mode};
use crate::{Context, Flow};

pub(super) const CACHING: Command = Command {
    name: "CACHING",
    arity: 3,
    since: "6.0.0",
    summary: "Says whether the next command's keys are tracked",
    action: Action::Run(caching),
    ..GETNAME
};

pub(super) const GETREDIR: Command = Command {
    name: "GETREDIR",
    since: "6.0.0",
    summary: "Returns the number of the connection that is told of changes in place of this one",
    action: Action::Run(getredir),
    ..GETNAME
};

pub(super) const TRACKING: Command = Command {
    name: "TRACKING",
    arity: -3,
    since: "6.0.0",
    summary: "Tells this connection which keys change, for client-side caching",
    action: Action::Run(tracking),
    ..GETNAME
};

pub(super) const TRACKINGINFO: Command = Command {
    name: "TRACKINGINFO",
    since: "6.2.0",
    summary: "Describes what this connection is told of changes",
    action: Action::Run(trackinginfo),
    ..GETNAME
};

/// Beginnings of keys that a connection may ask to be told of.
const PREFIXES_MAX: usize = 1024;

/// What the options ask for.
#[derive(Default)]
struct Options<'a> {
    mode: Mode,
    redirect: Option<i64>,
    prefixes: Vec<&'a [u8]>,
}

fn tracking(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = parse(ctx, args)?;
    let word = &args[2];
    if word.eq_ignore_ascii_case(b"ON") {
        begin(ctx, options)?;
    } else if word.eq_ignore_ascii_case(b"OFF") {
        ctx.session.following = None;
    } else {
        return Err(Failure::SYNTAX);
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn parse<'a>(ctx: &Context<'_>, args: Args<'a>) -> Result<Options<'a>, Failure> {
    let mut options = Options::default();
    let mut rest = args.iter().skip(3);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let mode = &mut options.mode;
        if is(b"BCAST") {
            mode.is_broadcast = true;
        } else if is(b"OPTIN") {
            mode.opts_in = true;
        } else if is(b"OPTOUT") {
            mode.opts_out = true;
        } else if is(b"NOLOOP") {
            mode.is_deaf_to_own = true;
        } else if is(b"REDIRECT") && rest.len() > 0 {
            if options.redirect.is_some_and(|id| id != 0) {
                return Err(Failure::new(
                    "ERR A client can only redirect to a single other client",
                ));
            }
            let id = rest.next().and_then(parse_integer);
            let id = id.ok_or(Failure::NOT_AN_INTEGER)?;
            find(ctx, id)?;
            options.redirect = Some(id);
        } else if is(b"PREFIX") && rest.len() > 0 {
            options.prefixes.extend(rest.next());
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    Ok(options)
}

/// The connection of that number, if it is one of the tenant.
fn find(ctx: &Context<'_>, id: i64) -> Result<std::sync::Arc<crate::clients::Client>, Failure> {
    let found = u64::try_from(id)
        .ok()
        .and_then(|id| ctx.shared.clients.get(id));
    found
        .filter(|other| other.tenant() == ctx.session.tenant.number())
        .ok_or(Failure::new(
            "ERR The client ID you want redirect to does not exist",
        ))
}

fn begin(ctx: &mut Context<'_>, options: Options<'_>) -> Result<(), Failure> {
    let Options {
        mode,
        redirect,
        prefixes,
    } = options;
    check(ctx.session.following.as_deref(), mode, &prefixes)?;
    let other = redirect.map(|id| find(ctx, id)).transpose()?;
    let prefixes = match (mode.is_broadcast, &prefixes[..]) {
        (false, _) => Vec::new(),
        (true, []) => vec![Box::default()],
        (true, prefixes) => prefixes.iter().map(|prefix| (*prefix).into()).collect(),
    };
    let session = &mut *ctx.session;
    let follower = Follower::new(ctx.shared, mode, &session.client, other.as_ref());
    match &mut session.following {
        Some(following) => following.follow(follower, prefixes),
        None => {
            let following = Following::begin(ctx.shared, session, follower, prefixes);
            session.following = Some(Box::new(following));
        }
    }
    Ok(())
}

/// Whether the options fit each other and what the connection has chosen before.
fn check(known: Option<&Following>, mode: Mode, prefixes: &[&[u8]]) -> Result<(), Failure> {
    let before = known.map(|following| following.follower().mode());
    let refuse = |text| Err(Failure::new(text));
    if !mode.is_broadcast && !prefixes.is_empty() {
        return refuse("ERR PREFIX option requires BCAST mode to be enabled");
    }
    if before.is_some_and(|before| before.is_broadcast != mode.is_broadcast) {
        return refuse(
            "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
             re-enabling it with a different mode.",
        );
    }
    if mode.is_broadcast && (mode.opts_in || mode.opts_out) {
        return refuse("ERR OPTIN and OPTOUT are not compatible with BCAST");
    }
    if mode.opts_in && mode.opts_out {
        return refuse("ERR You can't specify both OPTIN mode and OPTOUT mode");
    }
    if before.is_some_and(|before| {
        (mode.opts_in && before.opts_out) || (mode.opts_out && before.opts_in)
    }) {
        return refuse(
            "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
             re-enabling it with a different mode.",
        );
    }
    if known.map_or(0, |known| known.prefixes().len()) + prefixes.len() > PREFIXES_MAX {
        return Err(Failure::from(format!(
            "ERR too many prefixes: a connection may have {PREFIXES_MAX}"
        )));
    }
    check_prefixes(known, prefixes)
}

/// A key must not begin with two of them, or it would be told twice.
fn check_prefixes(known: Option<&Following>, prefixes: &[&[u8]]) -> Result<(), Failure> {
    let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
    for (at, prefix) in prefixes.iter().enumerate() {
        let known = known.into_iter().flat_map(Following::prefixes);
        let existing = known.map(|other| (&**other, "an existing"));
        let provided = prefixes[at + 1..].iter();
        let provided = provided.map(|other| (*other, "another provided"));
        let mut others = existing.chain(provided);
        if let Some((other, which)) = others.find(|(other, _)| overlap(prefix, other)) {
            let [prefix, other] = [*prefix, other].map(String::from_utf8_lossy);
            return Err(Failure::from(format!(
                "ERR Prefix '{prefix}' overlaps with {which} prefix '{other}'. Prefixes for a single client \
                 must not overlap."
            )));
        }
    }
    Ok(())
}

fn caching(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let following = ctx.session.following.as_mut().ok_or(Failure::new(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT \
         mode enabled",
    ))?;
    let (mode, word) = (following.follower().mode(), &args[2]);
    if word.eq_ignore_ascii_case(b"YES") {
        mode.opts_in.then_some(()).ok_or(Failure::new(
            "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.",
        ))?;
    } else if word.eq_ignore_ascii_case(b"NO") {
        mode.opts_out.then_some(()).ok_or(Failure::new(
            "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.",
        ))?;
    } else {
        return Err(Failure::SYNTAX);
    }
    following.is_chosen = true;
    ctx.reply.ok();
    Ok(Flow::Continue)
}

fn getredir(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let redirect = redirect(ctx);
    ctx.reply.integer(redirect);
    Ok(Flow::Continue)
}

/// The number of the connection that is told in place of this one; 0: it is told itself, -1: nobody is.
fn redirect(ctx: &Context<'_>) -> i64 {
    let following = ctx.session.following.as_ref();
    following.map_or(-1, |following| following.follower().redirect())
}

fn trackinginfo(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let redirect = redirect(ctx);
    let reply = &mut ctx.reply;
    let following = ctx.session.following.as_deref();
    let mut flags = vec![if following.is_some() { "on" } else { "off" }];
    if let Some(following) = following {
        let (mode, is_chosen) = (following.follower().mode(), following.is_chosen);
        let all = [
            (mode.is_broadcast, "bcast"),
            (mode.opts_in, "optin"),
            (mode.opts_in && is_chosen, "caching-yes"),
            (mode.opts_out, "optout"),
            (mode.opts_out && is_chosen, "caching-no"),
            (mode.is_deaf_to_own, "noloop"),
            (following.follower().is_broken(), "broken_redirect"),
        ];
        flags.extend(
            all.iter()
                .filter(|(holds, _)| *holds)
                .map(|(_, flag)| *flag),
        );
    }
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.len());
    flags.iter().for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirect);
    reply.bulk(b"prefixes");
    let prefixes = following.map(Following::prefixes).into_iter().flatten();
    reply.array(prefixes.clone().count());
    prefixes.for_each(|prefix| reply.bulk(prefix));
    Ok(Flow::Continue)
}
