//! What is counted by command, and by code of error.

use super::sections::{Figures, Lines, line};

pub(super) fn calls(figures: &Figures<'_>) -> Lines {
    let commands = figures.counted().commands();
    let lines = commands.iter().map(|command| {
        let us = command.ns as f64 / 1000.0;
        let mean_us = us / command.calls.max(1) as f64;
        let value = format!(
            "calls={},usec={us:.0},usec_per_call={mean_us:.2},rejected_calls={},failed_calls={}",
            command.calls, command.rejected, command.failed
        );
        line(format!("cmdstat_{}", command.name), value)
    });
    lines.collect()
}

pub(super) fn errors(figures: &Figures<'_>) -> Lines {
    let by_code = figures.counted().errors;
    let lines = by_code
        .iter()
        .map(|(code, count)| line(format!("errorstat_{code}"), format!("count={count}")));
    lines.collect()
}

pub(super) fn latencies(figures: &Figures<'_>) -> Lines {
    let commands = figures.counted().commands();
    let called = commands.iter().filter(|command| command.calls > 0);
    let lines = called.map(|command| {
        let us = |percent| command.latency.percentile(percent) as f64 / 1000.0;
        let value = format!(
            "p50={:.3},p99={:.3},p99.9={:.3}",
            us(50.0),
            us(99.0),
            us(99.9)
        );
        line(format!("latency_percentiles_usec_{}", command.name), value)
    });
    lines.collect()
}
