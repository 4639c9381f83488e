//! CONFIG GET.

use larder_resp::Args;

use super::super::{Failure, Outcome};
use super::settings::{SETTINGS, own_settings};
use crate::{Context, Flow};
use larder_engine::glob::{PATTERN_BYTES_MAX, Pattern};

/// The settings that clients of Redis ask for, then those of Larder that are not among them. One that
/// several patterns match is answered once.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let patterns = args.iter().skip(2);
    // One byte more each, so that empty ones cannot be many either.
    let bytes: usize = patterns.clone().map(|pattern| pattern.len() + 1).sum();
    if bytes > PATTERN_BYTES_MAX {
        return Err(Failure::PATTERN_TOO_LONG);
    }
    let patterns = patterns.map(|pattern| Pattern::new(&pattern.to_ascii_lowercase()));
    let patterns: Vec<_> = patterns.collect();
    let is_asked = |name: &str| {
        let mut patterns = patterns.iter();
        patterns.any(|pattern| pattern.matches(name.as_bytes()))
    };
    let known = SETTINGS.iter().filter(|setting| is_asked(setting.name));
    let mut found: Vec<_> = known
        .map(|setting| (setting.name, (setting.read)(ctx)))
        .collect();
    found.extend(own_settings(ctx.shared).filter(|(name, _)| is_asked(name)));
    ctx.reply.map(found.len());
    for (name, value) in &found {
        ctx.reply.bulk(name.as_bytes());
        ctx.reply.bulk(value.as_bytes());
    }
    Ok(Flow::Continue)
}
