//! What was found, as tables.

use super::grid::{Line, Point, SIZES, Trace};
use super::reference::{Ratios, Reference};
use super::standing::standings;
use crate::report::{Cell, Table};

/// Policies that are told for each trace and size.
const PLACES: usize = 3;
const PERCENT: f64 = 100.0;

/// Which of the miss ratios a table is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Requests,
    Bytes,
}

impl By {
    fn ours(self, point: &Point) -> f64 {
        match self {
            Self::Requests => point.miss_ratio,
            Self::Bytes => point.byte_miss_ratio,
        }
    }

    fn reference(self, ratios: Ratios) -> f64 {
        match self {
            Self::Requests => ratios.requests,
            Self::Bytes => ratios.bytes,
        }
    }
}

/// All tables. Of the summaries the second is without the traces that are `apart`, the third of those
/// whose objects are of one size, the fourth of the others.
pub(super) fn all(traces: &[Trace], reference: &Reference, apart: &[String]) -> Vec<Table> {
    let every: Vec<_> = traces.iter().collect();
    let mut tables = vec![summary(&every)];
    let kinds: [&dyn Fn(&Trace) -> bool; 3] = [
        &|trace| !apart.contains(&trace.name),
        &|trace| !trace.is_sized,
        &|trace| trace.is_sized,
    ];
    for is_kept in kinds {
        let kept: Vec<_> = traces.iter().filter(|trace| is_kept(trace)).collect();
        if !kept.is_empty() && kept.len() < every.len() {
            tables.push(summary(&kept));
        }
    }
    tables.push(places(traces));
    for trace in traces {
        tables.push(ratios(trace, reference, By::Requests));
        if trace.is_sized {
            tables.push(ratios(trace, reference, By::Bytes));
        }
    }
    tables
}

fn summary(traces: &[&Trace]) -> Table {
    let cells = traces.len() * SIZES.len();
    let names: Vec<_> = traces.iter().map(|trace| &*trace.name).collect();
    let rows = standings(traces).into_iter().map(|standing| {
        vec![
            Cell::text(&standing.policy),
            Cell::Number(standing.excess_mean * PERCENT, 2),
            Cell::Number(standing.excess_max * PERCENT, 2),
            Cell::text(format!("{} at {}", standing.worst.0, standing.worst.1)),
            Cell::Number(standing.best as f64, 0),
            Cell::maybe(standing.byte_excess_mean.map(|part| part * PERCENT), 2),
            Cell::maybe(standing.reduction_mean.map(|part| part * PERCENT), 1),
            Cell::Number(standing.request_ns, 0),
            Cell::Number(standing.entry_bytes, 1),
        ]
    });
    Table {
        title: format!("Summary of {}: {cells} cells", names.join(", ")),
        columns: &[
            "policy",
            "mean excess",
            "worst excess",
            "worst at",
            "best",
            "byte excess",
            "fewer misses %",
            "ns/request",
            "B/entry",
        ],
        rows: rows.collect(),
    }
}

fn places(traces: &[Trace]) -> Table {
    let row = |(trace, size): (&Trace, usize)| {
        let mut row = vec![Cell::text(&trace.name), Cell::text(SIZES[size].0)];
        let ranked = trace.ranked(size);
        for place in 0..PLACES {
            let line = ranked.get(place);
            row.push(line.map_or(Cell::Nothing, |line| Cell::text(&line.policy)));
            row.push(Cell::maybe(
                line.map(|line| line.points[size].miss_ratio),
                4,
            ));
        }
        let bounds = trace.bounds.iter().map(|line| line.points[size].miss_ratio);
        row.push(Cell::maybe(bounds.reduce(f64::min), 4));
        row
    };
    let cells = traces
        .iter()
        .flat_map(|trace| (0..SIZES.len()).map(move |size| (trace, size)));
    Table {
        title: "The three that miss least, and who knows the future".to_owned(),
        columns: &[
            "trace",
            "size",
            "first",
            "1st ratio",
            "second",
            "2nd ratio",
            "third",
            "3rd ratio",
            "future known",
        ],
        rows: cells.map(row).collect(),
    }
}

/// The policies of a trace, those with the least mean excess first, then those that know the future,
/// then what only the reference has.
fn ratios(trace: &Trace, reference: &Reference, by: By) -> Table {
    let excess = |line: &Line| trace.excess_mean(line, |point| by.ours(point));
    let mut policies: Vec<_> = trace.policies.iter().collect();
    policies.sort_by(|one, other| excess(one).total_cmp(&excess(other)));
    let beside = Beside {
        trace,
        reference: reference.knows(&trace.name).then_some(reference),
        by,
    };
    let policies = policies.into_iter().map(|line| {
        let excess = Cell::Number(excess(line) * PERCENT, 2);
        beside.row(line, excess)
    });
    let bounds = trace.bounds.iter();
    let bounds = bounds.map(|line| beside.row(line, Cell::Nothing));
    let others = reference.others(&trace.name).into_iter();
    let others = others.map(|name| beside.other(name));
    let what = match by {
        By::Requests => "miss ratio",
        By::Bytes => "byte miss ratio",
    };
    let (r, columns) = match beside.reference {
        Some(_) => (", the reference's (R) beside it", BESIDE),
        None => ("", ALONE),
    };
    Table {
        title: format!(
            "{}: {what} at parts of the footprint{r}; excess: above the least of all policies, mean over \
             the sizes, in points",
            trace.name
        ),
        columns,
        rows: policies.chain(bounds).chain(others).collect(),
    }
}

const ALONE: &[&str] = &["policy", "0.1 %", "1 %", "3 %", "10 %", "excess"];
const BESIDE: &[&str] = &[
    "policy", "0.1 %", "R 0.1 %", "1 %", "R 1 %", "3 %", "R 3 %", "10 %", "R 10 %", "excess",
];

/// A trace, and the reference that knows it, if it does.
struct Beside<'a> {
    trace: &'a Trace,
    reference: Option<&'a Reference>,
    by: By,
}

impl Beside<'_> {
    fn row(&self, line: &Line, excess: Cell) -> Vec<Cell> {
        let mut row = vec![Cell::text(&line.policy)];
        for (point, capacity) in line.points.iter().zip(self.trace.capacities) {
            row.push(Cell::Number(self.by.ours(point), 4));
            if let Some(reference) = self.reference {
                row.push(self.theirs(reference.of(&self.trace.name, &line.policy, capacity)));
            }
        }
        row.push(excess);
        row
    }

    /// Of an algorithm that only the reference has.
    fn other(&self, name: &str) -> Vec<Cell> {
        let mut row = vec![Cell::text(name)];
        for capacity in self.trace.capacities {
            let known = self.reference;
            let theirs = known.and_then(|known| known.algorithm(&self.trace.name, name, capacity));
            row.extend([Cell::Nothing, self.theirs(theirs)]);
        }
        row.push(Cell::Nothing);
        row
    }

    fn theirs(&self, ratios: Option<Ratios>) -> Cell {
        Cell::maybe(ratios.map(|ratios| self.by.reference(ratios)), 4)
    }
}

#[cfg(test)]
mod tests {
    use super::super::standing::tests::trace;
    use super::*;

    #[test]
    fn every_row_has_a_cell_a_column_and_the_best_come_first() {
        let mut one = trace("one", &[("fifo", [0.9; 4]), ("lru", [0.5; 4])]);
        one.bounds = trace("", &[("belady", [0.25; 4])]).policies;
        let two = trace("two", &[("fifo", [0.9; 4]), ("lru", [0.5; 4])]);
        let reference = "\none\tdev\tLRU\t0.001\t1\tobjects\t0.51\t0.51\n\
                         one\tdev\tLRB\t0.001\t1\tobjects\t0.41\t0.41\n";
        let reference = reference.parse().unwrap();
        let tables = all(&[one, two], &reference, &["two".to_owned()]);
        assert_eq!(tables.len(), 5);
        for table in &tables {
            for row in &table.rows {
                assert_eq!(row.len(), table.columns.len(), "{}", table.title);
            }
        }
        let text = |cell: &Cell| format!("{cell:?}");
        let first = &tables[3].rows[0];
        assert_eq!(text(&first[0]), text(&Cell::text("lru")));
        assert_eq!(text(&first[2]), text(&Cell::Number(0.51, 4)));
        assert_eq!(text(&first[4]), text(&Cell::Nothing));
        assert_eq!(tables[3].rows.len(), 4);
        assert_eq!(text(&tables[2].rows[0][8]), text(&Cell::Number(0.25, 4)));
    }
}
