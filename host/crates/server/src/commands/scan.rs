//! SCAN.

use larder_engine::glob::{PATTERN_BYTES_MAX, Pattern};
use larder_resp::{Args, Reply};

use super::{Action, Category, Command, Failure, Flag, Group, Keys, Outcome};
use crate::{Context, Flow};
use larder_resp::parse_integer;

pub(super) const COMMAND: Command = Command {
    name: "SCAN",
    arity: -2,
    flags: &[Flag::ReadOnly],
    keys: Keys::NONE,
    group: Group::Generic,
    categories: &[Category::Keyspace],
    since: "2.8.0",
    summary: "Returns the keys of the selected database, some at a time",
    action: Action::Run(run),
};

const COUNT_DEFAULT: usize = 10;
/// Most entries that one call visits. COUNT is a hint, so asking for more is no error.
const COUNT_MAX: usize = 1 << 16;
/// Most entries visited while a shard stays locked.
const STEP: usize = 128;
/// Bytes of keys looked at after which a call ends early.
const KEY_BYTES: usize = 4 << 20;

/// What the options ask for.
struct Options {
    pattern: Option<Pattern>,
    count: usize,
    /// Whether the TYPE asked for, if any, is one that there is.
    type_exists: bool,
}

fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let cursor = str::from_utf8(&args[1])
        .ok()
        .and_then(|text| text.parse().ok());
    let mut cursor: u64 = cursor.ok_or(Failure::new("ERR invalid cursor"))?;
    let options = parse_options(args)?;
    let (mut visited, mut matching, mut looked_bytes) = (0, 0, 0);
    let mut keys = Vec::new();
    for _ in 0..options.count.div_ceil(STEP) {
        let step = (options.count - visited).min(STEP);
        cursor = ctx
            .store
            .scan(ctx.session.db, cursor, step, ctx.now, &mut |key| {
                visited += 1;
                looked_bytes += key.len();
                let pattern = options.pattern.as_ref();
                if options.type_exists && pattern.is_none_or(|pattern| pattern.matches(key)) {
                    matching += 1;
                    Reply::new(&mut keys, ctx.session.version).bulk(key);
                }
            });
        if cursor == 0 || visited >= options.count || looked_bytes >= KEY_BYTES {
            break;
        }
    }
    ctx.reply.array(2);
    ctx.reply
        .bulk(itoa::Buffer::new().format(cursor).as_bytes());
    ctx.reply.array(matching);
    ctx.reply.raw(&keys);
    Ok(Flow::Continue)
}

fn parse_options(args: Args<'_>) -> Result<Options, Failure> {
    let mut options = Options {
        pattern: None,
        count: COUNT_DEFAULT,
        type_exists: true,
    };
    let mut rest = args.iter().skip(2);
    while let Some(option) = rest.next() {
        let value = rest.next().ok_or(Failure::SYNTAX)?;
        if option.eq_ignore_ascii_case(b"COUNT") {
            let count = parse_integer(value).ok_or(Failure::NOT_AN_INTEGER)?;
            let count = usize::try_from(count).ok().filter(|&count| count > 0);
            options.count = count.ok_or(Failure::SYNTAX)?.min(COUNT_MAX);
        } else if option.eq_ignore_ascii_case(b"MATCH") {
            if value.len() > PATTERN_BYTES_MAX {
                return Err(Failure::PATTERN_TOO_LONG);
            }
            options.pattern = Some(Pattern::new(value));
        } else if option.eq_ignore_ascii_case(b"TYPE") {
            options.type_exists = value.eq_ignore_ascii_case(b"string");
        } else {
            return Err(Failure::SYNTAX);
        }
    }
    Ok(options)
}
