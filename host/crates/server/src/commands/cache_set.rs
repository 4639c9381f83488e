//! CACHE.SET: SET, with what a policy may want to know of the value.

use larder_engine::Expiry;
use larder_engine::decision::TextPair;
use larder_resp::{Args, parse_integer};

use super::condition::{Condition, parse_hex};
use super::moment::Scale;
use super::note::{self, Item, Note, PART_BYTES_MAX};
use super::offer::{About, Offer};
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const COMMAND: Command = Command {
    name: "CACHE.SET",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    keys: Keys::FIRST,
    group: Group::String,
    categories: &[Category::String],
    since: "7.2.0",
    summary: "Sets the value of a key and says what policies may want to know of it",
    action: Action::Run(run),
};

const TOO_LONG: Failure = Failure::new("ERR a type, tag or attribute may have 65535 bytes at most");

const STALE_ALONE: Failure =
    Failure::new("ERR STALE is beyond an expiry: say that, too, with EX or PX");
const NO_STALE_TIME: Failure = Failure::new("ERR STALE takes 1 to 4294967295 milliseconds");
const NO_TOKEN: Failure = Failure::new("ERR the token of a lease has 16 hexadecimal digits");
const NO_LEVEL: Failure = Failure::new("ERR SECURITY is high, or is left out");

/// The option whose values are nobody's to see but their readers'.
const SECURITY: &[u8] = b"SECURITY";

/// Whether a request is CACHE.SET with SECURITY, so that nobody is to see what stands behind its key. A tag of that name
/// hides one too many.
pub(crate) fn brings_secret(args: Args<'_>) -> bool {
    let is_security = |arg: &[u8]| arg.eq_ignore_ascii_case(SECURITY);
    args.name().eq_ignore_ascii_case(COMMAND.name.as_bytes())
        && args.iter().skip(3).any(is_security)
}

/// What a value is to be, and what it is not to be.
const CONDITIONS_MAX: usize = 2;

/// What the options say.
#[derive(Default)]
struct Options<'a> {
    deadline: Option<(Scale, &'a [u8])>,
    data_type: Option<&'a [u8]>,
    cost_ms: Option<u64>,
    stale_ms: Option<u32>,
    /// The token of the lease by which it is written.
    lease: Option<u64>,
    tags: Option<Vec<&'a [u8]>>,
    attributes: Option<Vec<TextPair<'a>>>,
    level: Option<&'a [u8]>,
    /// All have to hold.
    conditions: Vec<Condition<'a>>,
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = parse(args)?;
    let expiry = match options.deadline {
        Some((scale, text)) => Expiry::At(scale.deadline(text, ctx.now, "cache.set")?),
        None => Expiry::Never,
    };
    let mut note = options.note()?;
    ctx.require_seal(&note)?;
    let offer = Offer {
        key: ctx.key(&args[1]),
        value: &args[2],
        expiry,
        event: Event::SET,
        about: About {
            data_type: options.data_type.unwrap_or_default(),
            tags: options.tags.as_deref().unwrap_or_default(),
            cost_ms: options.cost_ms,
            attributes: options.attributes.as_deref().unwrap_or_default(),
            note: Note::new(&mut note),
            stale_ms: options.stale_ms.unwrap_or(0),
        },
    };
    let is_stored = match (&options.conditions[..], options.lease) {
        ([], None) => ctx.keep(&offer).map(|()| true)?,
        (conditions, lease) => ctx.keep_if(&offer, conditions, lease)?,
    };
    match is_stored {
        true => ctx.reply.ok(),
        false => ctx.reply.null(),
    }
    Ok(Flow::Continue)
}

/// Each option once, in any order.
fn parse(args: Args<'_>) -> Result<Options<'_>, Failure> {
    let mut options = Options::default();
    let mut rest = args.iter().skip(3);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        let is_new = if is(b"TYPE") {
            options
                .data_type
                .replace(rest.next().ok_or(Failure::SYNTAX)?)
                .is_none()
        } else if is(b"COST") {
            let cost = rest.next().ok_or(Failure::SYNTAX)?;
            let cost = parse_integer(cost).ok_or(Failure::NOT_AN_INTEGER)?;
            let cost = u64::try_from(cost).map_err(|_| Failure::NOT_AN_INTEGER)?;
            options.cost_ms.replace(cost).is_none()
        } else if is(b"STALE") {
            let stale = rest.next().ok_or(Failure::SYNTAX)?;
            let stale = parse_integer(stale).ok_or(Failure::NOT_AN_INTEGER)?;
            let stale = u32::try_from(stale).ok().filter(|stale| *stale > 0);
            let stale = stale.ok_or(NO_STALE_TIME)?;
            options.stale_ms.replace(stale).is_none()
        } else if is(b"LEASE") {
            let token = rest.next().ok_or(Failure::SYNTAX)?;
            let token = parse_hex(token).ok_or(NO_TOKEN)?;
            options.lease.replace(token).is_none()
        } else if is(b"TAGS") {
            let tags = take(&mut rest, 1)?;
            options.tags.replace(tags).is_none()
        } else if is(b"ATTR") {
            let parts = take(&mut rest, 2)?;
            let pairs = parts
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]))
                .collect();
            options.attributes.replace(pairs).is_none()
        } else if is(SECURITY) {
            let level = rest.next().ok_or(Failure::SYNTAX)?;
            if !level.eq_ignore_ascii_case(b"HIGH") {
                return Err(NO_LEVEL);
            }
            options.level.replace(level).is_none()
        } else if is(b"EX") || is(b"PX") {
            let scale = Scale::of_option(option).ok_or(Failure::SYNTAX)?;
            let text = rest.next().ok_or(Failure::SYNTAX)?;
            options.deadline.replace((scale, text)).is_none()
        } else {
            let condition = Condition::parse(option, &mut rest)?.ok_or(Failure::SYNTAX)?;
            options.conditions.push(condition);
            options.conditions.len() <= CONDITIONS_MAX
        };
        if !is_new {
            return Err(Failure::SYNTAX);
        }
    }
    match options.stale_ms.is_some() && options.deadline.is_none() {
        true => Err(STALE_ALONE),
        false => Ok(options),
    }
}

/// A count, and so many times `each` arguments.
fn take<'a>(
    rest: &mut impl Iterator<Item = &'a [u8]>,
    each: usize,
) -> Result<Vec<&'a [u8]>, Failure> {
    let count = rest
        .next()
        .and_then(parse_integer)
        .ok_or(Failure::NOT_AN_INTEGER)?;
    let wanted = usize::try_from(count)
        .ok()
        .and_then(|count| count.checked_mul(each))
        .ok_or(Failure::NOT_AN_INTEGER)?;
    // Taken one by one: what the client counts is no reason to allocate.
    let parts: Vec<_> = rest.take(wanted).collect();
    if parts.len() < wanted {
        return Err(Failure::SYNTAX);
    }
    Ok(parts)
}

impl Options<'_> {
    fn note(&self) -> Result<Vec<u8>, Failure> {
        let data_type = self.data_type.map(Item::Type);
        let cost = self.cost_ms.map(Item::CostMs);
        let tags = self.tags.iter().flatten().map(|tag| Item::Tag(tag));
        let attributes = self.attributes.iter().flatten();
        let attributes = attributes.map(|(name, value)| Item::Attribute(name, value));
        let secret = self.level.map(|_| Item::Secret);
        let mut note = Vec::new();
        for item in tags
            .chain(data_type)
            .chain(cost)
            .chain(attributes)
            .chain(secret)
        {
            let longest = match item {
                Item::Type(part) | Item::Tag(part) => part.len(),
                Item::Attribute(name, value) => name.len().max(value.len()),
                Item::CostMs(_) | Item::Secret => 0,
            };
            if longest > PART_BYTES_MAX {
                return Err(TOO_LONG);
            }
            note::push(&mut note, item);
        }
        Ok(note)
    }
}
