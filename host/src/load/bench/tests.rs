use clap::Parser;
use serde_json::Value;

use super::*;
use crate::load::fake::{Store, serve};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    bench: BenchArgs,
}

fn parse(options: &str) -> Result<BenchArgs, clap::Error> {
    let words = std::iter::once("bench").chain(options.split_whitespace());
    Cli::try_parse_from(words).map(|cli| cli.bench)
}

/// The report of a run against `addr`, as JSON, and whether it is a good one.
fn run(addr: &str, options: &str) -> (Value, bool) {
    let args = parse(&format!("--addr {addr} --duration 200ms {options}")).unwrap();
    let report = args.measure().unwrap();
    (serde_json::to_value(&report).unwrap(), report.is_good())
}

fn honest() -> String {
    let mut store = Store::default();
    serve(move |args, reply| {
        store.answer(args, reply);
        true
    })
}

#[test]
fn a_good_server_gets_a_good_report() {
    let options = "--fill --keys 500 --clients 5 --threads 2 --pipeline 7 --value 0..90 --seed 9 \
                   --ratio set=30,del=15";
    let (report, good) = run(&honest(), options);
    assert!(good, "{report}");
    assert_eq!(report["fill"]["count"], 500);
    assert_eq!(report["seed"], 9);
    assert_eq!(report["settings"]["ratio"]["get"], 90);
    let counts = ["get", "set", "del"].map(|op| report["ops"][op]["count"].as_u64().unwrap());
    assert!(counts.iter().all(|&count| count > 0), "{report}");
    assert_eq!(
        report["count"].as_u64().unwrap(),
        counts.iter().sum::<u64>()
    );
    let hits_and_misses = report["hits"].as_u64().unwrap() + report["misses"].as_u64().unwrap();
    assert_eq!(hits_and_misses, counts[0]);
    assert!(report["hit_ratio"].as_f64().unwrap() > 0.3);
    let at = |name: &str| report["ops"]["get"]["latency_us"][name].as_f64().unwrap();
    let rising = ["p50", "p95", "p99", "p999", "max"].map(at);
    assert!(rising[0] > 0.0 && rising.is_sorted(), "{rising:?}");
}

#[test]
fn a_fill_without_loss_leaves_nothing_to_miss() {
    let options = "--fill --keys 301 --clients 3 --threads 2 --ops get --zipf 0";
    let (report, good) = run(&honest(), options);
    assert!(good, "{report}");
    assert_eq!(report["hit_ratio"], 1.0);
    assert!(report["ops"].get("set").is_none());
}

#[test]
fn values_larger_than_every_buffer_pass_both_ways() {
    let options = "--keys 4 --clients 2 --pipeline 16 --value 300000 --ratio get=1,set=1,del=0";
    let (report, good) = run(&honest(), options);
    assert!(good, "{report}");
    assert!(report["hits"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn values_of_another_key_are_wrong_unless_nobody_looks() {
    let swapped = || {
        let mut last = Vec::new();
        serve(move |args, reply| {
            if args.name() == b"SET" {
                last = args[2].to_vec();
                reply.ok();
            } else {
                reply.bulk(&last);
            }
            true
        })
    };
    let options = "--fill --ops get --keys 100 --clients 2";
    let (report, good) = run(&swapped(), options);
    assert!(!good && report["wrong"].as_u64().unwrap() > 0, "{report}");
    assert!(
        report["first_fault"]
            .as_str()
            .unwrap()
            .contains("wrong reply to get key:")
    );
    let (report, good) = run(&swapped(), &format!("{options} --verify=false"));
    assert!(good, "{report}");
}

#[test]
fn error_replies_are_counted_and_told() {
    let addr = serve(|_, reply| {
        reply.error("NOAUTH who are you");
        true
    });
    let (report, good) = run(&addr, "--clients 2 --keys 10 --fill");
    assert!(!good && report["errors"].as_u64().unwrap() > 10, "{report}");
    assert!(
        report["first_fault"]
            .as_str()
            .unwrap()
            .contains("NOAUTH who are you")
    );
}

#[test]
fn what_a_closed_connection_leaves_unanswered_is_lost() {
    let mut requests = 0;
    let addr = serve(move |_, reply| {
        requests += 1;
        reply.null();
        requests % 50 != 0
    });
    let (report, good) = run(&addr, "--clients 4 --pipeline 4 --ops get --keys 10");
    assert!(!good && report["lost"].as_u64().unwrap() > 0, "{report}");
    assert!(
        report["first_fault"]
            .as_str()
            .unwrap()
            .contains("connection lost"),
        "{report}"
    );
}

#[test]
fn a_server_that_talks_unasked_is_wrong() {
    let addr = serve(|_, reply| {
        reply.null();
        reply.null();
        true
    });
    let (report, good) = run(&addr, "--clients 1 --ops get --keys 10");
    assert!(!good && report["wrong"].as_u64().unwrap() > 0, "{report}");
}

#[test]
fn contradictions_are_refused_before_anything_is_sent() {
    let check = |options: &str, expected: &str| {
        let error = parse(options).unwrap().measure().err().unwrap().to_string();
        assert!(error.contains(expected), "{options}: {error}");
    };
    check("--ops get --ratio del=1", "--ratio weighs del");
    check("--ops get --ratio get=0", "nothing to do");
    check("--zipf nan", "--zipf NaN");
    check("--duration 0", "--duration is zero");
    check(
        "--pipeline 10000 --value 1000000",
        "lower --pipeline or --value",
    );
    check("--addr 127.0.0.1:1", "cannot connect to 127.0.0.1:1");
    check(
        "--addr unix:/nonexistent",
        "cannot connect to unix:/nonexistent",
    );
}

#[test]
fn impossible_options_are_refused() {
    for options in [
        "--keys 0",
        "--clients 0",
        "--pipeline 0",
        "--threads 0",
        "--ops put",
        "--ttl x",
    ] {
        assert!(parse(options).is_err(), "{options}");
    }
}
