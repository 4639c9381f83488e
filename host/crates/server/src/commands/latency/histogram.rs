//! LATENCY HISTOGRAM.

use larder_resp::Args;

use super::super::Outcome;
use crate::meter::{CommandFigures, Latency};
use crate::{Context, Flow};

/// Bounds are powers of two of nanoseconds from 1 µs to 69 s.
const BOUND_EXPONENTS: std::ops::RangeInclusive<u32> = 10..=36;

/// Of the commands named, of all subcommands of a container, or of all; only those that were called.
pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let is_asked = |figures: &CommandFigures| {
        let container = figures.name.split('|').next().unwrap_or_default();
        args.len() == 2
            || args.iter().skip(2).any(|wanted| {
                [&*figures.name, container]
                    .iter()
                    .any(|name| wanted.eq_ignore_ascii_case(name.as_bytes()))
            })
    };
    let shared = ctx.shared;
    let counted = shared.baseline.counted_since(shared.counted());
    let mut commands = counted.commands();
    commands.retain(|figures| figures.calls > 0 && is_asked(figures));
    ctx.reply.map(commands.len());
    for command in &commands {
        ctx.reply.bulk(command.name.as_bytes());
        ctx.reply.map(2);
        ctx.reply.bulk(b"calls");
        ctx.reply.integer(command.calls as i64);
        ctx.reply.bulk(b"histogram_usec");
        let steps = steps(&command.latency);
        ctx.reply.map(steps.len());
        for (bound_us, count) in steps {
            ctx.reply.integer(bound_us as i64);
            ctx.reply.integer(count as i64);
        }
    }
    Ok(Flow::Continue)
}

/// Upper bounds in microseconds, rounded up, each with how many calls took less; bounds that add none are
/// left out.
fn steps(latency: &Latency) -> Vec<(u64, u64)> {
    let mut seen = 0;
    let bounds = BOUND_EXPONENTS.map(|exponent| 1u64 << exponent);
    let steps = bounds.filter_map(|bound_ns| {
        let count = latency.below(bound_ns);
        let adds = count > std::mem::replace(&mut seen, count);
        adds.then_some((bound_ns.div_ceil(1000), count))
    });
    steps.collect()
}
