//! `cargo xtask bench`: the benchmarks, beside the server that some of them start.

use std::env;
use std::ffi::OsString;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::{policies, process};

const SOURCES: &str = "benches/src/bin";

/// Builds server and benchmarks with optimisations, runs the one that `args` begin with, or each in turn.
///
/// # Errors
/// When there is none of that name, or the build or a benchmark fails.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let all = process::programs(SOURCES)?;
    let (chosen, args) = match args.split_first() {
        Some((name, rest)) if !name.to_string_lossy().starts_with('-') => {
            let name = name.to_string_lossy().into_owned();
            ensure!(
                all.contains(&name),
                "no benchmark {name}: there are {}",
                all.join(", ")
            );
            (vec![name], rest)
        }
        _ => (all, args),
    };
    let is_alone = chosen.len() == 1;
    process::run(&mut process::cargo([
        "build",
        "--release",
        "-p",
        "larder",
        "-p",
        "bench",
    ]))?;
    policies::build()?;
    for name in chosen {
        if name == "hit_ratio" && !is_alone && env::var_os("LARDER_TRACES").is_none() {
            eprintln!("xtask: no hit ratios: LARDER_TRACES does not name a folder of traces");
            continue;
        }
        eprintln!("xtask: bench {name}");
        let program = process::target()?.join("release").join(&name);
        process::run(Command::new(program).args(args))?;
    }
    Ok(())
}
