//! Settings that are words: the level of the log, sizes with a unit.

use super::settings::Step;
use crate::Context;

/// Levels as Redis calls them, each with what Larder calls it.
const REDIS_LEVELS: [(&str, &str); 4] = [
    ("debug", "debug"),
    ("verbose", "debug"),
    ("notice", "info"),
    ("warning", "warn"),
];

/// A level, or levels by module.
pub(super) fn log_level(ctx: &Context<'_>, text: &str) -> Result<Step, String> {
    (ctx.shared.log.check)(text)?;
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

pub(super) fn set_redis_log_level(ctx: &Context<'_>, text: &str) -> Result<Step, String> {
    let mut levels = REDIS_LEVELS.iter();
    let (_, own) = levels
        .find(|(redis, _)| redis.eq_ignore_ascii_case(text))
        .ok_or("argument(s) must be one of the following: debug, verbose, notice, warning")?;
    log_level(ctx, own)
}

/// Units of sizes as Redis has them.
const UNITS: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("k", 1000),
    ("kb", 1 << 10),
    ("m", 1_000_000),
    ("mb", 1 << 20),
    ("g", 1_000_000_000),
    ("gb", 1 << 30),
];

/// The memory of the connection's tenant.
pub(super) fn memory(ctx: &Context<'_>, text: &str) -> Result<Step, String> {
    let bytes = size(text).ok_or("argument must be a memory value")?;
    let tenant = ctx.session.tenant.clone();
    let bounds = tenant.memory_bounds();
    if !bounds.contains(&bytes) {
        let (least, most) = (bounds.start(), bounds.end());
        return Err(format!(
            "argument must be between {least} and {most} inclusive: a quarter and all of the memory that the \
             server was started with for the tenant"
        ));
    }
    Ok(Box::new(move |_| {
        tenant.set_memory(bytes);
    }))
}

fn size(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let known = |(name, _): &&(&str, u64)| unit.eq_ignore_ascii_case(name);
    let (_, bytes) = UNITS.iter().find(known)?;
    number.parse::<u64>().ok()?.checked_mul(*bytes)
}
