//! Ending connections: CLIENT KILL.

use std::sync::Arc;

use larder_engine::Millis;
use larder_resp::{Args, parse_integer};

use super::super::{Failure, Outcome};
use super::list::parse_type;
use crate::clients::{Client, Type};
use crate::{Context, Flow, User};

const NOT_POSITIVE: Failure = Failure::new("ERR client-id should be greater than 0");

/// Who is to be ended: whoever all of this is true of.
#[derive(Default)]
struct Wanted<'a> {
    id: Option<u64>,
    peer: Option<&'a [u8]>,
    local: Option<&'a [u8]>,
    kind: Option<Type>,
    user: Option<Arc<User>>,
    age_seconds_min: Option<u64>,
    spares_me: bool,
}

impl Wanted<'_> {
    fn is(&self, client: &Client, now: Millis) -> bool {
        self.id.is_none_or(|id| id == client.id())
            && self
                .peer
                .is_none_or(|peer| peer == client.peer().as_bytes())
            && self
                .local
                .is_none_or(|local| local == client.local().as_bytes())
            && self.kind.is_none_or(|kind| client.is_of(kind))
            && self
                .user
                .as_ref()
                .is_none_or(|user| user.is(&client.user()))
            && self
                .age_seconds_min
                .is_none_or(|age| client.age_ms(now) / 1000 >= age)
    }
}

/// Whoever may end others is an administrator; everybody may end themselves.
pub(super) fn kill(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_old_form = args.len() == 3;
    let wanted = match is_old_form {
        true => Wanted {
            peer: args.get(2),
            ..Wanted::default()
        },
        false => parse(ctx, args)?,
    };
    ctx.session.publish(ctx.now, ctx.watch.last());
    let mut found = ctx.shared.clients.seen_by(ctx.session.login.user());
    found.retain(|client| wanted.is(client, ctx.now));
    let own = found
        .iter()
        .position(|client| client.id() == ctx.session.id);
    let own = own
        .map(|own| found.remove(own))
        .filter(|_| !wanted.spares_me);
    if !found.is_empty() {
        ctx.session.require_admin()?;
    }
    found.iter().for_each(|client| client.kill());
    let killed = found.len() + usize::from(own.is_some());
    match (is_old_form, killed) {
        (true, 0) => return Err(Failure::new("ERR No such client")),
        (true, _) => ctx.reply.ok(),
        (false, _) => ctx.reply.integer(killed as i64),
    }
    // The own one ends once this is answered.
    Ok(own.map_or(Flow::Continue, |_| Flow::Close))
}

fn parse<'a>(ctx: &Context<'_>, args: Args<'a>) -> Result<Wanted<'a>, Failure> {
    let mut wanted = Wanted {
        spares_me: true,
        ..Wanted::default()
    };
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(Failure::SYNTAX)?;
        match &*option.to_ascii_uppercase() {
            b"ID" => {
                let id = parse_integer(value).and_then(|id| u64::try_from(id).ok());
                wanted.id = Some(id.filter(|id| *id > 0).ok_or(NOT_POSITIVE)?);
            }
            b"TYPE" => wanted.kind = Some(parse_type(value)?),
            b"ADDR" => wanted.peer = Some(value),
            b"LADDR" => wanted.local = Some(value),
            b"USER" => wanted.user = Some(find_user(ctx, value)?),
            b"MAXAGE" => wanted.age_seconds_min = Some(parse_age(value)?),
            b"SKIPME" => {
                wanted.spares_me = match &*value.to_ascii_uppercase() {
                    b"YES" => true,
                    b"NO" => false,
                    _ => return Err(Failure::SYNTAX),
                }
            }
            _ => return Err(Failure::SYNTAX),
        }
    }
    Ok(wanted)
}

fn parse_age(text: &[u8]) -> Result<u64, Failure> {
    let age =
        parse_integer(text).ok_or(Failure::new("ERR maxage is not an integer or out of range"))?;
    let age = u64::try_from(age).ok().filter(|age| *age > 0);
    age.ok_or(Failure::new("ERR maxage should be greater than 0"))
}

/// Who is no administrator learns of no users but themselves.
fn find_user(ctx: &Context<'_>, name: &[u8]) -> Result<Arc<User>, Failure> {
    let own = ctx.session.login.user();
    if name == own.name().as_bytes() {
        return Ok(own.clone());
    }
    ctx.session.require_admin()?;
    let name = String::from_utf8_lossy(name);
    let unknown = || Failure::from(format!("ERR No such user '{name}'"));
    ctx.shared.users.find(&name).ok_or_else(unknown)
}
