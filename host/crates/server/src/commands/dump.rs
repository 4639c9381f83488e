//! DUMP and RESTORE: a value, and what its client said of it, as bytes of Larder's own form.

use larder_engine::tags::unstamp;
use larder_engine::{Access, Edit, Expiry};
use larder_resp::{Args, parse_integer};
use xxhash_rust::xxh3::xxh3_64;

use super::note::{Item, Note, items};
use super::offer::{About, Offer, is_past};
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const DUMP: Command = Command {
    name: "DUMP",
    arity: 2,
    flags: &[Flag::ReadOnly],
    keys: Keys::FIRST,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "2.6.0",
    summary: "Returns the value of a key in a form for RESTORE",
    action: Action::Run(dump),
};

pub(super) const RESTORE: Command = Command {
    name: "RESTORE",
    arity: -4,
    flags: &[Flag::Write, Flag::DenyOom],
    categories: &[Category::Keyspace, Category::Dangerous],
    summary: "Sets the value of a key to what DUMP returned",
    action: Action::Run(restore),
    ..DUMP
};

const BUSY: Failure = Failure::new("BUSYKEY Target key name already exists.");
const WRONG_PAYLOAD: Failure = Failure::new("ERR DUMP payload version or checksum are wrong");

/// Version of the form: the value, the note, the note's length in two bytes, this version in one, and
/// the XXH3 checksum of all that in eight; numbers are little-endian.
const VERSION: u8 = 1;

/// Priorities are not dumped: policies decide over them, and do so again.
fn dump(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let key = ctx.key(&args[1]);
    let payload = ctx.read(key, |entry| seal(entry.value(), entry.label().note));
    ctx.reply_bulk_or_null(payload.as_deref());
    Ok(Flow::Continue)
}

fn seal(value: &[u8], note: &[u8]) -> Vec<u8> {
    let note_len = u16::try_from(note.len()).unwrap_or(u16::MAX);
    let note = &note[..usize::from(note_len)];
    let mut payload = [value, note, &note_len.to_le_bytes(), &[VERSION]].concat();
    let sum = xxh3_64(&payload);
    payload.extend_from_slice(&sum.to_le_bytes());
    payload
}

/// The value and the note of a payload; `None` where it is none.
fn open(payload: &[u8]) -> Option<(&[u8], &[u8])> {
    let (sealed, sum) = payload.split_last_chunk()?;
    if u64::from_le_bytes(*sum) != xxh3_64(sealed) {
        return None;
    }
    let (content, [low, high, VERSION]) = sealed.split_last_chunk()? else {
        return None;
    };
    let note_len = usize::from(u16::from_le_bytes([*low, *high]));
    content.split_at_checked(content.len().checked_sub(note_len)?)
}

/// What the options ask for.
#[derive(Default)]
struct Options {
    replaces: bool,
    is_absolute: bool,
}

fn restore(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let options = parse(args)?;
    let key = ctx.key(&args[1]);
    let exists = ctx.store.peek(key, ctx.now, |_| ()).is_some();
    if exists && !options.replaces {
        return Err(BUSY);
    }
    let ttl = parse_integer(&args[2]).ok_or(Failure::NOT_AN_INTEGER)?;
    let ttl =
        u64::try_from(ttl).map_err(|_| Failure::new("ERR Invalid TTL value, must be >= 0"))?;
    let (value, note) = open(&args[3]).ok_or(WRONG_PAYLOAD)?;
    // It may come from elsewhere, and is as new as what is written here.
    let mut note = note.to_vec();
    unstamp(&mut note);
    let note = &note[..];
    let expiry = match (ttl, options.is_absolute) {
        (0, _) => Expiry::Never,
        (ttl, true) => Expiry::At(ttl),
        (ttl, false) => Expiry::At(ctx.now.saturating_add(ttl)),
    };
    let (mut tags, mut attributes) = (Vec::new(), Vec::new());
    let mut kept = note.to_vec();
    let mut about = About {
        note: Note::new(&mut kept),
        ..About::default()
    };
    for item in items(note) {
        match item {
            Item::Type(name) => about.data_type = name,
            Item::Tag(tag) => tags.push(tag),
            Item::CostMs(cost_ms) => about.cost_ms = Some(cost_ms),
            Item::Attribute(name, value) => attributes.push((name, value)),
            Item::Secret => ctx.require_seal(note)?,
        }
    }
    (about.tags, about.attributes) = (&tags, &attributes);
    let offer = Offer {
        key,
        value,
        expiry,
        event: Event::RESTORE,
        about,
    };
    match options.replaces {
        true => ctx.keep(&offer)?,
        false => store_new(ctx, &offer)?,
    }
    ctx.reply.ok();
    Ok(Flow::Continue)
}

/// As `store`, unless somebody wrote the key meanwhile.
fn store_new(ctx: &mut Context<'_>, offer: &Offer<'_>) -> Result<(), Failure> {
    if is_past(offer.expiry, ctx.now) {
        return Ok(());
    }
    let kept = ctx.decide(offer);
    let bytes = offer.bytes(kept);
    let is_new = ctx.store.update(
        offer.key,
        ctx.now,
        Access::Write,
        bytes,
        |entry| match entry {
            Some(_) => (Edit::Keep, false),
            None => (offer.edit(kept), true),
        },
    )?;
    if !is_new {
        return Err(BUSY);
    }
    let expiry = kept.map(|kept| kept.expiry);
    ctx.onlookers().notify_kept(offer, expiry, false);
    Ok(())
}

/// How long a value was idle and how often it was used is for the eviction policy to find out: IDLETIME
/// and FREQ are checked and change nothing.
fn parse(args: Args<'_>) -> Result<Options, Failure> {
    let mut options = Options::default();
    let (mut idle, mut frequency) = (false, false);
    let mut rest = args.iter().skip(4);
    while let Some(option) = rest.next() {
        let is = |name: &[u8]| option.eq_ignore_ascii_case(name);
        if is(b"REPLACE") {
            options.replaces = true;
        } else if is(b"ABSTTL") {
            options.is_absolute = true;
        } else if is(b"IDLETIME") && !frequency {
            if number(rest.next())? < 0 {
                return Err(Failure::new("ERR Invalid IDLETIME value, must be >= 0"));
            }
            idle = true;
        } else if is(b"FREQ") && !idle {
            if !(0..=255).contains(&number(rest.next())?) {
                return Err(Failure::new(
                    "ERR Invalid FREQ value, must be >= 0 and <= 255",
                ));
            }
            frequency = true;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    Ok(options)
}

fn number(text: Option<&[u8]>) -> Result<i64, Failure> {
    parse_integer(text.ok_or(Failure::SYNTAX)?).ok_or(Failure::NOT_AN_INTEGER)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_sealed_is_opened_and_nothing_else_is(
            value in prop::collection::vec(any::<u8>(), 0..50),
            note in prop::collection::vec(any::<u8>(), 0..50),
            at in any::<prop::sample::Index>(),
            bit in 0..8_u32,
        ) {
            let mut payload = seal(&value, &note);
            prop_assert_eq!(open(&payload), Some((&value[..], &note[..])));
            prop_assert_eq!(open(&payload[..at.index(payload.len())]), None);
            let at = at.index(payload.len());
            payload[at] ^= 1_u8 << bit;
            prop_assert_eq!(open(&payload), None);
            prop_assert_eq!(open(&value), None);
        }
    }
}
