//! LATENCY GRAPH: the samples of an event, drawn in characters as Redis draws them.

use std::collections::VecDeque;

use larder_resp::Args;

use super::super::{Failure, Outcome};
use crate::latency::{Event, History, Sample};
use crate::{Context, Flow};

/// Samples beside one another; the rest follows below.
const COLUMNS: usize = 80;
/// Lines that a column may be high, and heights that a line tells apart, each with its sign.
const ROWS: usize = 4;
const SIGNS: [char; 3] = ['_', 'o', '#'];
const FULL: char = '|';

pub(super) fn run(ctx: &mut Context<'_>, args: Args<'_>) -> Outcome {
    let event = Event::named(&args[2]);
    let history = event.map(|event| (event, ctx.shared.latency.history(event)));
    let Some((event, history)) = history.filter(|(_, history)| !history.samples.is_empty()) else {
        let name = String::from_utf8_lossy(&args[2]);
        let text = format!("ERR No samples available for event '{name}'");
        return Err(Failure::from(text));
    };
    ctx.reply.verbatim(&graph(event, &history, ctx.now / 1000));
    Ok(Flow::Continue)
}

fn graph(event: Event, history: &History, now_s: u64) -> String {
    let samples = &history.samples;
    let latencies = || samples.iter().map(|sample| sample.ms);
    let (low, high) = (
        latencies().min().unwrap_or(0),
        latencies().max().unwrap_or(0),
    );
    let mut graph = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        event.name(),
        history.ms_max,
        "-".repeat(COLUMNS)
    );
    for from in (0..samples.len()).step_by(COLUMNS) {
        if from > 0 {
            graph.push('\n');
        }
        let shown = samples.range(from..samples.len().min(from + COLUMNS));
        draw(&mut graph, &shown.copied().collect(), (low, high), now_s);
    }
    graph
}

/// Draws some samples, and below them how long ago they were, downwards.
fn draw(graph: &mut String, samples: &VecDeque<Sample>, (low, high): (u64, u64), now_s: u64) {
    let steps = (SIGNS.len() * ROWS) as u64;
    let range = (high - low).max(1);
    let height = |sample: &Sample| ((sample.ms - low) * steps / range).min(steps - 1) as usize;
    for row in (0..ROWS).rev() {
        let sign = |sample: &Sample| match height(sample).checked_sub(row * SIGNS.len()) {
            None => ' ',
            Some(above) => SIGNS.get(above).copied().unwrap_or(FULL),
        };
        graph.extend(samples.iter().map(sign));
        graph.push('\n');
    }
    let labels: Vec<_> = samples.iter().map(|sample| ago(sample, now_s)).collect();
    let lines = labels.iter().map(String::len).max().unwrap_or(0);
    graph.extend([" ".repeat(samples.len()), "\n".to_owned()]);
    for line in 0..lines {
        let letter = |label: &String| label.chars().nth(line).unwrap_or(' ');
        graph.extend(labels.iter().map(letter));
        graph.push('\n');
    }
}

fn ago(sample: &Sample, now_s: u64) -> String {
    match now_s.saturating_sub(sample.at_s) {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..86_400 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_drawn_as_in_redis() {
        let samples = [(3, 100), (40, 150), (55, 500), (99, 101), (100, 300)];
        let history = History {
            samples: samples.map(|(at_s, ms)| Sample { at_s, ms }).into(),
            ms_max: 5003,
        };
        // As drawn by the code of Redis 7.0 for these figures.
        let expected = [
            "command - high 500 ms, low 100 ms (all time high 5003 ms)",
            &"-".repeat(80),
            "  #  ",
            "  | _",
            "  | |",
            "_o|_|",
            "     ",
            "11410",
            "mm5ss",
            "  s  ",
            "",
        ];
        let expected = expected.join("\n");
        assert_eq!(graph(Event::Command, &history, 100), expected);
    }

    #[test]
    fn what_does_not_fit_is_drawn_below() {
        let samples = (0..81).map(|at_s| Sample { at_s, ms: 7 });
        let history = History {
            samples: samples.collect(),
            ms_max: 7,
        };
        let graph = graph(Event::Maintenance, &history, 81);
        assert!(
            graph.contains(&format!("\n{}\n", "_".repeat(80))),
            "{graph}"
        );
        assert!(graph.ends_with("\n\n \n \n \n_\n \n1\ns\n"), "{graph}");
    }
}
