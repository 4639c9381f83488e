//! HELLO: the greeting that chooses the version of the protocol.

use larder_resp::{Args, Reply, Version};

use super::{Action, Command, Failure, Outcome, auth, client};
use crate::users::{Hello, SignIn};
use crate::{Context, Flow, Session};
use larder_resp::parse_integer;

pub(super) const COMMAND: Command = Command {
    name: "HELLO",
    arity: -1,
    since: "6.0.0",
    summary: "Chooses the version of the protocol and tells about the server",
    action: Action::Run(run),
    ..auth::COMMAND
};

/// The version of Redis whose behaviour clients may rely on.
pub(super) const REDIS_VERSION: &str = "7.2.4";

const NO_AUTH: Failure = Failure::new(
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> \
     AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
     version at the same time",
);

/// Nothing changes unless every option is right.
fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let version = match args.get(1) {
        Some(text) => parse_version(text)?,
        None => ctx.session.version,
    };
    let (mut name, mut credentials) = (None, None);
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        let is_auth = option.eq_ignore_ascii_case(b"AUTH") && rest.len() >= 2;
        match rest.next() {
            Some(user) if is_auth => credentials = rest.next().map(|password| (user, password)),
            Some(value) if option.eq_ignore_ascii_case(b"SETNAME") => {
                name = Some(client::checked_name(value)?.to_vec());
            }
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(Failure::from(format!(
                    "ERR Syntax error in HELLO option '{option}'"
                )));
            }
        }
    }
    let wanted = Hello { version, name };
    match credentials {
        Some((user, password)) => {
            let sign_in = SignIn {
                name: String::from_utf8_lossy(user).into_owned(),
                password: password.to_vec(),
                hello: Some(wanted),
            };
            auth::begin(ctx, sign_in)
        }
        None if !ctx.session.login.is_signed_in() => Err(NO_AUTH),
        None => {
            greet(ctx.session, &wanted, &mut ctx.reply);
            Ok(Flow::Continue)
        }
    }
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

/// Changes what was asked for, and tells of the server.
pub(super) fn greet(session: &mut Session, wanted: &Hello, reply: &mut Reply<'_>) {
    if let Some(name) = &wanted.name {
        session.client.set_name(name);
    }
    session.set_version(wanted.version);
    reply.set_version(wanted.version);
    reply.map(7);
    for (name, value) in [("server", "larder"), ("version", REDIS_VERSION)] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(match wanted.version {
        Version::V2 => 2,
        Version::V3 => 3,
    });
    reply.bulk(b"id");
    reply.integer(session.id as i64);
    for (name, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
}
