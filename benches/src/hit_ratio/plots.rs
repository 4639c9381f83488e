//! Miss-ratio curves.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use larder_simulator::chart::{Curve, svg};

use super::grid::{Line, Trace};

/// Policies that are drawn, as many as a chart has colours for beside the bound: what people know,
/// the default, and what stands out on some trace.
const DRAWN: [&str; 7] = ["lru", "s3-fifo", "arc", "lirs", "w-tinylfu", "gdsf", "lhd"];

/// Draws the curves of each trace into `folder`, which is made where there is none.
///
/// # Errors
/// When a file cannot be written.
pub(super) fn draw(traces: &[Trace], folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for trace in traces {
        let image = svg(&trace.name, &curves(trace)).map_err(|why| anyhow!(why))?;
        let file = folder.join(format!("{}.svg", trace.name));
        fs::write(&file, image).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

fn curves(trace: &Trace) -> Vec<Curve> {
    let find = |name: &&str| trace.policies.iter().find(|line| line.policy == **name);
    let curve = |line: &Line| Curve {
        name: line.policy.clone(),
        points: (trace.capacities.into_iter())
            .zip(line.points.iter().map(|point| point.miss_ratio))
            .collect(),
    };
    let policies = DRAWN.iter().filter_map(find);
    policies.chain(trace.bounds.first()).map(curve).collect()
}
