//! RENAME, RENAMENX, COPY and MOVE: an entry under another key or in another database, with its
//! expiry and what it carries beside its value.

use larder_engine::{Access, Edit, Expiry, Key, Label};
use larder_resp::Args;

use super::select::database;
use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::onlookers::Event;
use crate::{Context, Flow};

pub(super) const RENAME: Command = Command {
    name: "RENAME",
    arity: 3,
    flags: &[Flag::Write],
    keys: Keys::FIRST_TWO,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "1.0.0",
    summary: "Gives an entry another key, whose own entry goes",
    action: Action::Run(|ctx, args| {
        rename(ctx, args, true)?;
        ctx.reply.ok();
        Ok(Flow::Continue)
    }),
};

pub(super) const RENAMENX: Command = Command {
    name: "RENAMENX",
    flags: &[Flag::Write, Flag::Fast],
    summary: "Gives an entry another key unless that exists",
    action: Action::Run(|ctx, args| {
        let renamed = rename(ctx, args, false)?;
        ctx.reply.integer(renamed.into());
        Ok(Flow::Continue)
    }),
    ..RENAME
};

pub(super) const COPY: Command = Command {
    name: "COPY",
    arity: -3,
    flags: &[Flag::Write, Flag::DenyOom],
    since: "6.2.0",
    summary: "Copies an entry to another key or database",
    action: Action::Run(copy),
    ..RENAME
};

pub(super) const MOVE: Command = Command {
    name: "MOVE",
    flags: &[Flag::Write, Flag::Fast],
    keys: Keys::FIRST,
    summary: "Moves an entry to another database unless its key exists there",
    action: Action::Run(move_to),
    ..RENAME
};

const SAME: Failure = Failure::new("ERR source and destination objects are the same");

/// What is to become of an entry.
#[derive(Clone, Copy)]
struct Relocation<'k> {
    from: Key<'k>,
    to: Key<'k>,
    /// What is told of the key that goes, if one does, and of the one that comes.
    events: (Option<Event>, Event),
    /// Whether an entry that is there already goes.
    replaces: bool,
    /// Whether the entry stays where it was, too.
    copies: bool,
}

/// What came of it.
#[derive(PartialEq, Eq)]
enum Relocated {
    Done,
    NothingThere,
    TargetExists,
}

fn rename(ctx: &mut Context<'_>, args: Args<'_>, replaces: bool) -> Result<bool, Failure> {
    let relocation = Relocation {
        from: ctx.key(&args[1]),
        to: ctx.key(&args[2]),
        events: (Some(Event::RENAME_FROM), Event::RENAME_TO),
        replaces,
        copies: false,
    };
    match relocate(ctx, relocation)? {
        Relocated::NothingThere => Err(Failure::new("ERR no such key")),
        relocated => Ok(relocated == Relocated::Done),
    }
}

fn copy(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let (mut db, mut replaces) = (ctx.session.db, false);
    let mut rest = args.iter().skip(3);
    while let Some(option) = rest.next() {
        if option.eq_ignore_ascii_case(b"REPLACE") {
            replaces = true;
        } else if option.eq_ignore_ascii_case(b"DB") {
            db = database(rest.next().ok_or(Failure::SYNTAX)?)?;
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    let relocation = Relocation {
        from: ctx.key(&args[1]),
        to: Key::new(db, &args[2]),
        events: (None, Event::COPY_TO),
        replaces,
        copies: true,
    };
    reply_relocated(ctx, relocation)
}

fn move_to(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let relocation = Relocation {
        from: ctx.key(&args[1]),
        to: Key::new(database(&args[2])?, &args[1]),
        events: (Some(Event::MOVE_FROM), Event::MOVE_TO),
        replaces: false,
        copies: false,
    };
    reply_relocated(ctx, relocation)
}

fn reply_relocated(ctx: &mut Context<'_>, relocation: Relocation<'_>) -> Outcome {
    if relocation.from == relocation.to {
        return Err(SAME);
    }
    let relocated = relocate(ctx, relocation)?;
    ctx.reply.integer((relocated == Relocated::Done).into());
    Ok(Flow::Continue)
}

/// All of it at one moment. It is there twice for that moment, and room is made for it; where there is
/// none, nothing has changed.
fn relocate(ctx: &mut Context<'_>, relocation: Relocation<'_>) -> Result<Relocated, Failure> {
    let Relocation {
        from,
        to,
        events,
        replaces,
        copies,
    } = relocation;
    let (now, onlookers) = (ctx.now, ctx.onlookers());
    let bytes = ctx.store.peek(from, now, |entry| {
        entry.value().len() + entry.label().bytes()
    });
    let Some(bytes) = bytes else {
        ctx.notify_missing(from, copies);
        return Ok(Relocated::NothingThere);
    };
    if from == to {
        return Ok(match replaces {
            true => Relocated::Done,
            false => Relocated::TargetExists,
        });
    }
    let mut locked = ctx.store.lock([from, to], bytes, now)?;
    let exists = locked.peek(to, now, |_| ()).is_some();
    let read = |entry: larder_engine::Entry<'_>| {
        let label = entry.label();
        let expiry = entry.expires_at().map_or(Expiry::Never, Expiry::At);
        let value = match exists && !replaces {
            true => Vec::new(),
            false => entry.value().to_vec(),
        };
        let note = label.note.to_vec();
        (value, expiry, label.priority, note, label.times)
    };
    let found = match copies {
        true => locked.get(from, now, read),
        false => locked.peek(from, now, read),
    };
    let Some((value, expiry, priority, note, times)) = found else {
        return Ok(Relocated::NothingThere);
    };
    if exists && !replaces {
        return Ok(Relocated::TargetExists);
    }
    locked.update(to, now, Access::Write, |_| {
        let put = Edit::Put {
            value: (&value[..]).into(),
            expiry,
            label: Some(Label {
                priority,
                note: &note,
                times,
            }),
        };
        (put, ())
    })?;
    if !copies {
        locked.remove(from, now);
    }
    onlookers.notify(Event::NEW, to);
    let (from_event, to_event) = events;
    if let Some(event) = from_event {
        onlookers.notify(event, from);
    }
    onlookers.notify(to_event, to);
    Ok(Relocated::Done)
}
