//! Miss ratios beside those of an independent simulator, libCacheSim.

use std::collections::BTreeMap;
use std::fs;

use e2e::harness::{announce, larder, run};

use super::SIMULATION_MAX;
use crate::main_job::trace;

/// Policies, what the reference calls them, and how much more they may miss.
const AGREEMENT: &[(&str, &str, f64)] = &[
    ("arc", "ARC", 0.01),
    ("belady", "Belady", 0.0005),
    ("clock", "Clock", 0.0005),
    ("clock2q-plus", "Clock2QPlus", 0.01),
    ("fifo", "FIFO", 0.0005),
    ("gdsf", "GDSF", 0.01),
    ("lfu", "LFU", 0.0005),
    ("lhd", "LHD", 0.01),
    // Ours keeps what is larger than its hundredth for newcomers, as its README says.
    ("lirs", "LIRS", 0.022),
    ("lru", "LRU", 0.0005),
    ("s3-fifo", "S3FIFO", 0.01),
    ("sieve", "Sieve", 0.0005),
    ("slru", "SLRU", 0.01),
    // It refuses what is larger than the queue for new entries; ours does not, as its README says.
    ("two-q", "TwoQ", 0.016),
    // Its window adapts, which the reference's does not; on a loop larger than the cache that costs.
    ("w-tinylfu", "WTinyLFU", 0.02),
];

#[test]
fn miss_ratios_agree_with_the_reference() {
    let Some(folder) = trace::folder() else {
        announce("SKIPPED agreement with reference.tsv: LARDER_TRACES is not set");
        return;
    };
    let reference = fs::read_to_string(folder.join("reference.tsv")).unwrap();
    let mut expected: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
    let mut traces: Vec<&str> = Vec::new();
    for line in reference.lines().skip(1) {
        let fields: Vec<_> = line.split('\t').collect();
        expected.insert(
            (fields[0], fields[2], fields[4]),
            fields[6].parse().unwrap(),
        );
        if !traces.contains(&fields[0]) {
            traces.push(fields[0]);
        }
    }
    let mut command = larder(["simulate", "--size", "0.1%,1%,3%,10%", "--format", "csv"]);
    for (policy, ..) in AGREEMENT {
        command.args(["--policy", policy]);
    }
    for trace in &traces {
        command.arg(folder.join(format!("{trace}.oracleGeneral.zst")));
    }
    let finished = run(&mut command, SIMULATION_MAX);
    assert!(finished.status.success(), "{finished:?}");
    let mut problems = Vec::new();
    let mut compared = 0;
    for line in finished.stdout.lines().skip(1) {
        let fields: Vec<_> = line.split(',').collect();
        let (policy, found) = (fields[1], fields[6].parse::<f64>().unwrap());
        let &(_, name, tolerance) = AGREEMENT
            .iter()
            .find(|(known, ..)| *known == policy)
            .unwrap();
        // It has no row where one of its queues would hold nothing.
        let Some(&wanted) = expected.get(&(fields[0], name, fields[4])) else {
            continue;
        };
        compared += 1;
        let is_exact = tolerance < 0.001;
        let apart = if is_exact {
            (found - wanted).abs()
        } else {
            found - wanted
        };
        if apart > tolerance {
            problems.push(format!(
                "{policy} at {} of {}: {found}, {wanted}",
                fields[4], fields[0]
            ));
        }
    }
    assert!(compared >= AGREEMENT.len() * 18, "{compared}");
    assert!(problems.is_empty(), "{problems:#?}");
}
