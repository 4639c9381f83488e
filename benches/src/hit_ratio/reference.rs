//! What another simulator found, libCacheSim, where somebody has put it beside the traces.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};

/// What it calls our policies.
const NAMES: [(&str, &str); 16] = [
    ("arc", "ARC"),
    ("belady", "Belady"),
    ("belady-size", "BeladySize"),
    ("clock", "Clock"),
    ("clock2q-plus", "Clock2QPlus"),
    ("fifo", "FIFO"),
    ("gdsf", "GDSF"),
    ("lfu", "LFU"),
    ("lhd", "LHD"),
    ("lirs", "LIRS"),
    ("lru", "LRU"),
    ("s3-fifo", "S3FIFO"),
    ("sieve", "Sieve"),
    ("slru", "SLRU"),
    ("two-q", "TwoQ"),
    ("w-tinylfu", "WTinyLFU"),
];

/// Miss ratios by trace, algorithm and capacity.
#[derive(Debug, Default)]
pub(super) struct Reference {
    ratios: BTreeMap<(String, String, u64), Ratios>,
}

/// Miss ratios by requests and by bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ratios {
    pub(super) requests: f64,
    pub(super) bytes: f64,
}

impl Reference {
    /// Reads the file; where there is none, nothing is known.
    ///
    /// # Errors
    /// When it cannot be read, or a line of it is wrong.
    pub(super) fn read(path: &Path) -> Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) => text.parse(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error.into()),
        }
        .with_context(|| path.display().to_string())
    }

    /// Whether it knows the trace.
    pub(super) fn knows(&self, trace: &str) -> bool {
        self.ratios.keys().any(|(name, ..)| name == trace)
    }

    /// What it found for one of our policies.
    pub(super) fn of(&self, trace: &str, policy: &str, capacity: u64) -> Option<Ratios> {
        let (_, algorithm) = NAMES.iter().find(|(ours, _)| *ours == policy)?;
        self.algorithm(trace, algorithm, capacity)
    }

    /// What it found for an algorithm, by the name that it has there.
    pub(super) fn algorithm(&self, trace: &str, name: &str, capacity: u64) -> Option<Ratios> {
        let key = (trace.to_owned(), name.to_owned(), capacity);
        self.ratios.get(&key).copied()
    }

    /// Algorithms of a trace that are no policy of ours.
    pub(super) fn others(&self, trace: &str) -> Vec<&str> {
        let of_trace = self.ratios.keys().filter(|(name, ..)| name == trace);
        let mut found: Vec<_> = of_trace
            .map(|(_, algorithm, _)| algorithm.as_str())
            .filter(|algorithm| NAMES.iter().all(|(_, known)| known != algorithm))
            .collect();
        found.dedup();
        found
    }
}

impl FromStr for Reference {
    type Err = anyhow::Error;

    /// Lines of eight fields, the first with their names: trace, set, algorithm, cache_fraction,
    /// cache_size, unit, miss_ratio, byte_miss_ratio.
    fn from_str(text: &str) -> Result<Self> {
        let mut ratios = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()).skip(1) {
            let (key, value) = read_line(line)
                .with_context(|| format!("line {number} is not eight fields between tabs"))?;
            ratios.insert(key, value);
        }
        Ok(Self { ratios })
    }
}

fn read_line(line: &str) -> Option<((String, String, u64), Ratios)> {
    let fields: Vec<_> = line.split('\t').collect();
    let [trace, _, algorithm, _, capacity, _, requests, bytes] = fields[..] else {
        return None;
    };
    let key = (
        trace.to_owned(),
        algorithm.to_owned(),
        capacity.parse().ok()?,
    );
    let ratios = Ratios {
        requests: requests.parse().ok()?,
        bytes: bytes.parse().ok()?,
    };
    Some((key, ratios))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "trace\tset\talgorithm\tcache_fraction\tcache_size\tunit\tmiss_ratio\tbytes\n";

    #[test]
    fn figures_are_found_by_our_names_and_by_its_own() {
        let rows = "t\tdev\tLRU\t0.1\t10\tbytes\t0.5\t0.25\nt\tdev\tLRB\t0.1\t10\tbytes\t0.4\t0.2\n\
                    u\tdev\tLRB\t0.1\t10\tbytes\t0.3\t0.2\nt\tdev\tLRB\t0.2\t20\tbytes\t0.3\t0.2\n";
        let read: Reference = format!("{HEAD}{rows}").parse().unwrap();
        let expected = Ratios {
            requests: 0.5,
            bytes: 0.25,
        };
        assert_eq!(read.of("t", "lru", 10), Some(expected));
        assert_eq!(read.of("t", "lru", 11), None);
        assert_eq!(read.of("t", "business-priority", 10), None);
        assert!(read.knows("u") && !read.knows("v"));
        assert_eq!(read.others("t"), ["LRB"]);
        assert_eq!(read.algorithm("u", "LRB", 10).unwrap().requests, 0.3);
    }

    #[test]
    fn a_wrong_line_is_named_and_no_file_is_no_figures() {
        let error =
            format!("{HEAD}t\tdev\tLRU\t0.1\tmany\tbytes\t0.5\t0.25\n").parse::<Reference>();
        assert!(error.unwrap_err().to_string().contains("line 2"));
        let folder = tempfile::tempdir().unwrap();
        let none = Reference::read(&folder.path().join("reference.tsv")).unwrap();
        assert!(none.ratios.is_empty());
    }
}
