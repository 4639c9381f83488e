//! `larder trace info`: what is in traces.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, ValueEnum};
use larder_simulator::statistics::Statistics;
use larder_simulator::trace::{Columns, RecordedHead, TraceFile};
use serde_json::{Value as Json, json};

use crate::output::unless_enough;

const EXAMPLES: &str = "\
What is told of each trace:
  trace, format           its name, and how it was read: as oracleGeneral, csv, keys or larder
  recorded_share, _lost   of a recording, the part of the objects that is in it, and accesses that are
                          missing
  requests, objects       how many
  requests_per_object     on average
  footprint_bytes         of all objects, each as large as when it was first asked for
  request_bytes           of all requests
  one_hit_objects         asked for once, and one_hit_share, their share of the objects
  object_bytes_min        the smallest, _mean (footprint by objects) and _max: where a trace
                          knows no sizes, all are 1
  first_seconds           the earliest time, last_seconds the latest, duration_seconds between them
  top_1_percent_share     share of the requests for the hundredth of the objects asked for most
  zipf_estimate           exponent of a Zipf distribution that fits objects with ten requests or more,
                          by least squares over log rank and log count: a guess, as no trace is one
  has_next_accesses       whether it says when objects are asked for again, as belady needs
  has_ttls                whether it says how long objects live
  backward_time           the first request that is earlier than the one before, from 0

Examples:
  larder trace info trace.oracleGeneral.zst
  larder trace info cdn.csv --columns key=url,time=clock --format json

Exit codes: 0 done; 1 a trace could not be read to its end: what was read of it is told all the same.";

/// Tell what is in traces: requests, objects, sizes, times, how the requests are spread
///
/// Memory follows the objects of a trace, some 60 to 110 bytes each, not its length.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct InfoArgs {
    /// The traces, each plain or zstd: .csv with a line of names, .txt or .keys with a key a line,
    /// .larder from `larder record`, all others oracleGeneral
    #[arg(required = true, value_name = "TRACE")]
    traces: Vec<PathBuf>,
    /// What is in which column of a .csv: key=NAME,time=NAME,size=NAME,ttl=NAME; what is left out goes
    /// by usual names
    #[arg(long)]
    columns: Option<Columns>,
    /// How it is told
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people: a column a trace.
    Table,
    /// An array of objects; what is not known is null.
    Json,
}

/// Names and values of what is told of one trace.
type Facts = Vec<(&'static str, Json)>;

impl InfoArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let columns = self.columns.unwrap_or_default();
        let mut all: Vec<Facts> = Vec::new();
        let mut complaints = Vec::new();
        for path in &self.traces {
            let complaint = match TraceFile::open(path, &columns) {
                Err(error) => Some(error),
                Ok(trace) => {
                    let (format, recorded) = (trace.form(), trace.recorded());
                    let (found, error) = Statistics::of(trace);
                    if found.footprint.requests > 0 {
                        all.push(facts(path, format, recorded, &found));
                    }
                    error
                }
            };
            if let Some(error) = complaint {
                complaints.push(anyhow::Error::from(error).context(path.display().to_string()));
            }
        }
        let mut out = io::stdout().lock();
        let printed = match self.format {
            Format::Table => write_table(&all, &mut out),
            Format::Json => write_json(all, &mut out),
        };
        unless_enough(printed).context("cannot print the result")?;
        for complaint in &complaints {
            eprintln!("error: {complaint:#}");
        }
        Ok(match complaints.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}

fn facts(path: &Path, format: &str, recorded: Option<RecordedHead>, found: &Statistics) -> Facts {
    let footprint = &found.footprint;
    let (requests, objects) = (footprint.requests, footprint.objects);
    let ratio = |part: u64, whole: u64| rounded(part as f64 / whole as f64);
    let (first, last) = (found.time_seconds_min, found.time_seconds_max);
    vec![
        ("trace", json!(TraceFile::name(path))),
        ("format", json!(format)),
        (
            "recorded_share",
            recorded.map_or(Json::Null, |head| rounded(head.threshold.percent() / 100.0)),
        ),
        (
            "recorded_lost",
            recorded.map_or(Json::Null, |head| json!(head.lost)),
        ),
        ("requests", json!(requests)),
        ("objects", json!(objects)),
        ("requests_per_object", ratio(requests, objects)),
        ("footprint_bytes", json!(footprint.bytes)),
        ("request_bytes", json!(found.request_bytes)),
        ("one_hit_objects", json!(footprint.one_hit_objects)),
        ("one_hit_share", ratio(footprint.one_hit_objects, objects)),
        ("object_bytes_min", json!(found.object_bytes_min)),
        ("object_bytes_mean", ratio(footprint.bytes, objects)),
        ("object_bytes_max", json!(footprint.object_bytes_max)),
        ("first_seconds", json!(first)),
        ("last_seconds", json!(last)),
        ("duration_seconds", json!(last - first)),
        ("top_1_percent_share", ratio(found.top_requests, requests)),
        (
            "zipf_estimate",
            found.zipf_estimate.map_or(Json::Null, rounded),
        ),
        ("has_next_accesses", json!(footprint.knows_future)),
        ("has_ttls", json!(footprint.has_ttls)),
        ("backward_time", json!(footprint.backward_time)),
    ]
}

/// Four decimals: what lies behind them differs between machines, or says nothing.
fn rounded(value: f64) -> Json {
    json!((value * 10_000.0).round() / 10_000.0)
}

fn write_json(all: Vec<Facts>, out: &mut impl Write) -> io::Result<()> {
    let object = |facts: Facts| -> serde_json::Map<String, Json> {
        let named = facts.into_iter();
        named
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    };
    let objects: Vec<_> = all.into_iter().map(object).collect();
    serde_json::to_writer_pretty(&mut *out, &objects)?;
    writeln!(out)
}

/// A line a fact, a column a trace.
fn write_table(all: &[Facts], out: &mut impl Write) -> io::Result<()> {
    let Some(first) = all.first() else {
        return Ok(());
    };
    let width = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let names = width(&mut first.iter().map(|(name, _)| name.len()));
    let widths: Vec<_> = all
        .iter()
        .map(|facts| width(&mut facts.iter().map(|(_, value)| shown(value).chars().count())))
        .collect();
    for (line, (name, _)) in first.iter().enumerate() {
        write!(out, "{name:<names$}")?;
        for (facts, width) in all.iter().zip(&widths) {
            write!(out, "  {:>width$}", shown(&facts[line].1))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn shown(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Bool(true) => "yes".to_owned(),
        Json::Bool(false) => "no".to_owned(),
        Json::Null => "-".to_owned(),
        other => other.to_string(),
    }
}
