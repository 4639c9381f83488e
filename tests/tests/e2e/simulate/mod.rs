//! `larder simulate`: what it prints, what it refuses, and how well it agrees with others.

mod levels;
mod prewarm;
mod reference;
mod twins;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::harness::{Finished, larder, run};
use larder::trace::{Generator, write};
use serde_json::Value as Json;
use tempfile::TempDir;

const SIMULATION_MAX: Duration = Duration::from_secs(120);
const COLUMNS: &str = "trace,policy,runtime,size,capacity,requests,miss_ratio,byte_miss_ratio,evictions,\
                       rejected,seconds,prewarm,precision,recall,wasted,policy_ns,policy_bytes,\
                       l2,l2_capacity,hits_l1,hits_l2";

/// A made trace in a folder of its own.
fn made() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made.oracleGeneral");
    let generator = Generator {
        requests: 50_000,
        objects: 5_000,
        ..Generator::default()
    };
    let mut out = BufWriter::new(File::create(&path).unwrap());
    write(&generator.records(), &mut out).unwrap();
    drop(out);
    (folder, path)
}

#[track_caller]
fn simulate(trace: &Path, args: &[&str]) -> Finished {
    run(larder(["simulate"]).arg(trace).args(args), SIMULATION_MAX)
}

#[test]
fn rows_come_as_a_table_as_csv_and_as_json_and_say_the_same() {
    let (_folder, path) = made();
    let args = [
        "--policy",
        "lru",
        "--policy",
        "s3-fifo:small_percent=20",
        "--policy",
        "belady",
    ];
    let with = |more: &[&str]| {
        let finished = simulate(&path, &[&args, more].concat());
        assert!(finished.status.success(), "{finished:?}");
        finished.stdout
    };
    let csv = with(&["--size", "1%,100", "--format", "csv"]);
    let lines: Vec<_> = csv.lines().collect();
    assert_eq!((lines[0], lines.len()), (COLUMNS, 7));
    assert!(lines[1].starts_with("made,lru,native,1%,") && lines[1].contains(",,,,,"));
    assert!(lines[4].starts_with("made,s3-fifo:small_percent=20,native,100,100,50000,"));
    let json: Json =
        serde_json::from_str(&with(&["--size", "1%,100", "--format", "json"])).unwrap();
    for (row, line) in json.as_array().unwrap().iter().zip(&lines[1..]) {
        let fields: Vec<_> = line.split(',').collect();
        assert_eq!(row["policy"], fields[1]);
        assert_eq!(row["evictions"].to_string(), fields[8]);
        assert_eq!(
            format!("{:.6}", row["miss_ratio"].as_f64().unwrap()),
            fields[6]
        );
        assert_eq!(row["prewarm"], Json::Null);
    }
    let table = with(&["--size", "1%"]);
    assert!(table.contains("miss_ratio") && !table.contains("prewarm"));
    // The same on as many threads and for the same seed; another order of rows for no reason.
    let seconds = |line: &str| line.split(',').take(10).collect::<Vec<_>>().join(",");
    let again = with(&["--size", "1%,100", "--format", "csv", "--threads", "1"]);
    assert!(again.lines().map(seconds).eq(csv.lines().map(seconds)));
}

#[test]
fn what_cannot_be_simulated_is_named_and_the_rest_is_printed() {
    let (folder, path) = made();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let whole = fs::read(&path).unwrap();
    let packed = zstd::encode_all(&whole[..], 1).unwrap();
    for (broken, why, rows) in [
        (
            file("cut.oracleGeneral", &whole[..24_010]),
            "record 1000 has 10 of its 24",
            1,
        ),
        (
            file("cut.oracleGeneral.zst", &packed[..packed.len() / 2]),
            "zstd",
            1,
        ),
        (
            file("text.oracleGeneral", &[b'x'; 4800]),
            "not an oracleGeneral trace",
            0,
        ),
        (file("empty.oracleGeneral", b""), "the trace is empty", 0),
        (
            file("bad.csv", b"key,size\na,1\nb,c\n"),
            "line 3: 'c' in column 2",
            1,
        ),
        (file("no.csv", b"a,b\n1,2\n"), "no column 'key'", 0),
        (folder.path().join("none"), "cannot open", 0),
    ] {
        let mut command = larder([
            "simulate", "--policy", "lru", "--size", "10", "--format", "csv",
        ]);
        let finished = run(command.arg(&broken).arg(&path), SIMULATION_MAX);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        let name = broken.display().to_string();
        assert!(
            finished.stderr.contains(&name) && finished.stderr.contains(why),
            "{finished:?}"
        );
        // What could be read of it, and the other trace.
        assert_eq!(finished.stdout.lines().count(), 2 + rows, "{finished:?}");
    }
    let page = folder.path().display().to_string();
    for (args, why) in [
        (&["--policy", "lru", "--html", &page][..], "cannot write"),
        (&["--policy", "lur"], "there is no policy 'lur'; there are"),
        (&["--policy", "lru", "--size", "0"], "more than nothing"),
        (&["--policy", "belady", "--l2", "10%"], "leave out --l2"),
        (&["--policy", "s3-fifo:small=3"], "no parameter 'small'"),
        (&["--policy", "/no/such.wasm"], "/no/such.wasm"),
    ] {
        let finished = simulate(&path, args);
        assert!(
            !finished.status.success() && finished.stderr.contains(why),
            "{finished:?}"
        );
        assert_eq!(finished.stdout, "", "before anything is simulated");
    }
    let finished = simulate(Path::new("/dev/null"), &["--policy", "lru"]);
    assert!(finished.stderr.contains("has to be a file"), "{finished:?}");
}

#[test]
fn a_policy_that_fails_in_the_middle_is_named_with_the_place_and_the_reason() {
    let (folder, path) = made();
    let wasm = folder.path().join("turncoat.wasm");
    fs::write(&wasm, crate::policies::turncoat("unreachable", "")).unwrap();
    let spec = wasm.display().to_string();
    let args = [
        "--policy", &spec, "--policy", "lru", "--size", "100", "--format", "csv",
    ];
    let finished = simulate(&path, &args);
    assert_eq!(finished.status.code(), Some(1));
    let told = |what: &str| assert!(finished.stderr.contains(what), "{what}: {finished:?}");
    ["turncoat.wasm", "at 100", "at request ", "trapped"]
        .into_iter()
        .for_each(told);
    let rows: Vec<_> = finished.stdout.lines().collect();
    assert_eq!(rows.len(), 3);
    let requests = |row: &str| row.split(',').nth(5).unwrap().parse::<u64>().unwrap();
    assert!((250..50_000).contains(&requests(rows[1])), "{rows:?}");
    assert_eq!(requests(rows[2]), 50_000);
}

#[test]
fn entries_expire_where_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("ttl.csv");
    let lines = "when,what,lives\n100,a,10\n109,a,10\n110,a,10\n111,a,\n";
    fs::write(&trace, lines).unwrap();
    let columns = "--columns=key=what,time=when,ttl=lives";
    let misses = |ttl: &str| {
        let args = [
            "--policy", "lru", "--size", "5", "--format", "json", columns, "--ttl", ttl,
        ];
        let finished = simulate(&trace, &args);
        let json: Json = serde_json::from_str(&finished.stdout).unwrap();
        json[0]["miss_ratio"].as_f64().unwrap()
    };
    assert_eq!((misses("ignore"), misses("honour")), (0.25, 0.5));
    fs::write(&trace, "when,what,lives\n100,a,10\n99,a,10\n").unwrap();
    let finished = simulate(&trace, &["--policy", "lru", columns, "--ttl", "honour"]);
    assert_eq!(finished.status.code(), Some(1));
    assert!(
        finished.stderr.contains("request 1 time goes backwards"),
        "{finished:?}"
    );
}

#[test]
fn charts_and_a_page_are_written_whole() {
    let (folder, path) = made();
    let [image, page] = ["out.svg", "out.html"].map(|name| folder.path().join(name));
    let [image_arg, page_arg] = [&image, &page].map(|file| file.display().to_string());
    let args = ["--policy", "lru", "--plot", &image_arg, "--html", &page_arg];
    assert!(simulate(&path, &args).status.success());
    assert!(fs::read_to_string(image).unwrap().starts_with("<svg"));
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains("<svg") && page.contains("<table>") && page.ends_with("</html>\n"));
}
