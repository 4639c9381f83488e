//! Natively and in WebAssembly a policy names the same victims, one by one.

use std::collections::BTreeSet;
use std::path::Path;

use e2e::harness::policy;
use larder::simulate;
use larder::trace::{Columns, Generator, Record, TraceFile};
use larder_simulator::replay::Cell;
use larder_simulator::run::{Control, Footprint, run};

use crate::main_job::trace;

const TRACES: [&str; 5] = [
    "scarab_recs",
    "arc_oltp",
    "cloudphysics_io",
    "adaptsize_web",
    "lirs_loop",
];
const PARTS: [f64; 4] = [0.001, 0.01, 0.03, 0.1];

/// All traces that there are, by name.
fn traces() -> Vec<(String, Vec<Record>)> {
    let Some(folder) = trace::folder() else {
        e2e::harness::announce("SKIPPED recorded traces for twins: LARDER_TRACES is not set");
        let made = Generator {
            size_bytes: (1, 5000),
            ..Generator::default()
        };
        return vec![("made".to_owned(), made.records())];
    };
    let read = |name: &str| {
        let path = folder.join(format!("{name}.oracleGeneral.zst"));
        let records = TraceFile::open(Path::new(&path), &Columns::default());
        let records: Result<_, _> = records.unwrap().collect();
        (name.to_owned(), records.unwrap())
    };
    TRACES.map(read).into()
}

/// What the host's model foretells takes some microseconds a request: that much of a trace is enough for it.
const FORETOLD_REQUESTS: usize = 30_000;

#[test]
fn victims_are_the_same_natively_and_in_webassembly() {
    let (foretold, others): (Vec<_>, Vec<_>) =
        simulate::natives().partition(|name| *name == "predicted-reuse");
    for (trace, records) in traces() {
        compare(&trace, &records, &others);
        let part = records.len().min(FORETOLD_REQUESTS);
        compare(&trace, &records[..part], &foretold);
    }
}

fn compare(trace: &str, records: &[Record], policies: &[&str]) {
    let all = || records.iter().map(|record| Ok(*record));
    let (footprint, _) = Footprint::of(all());
    let capacities: BTreeSet<_> = PARTS
        .map(|part| ((part * footprint.bytes as f64) as u64).max(1))
        .into();
    let mut labels = Vec::new();
    let mut cells: Vec<Box<dyn Cell>> = Vec::new();
    for name in policies {
        let file = policy(name).display().to_string();
        for &capacity in &capacities {
            labels.push((name, capacity));
            for spec in [*name, &file] {
                cells.push(simulate::cell(spec, capacity, 1, 7).unwrap());
            }
        }
    }
    let (outcomes, error) = run(all(), cells, 2, false, &Control::default());
    assert!(error.is_none());
    for ((name, capacity), pair) in labels.iter().zip(outcomes.chunks_exact(2)) {
        assert_eq!(pair[0].fault, None, "{name} at {capacity} of {trace}");
        assert_eq!(
            pair[0].tally, pair[1].tally,
            "{name} at {capacity} of {trace}"
        );
        assert!(pair[0].tally.victims_checksum != 0 || pair[0].tally.evictions == 0);
    }
}

/// Of each, the policy that decides over newcomers, and the one that evicts.
const JUDGED: [(&str, &str, &str); 6] = [
    ("size-gate", ":max_bytes=16KiB", "lru"),
    ("second-hit", "", "s3-fifo"),
    ("tinylfu-gate", ":threshold=3", "gdsf"),
    ("ttl-by-prefix", ":rules=[\"1: 1s\"]", "fifo"),
    ("adaptive-ttl", ":separator=\"0\"", "lru"),
    (
        "business-priority",
        ":rules=[\"prefix 1: 200\"]",
        "business-priority",
    ),
];

#[test]
fn newcomers_are_judged_alike_natively_and_in_webassembly() {
    let made = Generator {
        requests: 100_000,
        size_bytes: (1, 20_000),
        ..Generator::default()
    };
    let records = made.records();
    let (footprint, _) = Footprint::of(records.iter().map(|record| Ok(*record)));
    let mut cells: Vec<Box<dyn Cell>> = Vec::new();
    for (judge, parameters, evicts) in JUDGED {
        let file = |name| policy(name).display().to_string();
        let (native, wasm) = match judge == evicts {
            true => (
                format!("{judge}{parameters}"),
                format!("{}{parameters}", file(judge)),
            ),
            false => (
                format!("{judge}{parameters}+{evicts}"),
                format!("{}{parameters}+{}", file(judge), file(evicts)),
            ),
        };
        for spec in [native, wasm, evicts.to_owned()] {
            cells.push(simulate::cell(&spec, footprint.bytes / 20, 1, 7).unwrap());
        }
    }
    let records = records.iter().map(|record| Ok(*record));
    let (outcomes, _) = run(records, cells, 2, false, &Control::default());
    for (judged, outcomes) in JUDGED.iter().zip(outcomes.chunks_exact(3)) {
        assert_eq!(outcomes[0].fault, None, "{judged:?}");
        assert_eq!(outcomes[0].tally, outcomes[1].tally, "{judged:?}");
        assert_ne!(
            outcomes[0].tally, outcomes[2].tally,
            "{judged:?} changes nothing"
        );
    }
}
