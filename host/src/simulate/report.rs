//! Charts of the result, alone or in a page with its table.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::anyhow;
use larder_simulator::chart::{self, Curve};

use super::row::{Row, write_csv};

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#222}svg{max-width:100%;height:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
th,td{padding:.2rem .7rem;text-align:right;border-bottom:1px solid #ddd}\
th:nth-child(-n+3),td:nth-child(-n+3){text-align:left}.best{font-weight:600}";

/// The rows of each trace, in the order of their coming.
fn by_trace(rows: &[Row]) -> Vec<(&str, Vec<&Row>)> {
    let mut traces: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match traces.iter_mut().find(|(name, _)| *name == row.trace) {
            Some((_, rows)) => rows.push(row),
            None => traces.push((&row.trace, vec![row])),
        }
    }
    traces
}

fn curves(rows: &[&Row]) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for row in rows {
        let point = (row.capacity, row.miss_ratio);
        let name = row.label();
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve {
                name,
                points: vec![point],
            }),
        }
    }
    for curve in &mut curves {
        curve.points.sort_by_key(|(capacity, _)| *capacity);
    }
    curves
}

/// One image: the chart of the only trace, or of all one under the other.
///
/// # Errors
/// When there is nothing to draw.
pub(super) fn plot(rows: &[Row]) -> anyhow::Result<String> {
    let traces = by_trace(rows);
    let charts = charts(&traces)?;
    if let [chart] = &charts[..] {
        return Ok(chart.clone());
    }
    let (width, height) = chart::SIZE;
    let mut image = format!(
        "<svg width=\"{width}\" height=\"{0}\" viewBox=\"0 0 {width} {0}\" \
         xmlns=\"http://www.w3.org/2000/svg\">\n",
        height as usize * charts.len()
    );
    for (number, chart) in charts.iter().enumerate() {
        let y = number * height as usize;
        write!(image, "<svg y=\"{y}\" {}", chart.trim_start_matches("<svg"))?;
    }
    Ok(image + "</svg>\n")
}

fn charts(traces: &[(&str, Vec<&Row>)]) -> anyhow::Result<Vec<String>> {
    let chart = |(name, rows): &(&str, Vec<&Row>)| chart::svg(name, &curves(rows));
    let charts: Result<Vec<_>, _> = traces.iter().map(chart).collect();
    charts.map_err(|why| anyhow!(why))
}

/// A page that needs nothing else: a chart a trace, the table under it, everything as CSV at its end.
///
/// # Errors
/// When there is nothing to draw.
pub(super) fn page(rows: &[Row]) -> anyhow::Result<String> {
    let traces = by_trace(rows);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>Larder: what policies make of traces</title><style>{STYLE}</style></head><body>\n\
         <h1>What policies make of traces</h1>\n"
    );
    for ((name, rows), chart) in traces.iter().zip(charts(&traces)?) {
        write!(
            page,
            "<h2>{}</h2>\n{chart}\n{}",
            escaped(name),
            table(rows)?
        )?;
    }
    let mut csv = Vec::new();
    write_csv(rows, &mut csv)?;
    let csv = escaped(&String::from_utf8_lossy(&csv));
    write!(
        page,
        "<details><summary>As CSV</summary><pre>{csv}</pre></details>\n</body></html>\n"
    )?;
    Ok(page)
}

fn table(rows: &[&Row]) -> anyhow::Result<String> {
    let mut best: BTreeMap<u64, f64> = BTreeMap::new();
    for row in rows {
        let least = best.entry(row.capacity).or_insert(row.miss_ratio);
        *least = least.min(row.miss_ratio);
    }
    let mut table = "<table><tr><th>policy<th>runtime<th>size<th>capacity<th>miss ratio\
                     <th>byte miss ratio<th>evictions<th>rejected<th>seconds<th>policy ns<th>policy bytes</tr>\n"
        .to_owned();
    for row in rows {
        let is_best = best.get(&row.capacity) == Some(&row.miss_ratio);
        writeln!(
            table,
            "<tr{}><td>{}<td>{}<td>{}<td>{}<td>{:.4}<td>{:.4}<td>{}<td>{}<td>{:.2}<td>{}<td>{}</tr>",
            if is_best { " class=\"best\"" } else { "" },
            escaped(&row.label()),
            row.runtime,
            escaped(&row.size),
            row.capacity,
            row.miss_ratio,
            row.byte_miss_ratio,
            row.evictions,
            row.rejected,
            row.seconds,
            row.policy_ns.map_or(String::new(), |ns| ns.to_string()),
            row.policy_bytes
        )?;
    }
    Ok(table + "</table>\n")
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    text.replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use larder_simulator::replay::Tally;
    use larder_simulator::run::Outcome;

    use super::*;
    use crate::natives::CellForm;

    fn row(trace: &str, policy: &str, capacity: u64, misses: u64) -> Row {
        let outcome = Outcome {
            tally: Tally {
                requests: 100,
                misses,
                ..Tally::default()
            },
            time: std::time::Duration::ZERO,
            policy_time: None,
            policy_bytes: 0,
            fault: None,
        };
        let form = CellForm {
            capacity_bytes: capacity,
            below_bytes: None,
            prewarm: None,
            shards: 1,
            seed: 1,
        };
        Row::new((trace, policy, "native"), ("1%", None), form, &outcome)
    }

    #[test]
    fn a_page_has_a_chart_and_a_table_a_trace_and_loads_nothing() {
        let rows = [
            row("one", "lru", 10, 90),
            row("one", "<fifo>", 10, 95),
            row("two", "lru", 10, 50),
        ];
        let page = page(&rows).unwrap();
        assert_eq!(page.matches("<svg").count(), 2);
        assert_eq!(page.matches("<table>").count(), 2);
        assert!(page.contains("<tr class=\"best\"><td>lru") && page.contains("&lt;fifo&gt;"));
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href="));
        assert_eq!(plot(&rows).unwrap().matches("<svg").count(), 3);
        assert_eq!(plot(&rows[..2]).unwrap().matches("<svg").count(), 1);
        assert!(plot(&[]).is_ok_and(|image| !image.contains("polyline")));
    }
}
