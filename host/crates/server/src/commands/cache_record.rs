//! CACHE.RECORD: what clients do to the database, as it happens. The connection does the work.

use larder_engine::recording::{Plan, Salt, Threshold};
use larder_resp::{Args, parse_integer};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "CACHE.RECORD",
    arity: -3,
    flags: &[Flag::Admin, Flag::NoScript, Flag::NoMulti],
    keys: Keys::NONE,
    group: Group::Server,
    categories: &[Category::Dangerous],
    since: "7.2.0",
    summary: "Streams what clients do to the database, keys hashed with a salt",
    action: Action::Run(run),
};

/// Records a second, where nothing else is said.
const RATE_MAX: u64 = 100_000;

const NO_SALT: Failure = Failure::new("ERR SALT has to have 32 hexadecimal digits");
const NO_SAMPLE: Failure = Failure::new("ERR SAMPLE has to be above 0 and 100 percent at most");
const NO_RATE: Failure =
    Failure::new("ERR RATE has to be a whole number of records a second, 1 at least");

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    ctx.session.require_admin()?;
    Ok(Flow::Record(parse(args, ctx.session.db)?))
}

/// Each option once, in any order; the salt is needed, as the server draws none.
fn parse(args: Args<'_>, db: u8) -> Result<Plan, Failure> {
    let (mut salt, mut threshold, mut rate_max) = (None, None, None);
    let mut rest = args.iter().skip(1);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let value = rest.next().ok_or(Failure::SYNTAX)?;
        let is_new = if is(b"SALT") {
            salt.replace(parse_text::<Salt>(value).ok_or(NO_SALT)?)
                .is_none()
        } else if is(b"SAMPLE") {
            let percent = parse_text(value).and_then(Threshold::of_percent);
            threshold.replace(percent.ok_or(NO_SAMPLE)?).is_none()
        } else if is(b"RATE") {
            let rate = parse_integer(value).and_then(|rate| u64::try_from(rate).ok());
            let rate = rate.filter(|&rate| rate > 0).ok_or(NO_RATE)?;
            rate_max.replace(rate).is_none()
        } else {
            false
        };
        if !is_new {
            return Err(Failure::SYNTAX);
        }
    }
    Ok(Plan {
        db,
        salt: salt.ok_or(NO_SALT)?,
        threshold: threshold.unwrap_or(Threshold::ALL),
        rate_max: rate_max.unwrap_or(RATE_MAX),
    })
}

fn parse_text<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}
