//! HELLO: the greeting that chooses the version of the protocol.

use larder_resp::{Args, Version};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome, client};
use crate::{Context, Flow};
use larder_resp::parse_integer;

pub(super) const COMMAND: Command = Command {
    name: "HELLO",
    arity: -1,
    flags: &[
        Flag::NoScript,
        Flag::Loading,
        Flag::Stale,
        Flag::Fast,
        Flag::NoAuth,
        Flag::AllowBusy,
    ],
    keys: Keys::NONE,
    group: Group::Connection,
    categories: &[Category::Connection],
    since: "6.0.0",
    summary: "Chooses the version of the protocol and tells about the server",
    action: Action::Run(run),
};

/// The version of Redis whose behaviour clients may rely on.
pub(super) const REDIS_VERSION: &str = "7.2.4";

/// Nothing changes unless every option is right.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let version = match args.get(1) {
        Some(text) => parse_version(text)?,
        None => ctx.session.version,
    };
    let mut name = None;
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        if option.eq_ignore_ascii_case(b"AUTH") && rest.len() >= 2 {
            return Err(Failure::new(
                "ERR AUTH <password> called without any password configured for the default user. \
                 Are you sure your configuration is correct?",
            ));
        }
        match rest.next() {
            Some(value) if option.eq_ignore_ascii_case(b"SETNAME") => {
                name = Some(client::checked_name(value)?);
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(Failure::from(format!(
                    "ERR Syntax error in HELLO option '{option}'"
                )));
            }
        }
    }
    if let Some(name) = name {
        ctx.session.name = name.to_vec();
    }
    ctx.session.version = version;
    ctx.reply.set_version(version);
    greet(ctx);
    Ok(Flow::Continue)
}

fn parse_version(text: &[u8]) -> Result<Version, Failure> {
    match parse_integer(text) {
        Some(2) => Ok(Version::V2),
        Some(3) => Ok(Version::V3),
        Some(_) => Err(Failure::new("NOPROTO unsupported protocol version")),
        None => Err(Failure::new(
            "ERR Protocol version is not an integer or out of range",
        )),
    }
}

fn greet(ctx: &mut Context<'_>) {
    let reply = &mut ctx.reply;
    reply.map(7);
    for (name, value) in [("server", "larder"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(match ctx.session.version {
        Version::V2 => 2,
        Version::V3 => 3,
    });
    reply.bulk(b"id");
    reply.integer(ctx.session.id as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}
