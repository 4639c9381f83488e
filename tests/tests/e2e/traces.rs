//! `larder trace`: made up, looked into, converted; and simulated to the same end in each form.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::harness::{Finished, announce, larder, run};
use larder::trace::{RECORD_BYTES, TraceFile};
use serde_json::Value as Json;
use tempfile::TempDir;

use crate::main_job::trace;

const LIMIT: Duration = Duration::from_secs(120);
const REQUESTS: usize = 50_000;

#[track_caller]
fn larder_trace(args: &[&str], files: &[&Path]) -> Finished {
    run(larder(["trace"]).args(args).args(files), LIMIT)
}

#[track_caller]
fn succeeds(args: &[&str], files: &[&Path]) -> Finished {
    let finished = larder_trace(args, files);
    assert!(finished.status.success(), "{finished:?}");
    finished
}

/// A trace with a bit of everything in a folder of its own.
fn made() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.oracleGeneral");
    let requests = REQUESTS.to_string();
    let args = [
        "generate",
        "--requests",
        &requests,
        "--objects",
        "5000",
        "--drift",
        "100",
        "--one-hit",
        "10%",
        "--scan",
        "10%",
        "--loop",
        "0.1",
        "--loop-objects",
        "300",
        "--playlist",
        "10%",
        "--daily",
        "50%",
        "--rate",
        "0.5",
        "--size",
        "100..1KiB",
        "--seed",
        "3",
    ];
    let finished = succeeds(&args, &[&path]);
    assert!(
        finished
            .stdout
            .ends_with(&format!(": {REQUESTS} requests\n")),
        "{finished:?}"
    );
    (folder, path)
}

fn info(path: &Path) -> Json {
    let finished = succeeds(&["info", "--format", "json"], &[path]);
    let mut all: Json = serde_json::from_str(&finished.stdout).unwrap();
    all[0].take()
}

/// Policies, sizes and what was missed, without the trace's name and the time it took.
#[track_caller]
fn simulated(path: &Path, policies: &[&str]) -> Vec<String> {
    let mut command = larder(["simulate", "--size", "20KiB,500KB", "--format", "csv"]);
    for policy in policies {
        command.args(["--policy", policy]);
    }
    let finished = run(command.arg(path), LIMIT);
    assert!(finished.status.success(), "{finished:?}");
    let lines = finished.stdout.lines().skip(1);
    let cells = |line: &str| {
        line.split(',')
            .skip(1)
            .take(9)
            .collect::<Vec<_>>()
            .join(",")
    };
    lines.map(cells).collect()
}

fn names(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_made_trace_is_the_same_in_every_form() {
    let (folder, plain) = made();
    let place = |name: &str| folder.path().join(name);
    let (again, packed, text, back) = (
        place("again.oracleGeneral"),
        place("a.oracleGeneral.zst"),
        place("a.csv"),
        place("back"),
    );
    succeeds(&["convert"], &[&plain, &packed]);
    succeeds(&["convert"], &[&packed, &text]);
    succeeds(&["convert"], &[&text, &back]);
    succeeds(&["convert"], &[&packed, &again]);
    assert_eq!(fs::read(&again).unwrap(), fs::read(&plain).unwrap());

    let found = info(&plain);
    assert_eq!(found["requests"], REQUESTS);
    assert_eq!(found["has_next_accesses"], true);
    assert_eq!(found["has_ttls"], false);
    let number = |name: &str| found[name].as_f64().unwrap();
    assert!(number("object_bytes_min") >= 100.0 && number("object_bytes_max") <= 1024.0);
    assert!((0.05..1.0).contains(&number("one_hit_share")), "{found:?}");
    assert!(
        (86_400.0..2.0 * 86_400.0).contains(&number("duration_seconds")),
        "{found:?}"
    );
    for (other, form, knows_next) in [
        (&packed, "oracleGeneral", true),
        (&text, "csv", false),
        (&back, "oracleGeneral", true),
    ] {
        let mut expected = found.clone();
        expected["trace"] = TraceFile::name(other).into();
        expected["format"] = form.into();
        expected["has_next_accesses"] = knows_next.into();
        assert_eq!(info(other), expected);
    }

    let known = simulated(&plain, &["lru", "fifo", "belady-size"]);
    assert_eq!(known.len(), 6);
    for other in [&packed, &back] {
        assert_eq!(simulated(other, &["lru", "fifo", "belady-size"]), known);
    }
    assert_eq!(simulated(&text, &["lru", "fifo"]), known[..4]);
    assert_eq!(
        names(&folder),
        [
            "a.csv",
            "a.oracleGeneral.zst",
            "again.oracleGeneral",
            "back",
            "made.oracleGeneral"
        ]
    );
}

#[test]
fn a_part_is_linked_anew_and_times_to_live_stay_where_they_can() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let (text, part, plain) = (place("ttl.csv.zst"), place("part.csv"), place("plain"));
    let args = [
        "generate",
        "--requests",
        "20000",
        "--objects",
        "2000",
        "--ttl",
        "5..90",
    ];
    succeeds(&args, &[&text]);
    succeeds(
        &["convert", "--limit", "10000", "--sample", "20%"],
        &[&text, &part],
    );
    let (whole, sampled) = (info(&text), info(&part));
    let number = |json: &Json, name: &str| json[name].as_f64().unwrap();
    let share = number(&sampled, "objects") / number(&whole, "objects");
    assert!((0.1..0.3).contains(&share), "{share}");
    assert!(number(&sampled, "requests") < 10_000.0);
    assert!(whole["has_ttls"] == true && sampled["has_ttls"] == true);
    let finished = succeeds(&["convert"], &[&part, &plain]);
    assert!(
        finished.stderr.contains("only a .csv can hold"),
        "{finished:?}"
    );
    assert_eq!(info(&plain)["has_ttls"], false);
    // Every next access is within the part, which the reader and the simulator rely on.
    assert_eq!(simulated(&plain, &["belady"]).len(), 2);
    let table = succeeds(&["info"], &[&text, &plain]).stdout;
    let line = table
        .lines()
        .find(|line| line.starts_with("requests "))
        .unwrap();
    assert!(line.contains("  20000  "), "{table}");
}

#[test]
fn of_a_damaged_trace_what_can_be_read_is_told_and_kept() {
    let (folder, plain) = made();
    let whole = fs::read(&plain).unwrap();
    let cut = folder.path().join("cut.oracleGeneral");
    fs::write(&cut, &whole[..1_000 * RECORD_BYTES + 10]).unwrap();
    let told = "record 1000 has 10 of its 24 bytes";
    let cut_name = cut.display().to_string();
    let is_named = |finished: &Finished| {
        finished.status.code() == Some(1)
            && finished.stderr.contains(told)
            && finished.stderr.contains(&cut_name)
    };
    let finished = larder_trace(&["info", "--format", "json"], &[&cut, &plain]);
    assert!(is_named(&finished), "{finished:?}");
    let found: Json = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!(found[0]["requests"], 1_000);
    assert_eq!(found[1]["requests"], REQUESTS);

    let kept = folder.path().join("kept.zst");
    let finished = larder_trace(&["convert"], &[&cut, &kept]);
    assert!(is_named(&finished), "{finished:?}");
    assert!(
        finished
            .stderr
            .contains("kept.zst has only what comes before"),
        "{finished:?}"
    );
    // Its next accesses lead nowhere else any more.
    assert_eq!(info(&kept)["requests"], 1_000);
    assert_eq!(simulated(&kept, &["belady"]).len(), 2);

    for (name, bytes, why) in [
        ("empty", &b""[..], "the trace is empty"),
        ("text", &[b'x'; 480], "not an oracleGeneral trace"),
        (
            "late.csv",
            b"key,time\nx,4294967296\n",
            "line 2: the time 4294967296 does not fit",
        ),
    ] {
        let broken = folder.path().join(name);
        fs::write(&broken, bytes).unwrap();
        let out = folder.path().join("none");
        let finished = larder_trace(&["convert"], &[&broken, &out]);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains(why), "{finished:?}");
    }
    let left = [
        "cut.oracleGeneral",
        "empty",
        "kept.zst",
        "late.csv",
        "made.oracleGeneral",
        "text",
    ];
    assert_eq!(names(&folder), left);
}

#[track_caller]
fn fails(args: &[&str], files: &[&Path], code: i32, told: &str) {
    let finished = larder_trace(args, files);
    assert_eq!(finished.status.code(), Some(code), "{finished:?}");
    assert!(finished.stderr.contains(told), "{told}: {finished:?}");
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing_behind() {
    let (folder, plain) = made();
    let place = |name: &str| folder.path().join(name);
    let out = place("a");
    let generate: &[&str] = &["generate", "--requests", "100"];
    fails(generate, &[folder.path()], 1, "is no file");
    fails(
        generate,
        &[&place("a.txt")],
        1,
        "would be read as something else",
    );
    fails(generate, &[&place("none/a")], 1, "none/a");
    fails(
        &["convert"],
        &[&place("nothing"), &out],
        1,
        "nothing: cannot open it",
    );
    for (sample, code, told) in [
        ("0.0000001%", 1, "larger --sample"),
        ("0", 2, "more than nothing"),
    ] {
        fails(
            &["convert", "--sample", sample],
            &[&plain, &out],
            code,
            told,
        );
    }
    for (args, told) in [
        (&["--one-hit", "60%", "--scan", "0.5"][..], "add up to 1.1"),
        (&["--objects", "0"], "0 objects of the catalogue"),
        (&["--requests", "0"], "--requests"),
        (&["--zipf", "-1"], "-1"),
        (&["--rate", "0"], "0 requests a second"),
        (&["--rate", "0.0001"], "second 2^32"),
        (&["--daily", "2"], "no share"),
        (&["--size", "9..1"], "9 is above 1"),
        (&["--ttl", "60"], "only a .csv can hold"),
    ] {
        fails(&[&["generate"], args].concat(), &[&out], 2, told);
    }
    assert_eq!(names(&folder), ["made.oracleGeneral"]);
}

#[test]
fn what_is_there_is_replaced_by_force_alone() {
    let (folder, plain) = made();
    let precious = folder.path().join("precious");
    fs::write(&precious, "precious").unwrap();
    let there = "precious is there already; --force replaces it";
    fails(&["convert"], &[&plain, &precious], 1, there);
    fails(&["generate", "--requests", "100"], &[&precious], 1, there);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    let args = ["generate", "--daily", "10%", "--requests", "100", "--force"];
    let finished = succeeds(&args, &[&precious]);
    assert!(
        finished.stderr.contains("--daily shows little"),
        "{finished:?}"
    );
    assert_eq!(fs::read(&precious).unwrap().len(), 100 * RECORD_BYTES);
    succeeds(
        &["convert", "--force", "--limit", "10"],
        &[&precious, &precious],
    );
    assert_eq!(fs::read(&precious).unwrap().len(), 10 * RECORD_BYTES);
    assert_eq!(names(&folder), ["made.oracleGeneral", "precious"]);
}

#[test]
fn next_accesses_found_out_are_those_that_recorded_traces_have() {
    let Some(traces) = trace::folder() else {
        announce("SKIPPED next accesses of recorded traces: LARDER_TRACES is not set");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for name in ["cloudphysics_io", "adaptsize_web", "lirs_loop"] {
        let recorded = traces.join(format!("{name}.oracleGeneral.zst"));
        let out = folder.path().join(name);
        succeeds(&["convert"], &[&recorded, &out]);
        let expected = zstd::decode_all(fs::File::open(&recorded).unwrap()).unwrap();
        assert!(fs::read(&out).unwrap() == expected, "{name}");
    }
    let (text, out) = (
        traces.join("fb_bigcache_ttl.csv.zst"),
        folder.path().join("ttl.csv"),
    );
    succeeds(&["convert"], &[&text, &out]);
    let (mut recorded, mut converted) = (info(&text), info(&out));
    assert_eq!(recorded["has_ttls"], true);
    recorded["trace"].take();
    converted["trace"].take();
    assert_eq!(recorded, converted);
}
