//! How policies stand beside each other.

use super::grid::{Line, Point, SIZES, Trace};
use crate::Sample;

/// Two miss ratios that are no further apart are equally good.
const EQUAL: f64 = 0.001;
/// What a reduction of misses is relative to.
const BASELINE: &str = "fifo";

/// How a policy stands, over several traces and all sizes.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) policy: String,
    /// Miss ratio above the least of all policies, mean over the cells.
    pub(super) excess_mean: f64,
    /// The worst of them.
    pub(super) excess_max: f64,
    /// Trace and size where that was.
    pub(super) worst: (String, &'static str),
    /// Cells in which nobody missed less, but for a thousandth.
    pub(super) best: usize,
    /// The same excess by bytes, mean over the cells of traces with sizes; none without such.
    pub(super) byte_excess_mean: Option<f64>,
    /// Misses fewer than those of FIFO, in parts of them, mean over the cells; none without FIFO.
    pub(super) reduction_mean: Option<f64>,
    /// Nanoseconds a request, median over the cells.
    pub(super) request_ns: f64,
    /// Bytes of the policy for each entry that was there in the end, over all cells together.
    pub(super) entry_bytes: f64,
}

impl Trace {
    /// How much more a policy misses at a size than the one that misses least, by one of the ratios.
    fn excess(&self, line: &Line, size: usize, ratio: impl Fn(&Point) -> f64) -> f64 {
        let ratios = self.policies.iter().map(|line| ratio(&line.points[size]));
        ratio(&line.points[size]) - ratios.fold(f64::INFINITY, f64::min)
    }

    /// The same, mean over the sizes.
    pub(super) fn excess_mean(&self, line: &Line, ratio: impl Fn(&Point) -> f64) -> f64 {
        let excess = (0..SIZES.len()).map(|size| self.excess(line, size, &ratio));
        excess.sum::<f64>() / SIZES.len() as f64
    }

    /// The policies at a size, those that miss least first.
    pub(super) fn ranked(&self, size: usize) -> Vec<&Line> {
        let mut lines: Vec<_> = self.policies.iter().collect();
        lines.sort_by(|one, other| {
            let ratio = |line: &Line| line.points[size].miss_ratio;
            ratio(one).total_cmp(&ratio(other))
        });
        lines
    }
}

/// How the policies stand over all `traces`, each of which has all of them: the one with the least
/// mean excess first.
pub(super) fn standings(traces: &[&Trace]) -> Vec<Standing> {
    let names = traces.first().map_or(&[][..], |trace| &trace.policies);
    let mut standings: Vec<_> = (0..names.len()).map(|at| standing(traces, at)).collect();
    standings.sort_by(|one, other| one.excess_mean.total_cmp(&other.excess_mean));
    standings
}

/// Of the policy that is number `at` in each trace.
fn standing(traces: &[&Trace], at: usize) -> Standing {
    let mut found = Standing {
        policy: traces[0].policies[at].policy.clone(),
        excess_mean: 0.0,
        excess_max: f64::NEG_INFINITY,
        worst: (String::new(), ""),
        best: 0,
        byte_excess_mean: None,
        reduction_mean: None,
        request_ns: 0.0,
        entry_bytes: 0.0,
    };
    let cells = (traces.len() * SIZES.len()) as f64;
    let sized = traces.iter().filter(|trace| trace.is_sized).count();
    let sized_cells = (sized * SIZES.len()) as f64;
    let (mut times, mut bytes, mut entries) = (Sample::default(), 0, 0);
    for trace in traces {
        let line = &trace.policies[at];
        let baseline = trace.policies.iter().find(|line| line.policy == BASELINE);
        for (size, point) in line.points.iter().enumerate() {
            let excess = trace.excess(line, size, |point| point.miss_ratio);
            found.excess_mean += excess / cells;
            if excess > found.excess_max {
                found.excess_max = excess;
                found.worst = (trace.name.clone(), SIZES[size].0);
            }
            found.best += usize::from(excess <= EQUAL);
            if trace.is_sized {
                let excess = trace.excess(line, size, |point| point.byte_miss_ratio);
                *found.byte_excess_mean.get_or_insert(0.0) += excess / sized_cells;
            }
            if let Some(baseline) = baseline {
                let reduction = 1.0 - point.miss_ratio / baseline.points[size].miss_ratio;
                *found.reduction_mean.get_or_insert(0.0) += reduction / cells;
            }
            times.add(point.request_ns.median());
            bytes += point.policy_bytes;
            entries += point.entries;
        }
    }
    found.request_ns = times.median();
    found.entry_bytes = bytes as f64 / entries.max(1) as f64;
    found
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A trace on which policies have these miss ratios at the four sizes.
    pub(in super::super) fn trace(name: &str, policies: &[(&str, [f64; 4])]) -> Trace {
        let line = |(policy, ratios): &(&str, [f64; 4])| Line {
            policy: (*policy).to_owned(),
            points: ratios.map(|miss_ratio| {
                let mut request_ns = Sample::default();
                request_ns.add(100.0 * miss_ratio);
                Point {
                    miss_ratio,
                    byte_miss_ratio: miss_ratio / 2.0,
                    request_ns,
                    policy_bytes: 120,
                    entries: 10,
                }
            }),
        };
        Trace {
            name: name.to_owned(),
            is_sized: false,
            capacities: [1, 10, 30, 100],
            policies: policies.iter().map(line).collect(),
            bounds: Vec::new(),
        }
    }

    #[test]
    fn excess_is_above_the_least_of_each_cell() {
        let one = trace(
            "one",
            &[
                ("fifo", [0.8, 0.6, 0.4, 0.4]),
                ("lru", [0.8005, 0.3, 0.5, 0.4]),
            ],
        );
        let mut two = trace("two", &[("fifo", [0.5; 4]), ("lru", [0.25; 4])]);
        two.is_sized = true;
        let found = standings(&[&one, &two]);
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
        assert_eq!(found[0].policy, "lru");
        near(found[0].excess_mean, (0.0005 + 0.1) / 8.0);
        near(found[0].excess_max, 0.1);
        assert_eq!(found[0].worst, ("one".to_owned(), "3 %"));
        assert_eq!((found[0].best, found[1].best), (7, 3));
        let less = (-0.000_625 + 0.5 - 0.25) + 4.0 * 0.5;
        near(found[0].reduction_mean.unwrap(), less / 8.0);
        near(found[1].reduction_mean.unwrap(), 0.0);
        near(found[1].excess_mean, (0.3 + 4.0 * 0.25) / 8.0);
        near(found[1].byte_excess_mean.unwrap(), 0.125);
        near(found[1].request_ns, 50.0);
        near(found[1].entry_bytes, 12.0);
        near(
            one.excess_mean(&one.policies[0], |point| point.miss_ratio),
            0.3 / 4.0,
        );
    }

    #[test]
    fn ranks_are_by_size_and_nothing_has_no_standings() {
        let one = trace("one", &[("a", [0.3, 0.1, 0.1, 0.1]), ("b", [0.2; 4])]);
        let ranked = |size| one.ranked(size)[0].policy.clone();
        assert_eq!((ranked(0), ranked(1)), ("b".to_owned(), "a".to_owned()));
        assert!(standings(&[]).is_empty());
    }
}
