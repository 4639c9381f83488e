//! Settings that are words: the level of the log.

use super::settings::Step;
use crate::{Context, Shared};

/// Levels as Redis calls them, each with what Larder calls it.
const REDIS_LEVELS: [(&str, &str); 4] = [
    ("debug", "debug"),
    ("verbose", "debug"),
    ("notice", "info"),
    ("warning", "warn"),
];

/// A level, or levels by module.
pub(super) fn log_level(shared: &Shared, text: &str) -> Result<Step, String> {
    (shared.log.check)(text)?;
    let text = text.to_owned();
    Ok(Box::new(move |shared| (shared.log.change)(&text)))
}

/// The level as Redis would call it; levels by module count as what is usual.
pub(super) fn redis_log_level(ctx: &Context<'_>) -> String {
    let level = (ctx.shared.log.read)();
    let redis = match &*level {
        "trace" => "debug",
        "error" | "off" => "warning",
        _ => REDIS_LEVELS
            .iter()
            .find(|(_, own)| *own == level)
            .map_or("notice", |(redis, _)| redis),
    };
    redis.to_owned()
}

pub(super) fn set_redis_log_level(shared: &Shared, text: &str) -> Result<Step, String> {
    let mut levels = REDIS_LEVELS.iter();
    let (_, own) = levels
        .find(|(redis, _)| redis.eq_ignore_ascii_case(text))
        .ok_or("argument(s) must be one of the following: debug, verbose, notice, warning")?;
    log_level(shared, own)
}
