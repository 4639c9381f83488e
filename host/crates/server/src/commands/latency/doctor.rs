//! LATENCY DOCTOR.

use std::fmt::Write;
use std::sync::atomic::Ordering;

use larder_resp::Args;

use super::super::Outcome;
use crate::latency::Event;
use crate::{Context, Flow};

pub(super) fn run(ctx: &mut Context<'_>, _args: Args<'_>) -> Outcome {
    let tuning = &ctx.shared.tuning;
    let threshold_ms = tuning.latency_threshold_ms.load(Ordering::Relaxed);
    let report = if threshold_ms == 0 {
        "Nothing is watched: CONFIG SET latency-monitor-threshold <milliseconds> says from when on \
         something counts as slow.\n"
            .to_owned()
    } else {
        report(ctx, threshold_ms)
    };
    ctx.reply.verbatim(&report);
    Ok(Flow::Continue)
}

fn report(ctx: &Context<'_>, threshold_ms: u64) -> String {
    let mut report = String::new();
    for event in Event::ALL {
        let history = ctx.shared.latency.history(event);
        let samples = &history.samples;
        if samples.is_empty() {
            continue;
        }
        let mean_ms = samples.iter().map(|sample| sample.ms).sum::<u64>() / samples.len() as u64;
        // Writing to a string cannot fail.
        let _ = writeln!(
            report,
            "{}: in {} seconds something took {threshold_ms} ms or more, {mean_ms} ms on average \
             and {} ms at most. {}",
            event.name(),
            samples.len(),
            history.ms_max,
            advice(event),
        );
    }
    if report.is_empty() {
        report = format!("Nothing took {threshold_ms} ms or more.\n");
    }
    report
}

const fn advice(event: Event) -> &'static str {
    match event {
        Event::Command => {
            "SLOWLOG GET shows which commands. Those over many keys or large values take long by \
             nature: use fewer keys at once, and SCAN instead of KEYS."
        }
        Event::FastCommand => {
            "These should be brief: the machine may lack processor time (more threads than \
             processors, other programs, a limit of its container), or a policy takes long \
             (POLICY INFO tells the mean of its calls)."
        }
        Event::Maintenance => {
            "Much expires at once, or a policy takes long over what it is told. Requests are \
             served meanwhile."
        }
    }
}
