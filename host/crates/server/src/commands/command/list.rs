//! COMMAND LIST.

use larder_resp::Args;

use super::super::Failure;
use super::super::table::TABLE;
use super::info::categories;
use super::{Named, Outcome};
use crate::{Context, Flow};
use larder_engine::glob::{PATTERN_BYTES_MAX, Pattern};

/// Which commands are listed.
enum Filter {
    All,
    /// None comes from a module.
    Module,
    Category(String),
    Pattern(Pattern),
}

/// Subcommands are listed by their full names.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let filter = parse_filter(args)?;
    let all = TABLE.iter().map(Named::of_table);
    let all = all.flat_map(|named| named.subcommands().chain([named]).collect::<Vec<_>>());
    let listed: Vec<Named> = all.filter(|named| filter.admits(named)).collect();
    ctx.reply.array(listed.len());
    listed
        .iter()
        .for_each(|named| ctx.reply.bulk(named.name.as_bytes()));
    Ok(Flow::Continue)
}

fn parse_filter(args: Args<'_>) -> Result<Filter, Failure> {
    if args.len() == 2 {
        return Ok(Filter::All);
    }
    if args.len() != 5 || !args[2].eq_ignore_ascii_case(b"FILTERBY") {
        return Err(Failure::SYNTAX);
    }
    let value = args[4].to_ascii_lowercase();
    match args[3].to_ascii_uppercase().as_slice() {
        b"MODULE" => Ok(Filter::Module),
        b"ACLCAT" => Ok(Filter::Category(format!(
            "@{}",
            String::from_utf8_lossy(&value)
        ))),
        b"PATTERN" if value.len() > PATTERN_BYTES_MAX => Err(Failure::PATTERN_TOO_LONG),
        b"PATTERN" => Ok(Filter::Pattern(Pattern::new(&value))),
        _ => Err(Failure::SYNTAX),
    }
}

impl Filter {
    fn admits(&self, named: &Named) -> bool {
        match self {
            Self::All => true,
            Self::Module => false,
            Self::Category(category) => categories(named.command).contains(&category.as_str()),
            Self::Pattern(pattern) => pattern.matches(named.name.as_bytes()),
        }
    }
}
