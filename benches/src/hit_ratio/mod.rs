//! Miss ratios of all eviction policies on recorded traces, beside bounds and another simulator's.

mod grid;
mod plots;
mod reference;
mod standing;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::report::Table;
use grid::Trace;
use reference::Reference;

/// What is run.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Folder of the traces, *.oracleGeneral and *.csv, each plain or with .zst; reference.tsv beside
    /// them has another simulator's figures
    #[arg(
        long,
        env = "LARDER_TRACES",
        hide_env_values = true,
        value_name = "FOLDER"
    )]
    pub traces: Option<PathBuf>,
    /// Policies with parameters, beside all native ones as they are by default
    #[arg(
        long,
        value_name = "POLICY",
        default_value = "business-priority:gdsf=true"
    )]
    pub also: Vec<String>,
    /// Traces that the second summary leaves out
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAMES",
        default_value = "lirs_loop,fb_bigcache_ttl"
    )]
    pub apart: Vec<String>,
    /// Replays of each; their times are medians
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub runs: u32,
    /// Draw the miss-ratio curves into this folder, an SVG a trace
    #[arg(long, value_name = "FOLDER")]
    pub plots: Option<PathBuf>,
}

/// Replays all traces, and draws what was found where that is wanted.
///
/// # Errors
/// When there are no traces, one cannot be read to its end, or a policy breaks the contract.
pub fn run(options: &Options) -> Result<Vec<Table>> {
    let folder = options.traces.as_deref().context(
        "there are no traces: name their folder with --traces or in the variable LARDER_TRACES",
    )?;
    let files = files(folder)?;
    let reference = Reference::read(&folder.join("reference.tsv"))?;
    let mut traces = Vec::new();
    for file in &files {
        let trace = Trace::replay(file, &options.also, options.runs);
        traces.push(trace.with_context(|| file.display().to_string())?);
    }
    if let Some(plots) = &options.plots {
        plots::draw(&traces, plots)?;
    }
    Ok(tables::all(&traces, &reference, &options.apart))
}

/// The traces of a folder, by name.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let cannot = || format!("the folder of traces, {}, cannot be read", folder.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".zst").unwrap_or(&name);
        if plain.ends_with(".oracleGeneral") || plain.ends_with(".csv") {
            files.push(path);
        }
    }
    ensure!(
        !files.is_empty(),
        "{} has no traces: their names end in .oracleGeneral or .csv, perhaps with .zst behind",
        folder.display()
    );
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_missing_or_has_no_traces_is_an_error_that_says_so() {
        let options = |traces: Option<&Path>| Options {
            traces: traces.map(Path::to_owned),
            also: vec![],
            apart: vec![],
            runs: 1,
            plots: None,
        };
        let folder = tempfile::tempdir().unwrap();
        let error = |traces| format!("{:#}", run(&options(traces)).unwrap_err());
        assert!(error(None).contains("LARDER_TRACES"));
        assert!(error(Some(folder.path())).contains("has no traces"));
        let missing = folder.path().join("missing");
        assert!(error(Some(&missing)).contains("missing, cannot be read"));
    }
}
