//! The benchmarks at a small size: they run and its figures make sense. Times are never judged.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use bench::codec;
use bench::disk;
use bench::hit_ratio;
use bench::hybrid;
use bench::l1::{self, Operation};
use bench::policy;
use bench::predict::{self, Mode, Requests};
use bench::redis;
use bench::report::{Cell, Table};
use bench::server::{self, Contestant};
use bench::servers::Kind;
use bench::shifting;
use bench::simulator;
use bench::tail::{self, Disturbance};
use larder_simulator::trace::{Generator, write};

#[test]
fn l1_finds_what_it_holds() {
    let options = l1::Options {
        keys: 100_000,
        ops: 100_000,
        runs: 2,
        zipf: 0.99,
        seed: 1,
        operations: Operation::ALL.to_vec(),
        store: String::new(),
    };
    let rows = l1::run(&options).unwrap();
    let of = |operation| {
        rows.iter()
            .filter(move |row| row.operation == operation)
            .count()
    };
    assert_eq!(of(Operation::Get), 12);
    assert_eq!(of(Operation::DeleteInsert), 6);
    assert_eq!(of(Operation::GetOrInsert), 10);
    for row in &rows {
        let (hits, shown) = (row.hit_ratio.median(), format!("{row:?}"));
        assert!(row.wall_ns.min() > 0.0, "{shown}");
        if row.operation == Operation::GetOrInsert {
            // The best half of the keys has more than nine tenths of the reads.
            assert!((0.8..1.0).contains(&hits), "{shown}");
            assert!((35_000..=65_000).contains(&row.entries), "{shown}");
        } else {
            assert_eq!(hits, 1.0, "{shown}");
            assert_eq!(row.entries, 100_000, "{shown}");
        }
    }
    assert_eq!(l1::table(&options, &rows).rows.len(), rows.len());
}

#[test]
fn shifting_sizes_stay_near_the_memory() {
    let rows = shifting::run(&[Kind::Redis], 16).unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        assert!(
            (16 << 20..64 << 20).contains(&row.resident_bytes_max),
            "{row:?}"
        );
    }
}

#[test]
fn a_server_is_beside_itself() {
    let options = server::Options {
        keys: 1_000,
        requests: 2_000,
        pipelines: vec![1, 16],
        runs: 2,
        memory_mib: 16,
        beside: None,
    };
    let contestant = |name: &str| Contestant {
        name: name.to_owned(),
        kind: Kind::Redis,
        memory_mib: Some(16),
    };
    let rows = server::run(&[contestant("a"), contestant("b")], &options).unwrap();
    assert_eq!(rows.len(), 8);
    for row in &rows {
        assert!(row.cpu_us.min() > 0.0 && row.rate.min() > 0.0, "{row:?}");
        let expected = if row.command == "GET" {
            Some(1.0)
        } else {
            None
        };
        assert_eq!(row.hit_ratio, expected, "{row:?}");
    }
    assert_eq!(server::table(&rows, &options).rows.len(), 8);
}

#[test]
fn readers_read_on_while_others_keep_a_server_busy() {
    let options = tail::Options {
        keys: 1_000,
        readers: 2,
        rate: 100,
        seconds: 1,
        runs: 1,
        memory_mib: 16,
        disturbances: Disturbance::ALL.to_vec(),
        troubles: Vec::new(),
    };
    let redis = Contestant {
        name: "redis".to_owned(),
        kind: Kind::Redis,
        memory_mib: Some(16),
    };
    let rows = tail::run(&[redis], &options).unwrap();
    assert_eq!(rows.len(), Disturbance::ALL.len());
    for row in &rows {
        let shown = format!("{row:?}");
        assert_eq!(row.figures.replies, 200, "{shown}");
        let is_nothing = row.disturbance == Disturbance::Nothing;
        assert_eq!(row.figures.done.max() == 0.0, is_nothing, "{shown}");
    }
    assert_eq!(tail::table(&rows, &options).rows.len(), rows.len());
}

#[test]
fn prediction_on_is_beside_prediction_off() {
    let options = predict::Options {
        keys: 20_000,
        readers: 2,
        rates: vec![50, 0],
        learning: 1,
        settling: 0,
        seconds: 1,
        runs: 1,
        memory_mib: 4,
        requests: vec![Requests::Chance],
    };
    // It lies there once `cargo build` has made it: a step of `cargo xtask test` before this one.
    let rows = predict::run(&profile().join("larder"), &options).unwrap();
    assert_eq!(rows.len(), 2 * Mode::ALL.len());
    for row in &rows {
        let (hits, shown) = (row.hits.median(), format!("{row:?}"));
        assert!(hits > 0.0 && hits < 90.0, "{shown}");
        assert!(row.cpu_us.min() > 0.0 && row.asked.min() > 0.0, "{shown}");
        let [foretells, _] = &row.threads_percent;
        assert_eq!(foretells.min() > 0.0, row.mode != Mode::Off, "{shown}");
    }
    assert_eq!(predict::table(&rows, &options).rows.len(), rows.len());
}

#[test]
fn a_policy_is_beside_its_native_twin() {
    let options = policy::Options {
        keys: 10_000,
        requests: 30_000,
        calls: 2_000,
        entries: 32_000,
        runs: 2,
        policies: policies(),
    };
    let tables = policy::run(&options).unwrap();
    let rows: Vec<_> = tables.iter().map(|table| table.rows.len()).collect();
    assert_eq!(rows, [3, 2, 2]);
}

#[test]
fn documents_come_back_from_records_and_dictionaries_save_most() {
    let options = codec::Options {
        documents: 200,
        sealed_bytes: 1 << 20,
        runs: 1,
        seed: 1,
    };
    let tables = codec::run(&options).unwrap();
    assert_eq!(tables[1].rows.len(), 5);
    for ways in tables[0].rows.chunks(5) {
        let left = |row: &Vec<Cell>| match row[3] {
            Cell::Number(bytes, _) => bytes,
            ref other => panic!("{other:?}"),
        };
        let (plain, trained) = (left(&ways[2]), left(&ways[4]));
        assert!(trained * 1.4 < plain, "{ways:?}");
    }
}

#[test]
fn the_disk_finds_what_it_was_given_after_its_ends() {
    let options = disk::Options {
        entries: 2_000,
        value_bytes: 200,
        hits_s: 1_000,
        writes_s: 100,
        seconds: 1,
        stores: vec![disk::Kind::Larder, disk::Kind::Foyer, disk::Kind::Fjall],
        runs: 1,
        seed: 1,
    };
    let program = Path::new(env!("CARGO_BIN_EXE_disk"));
    let tables = disk::run(&options, program).unwrap();
    let rows: Vec<_> = tables.iter().map(|table| table.rows.len()).collect();
    assert_eq!(rows, [25, 18]);
    let of_larder = |row: &&Vec<Cell>| matches!(&row[1], Cell::Text(name) if name == "larder");
    let last = tables[0].rows.iter().rfind(of_larder).unwrap();
    assert!(matches!(last[2], Cell::Number(100.0, _)), "{last:?}");
}

#[test]
fn redis_is_asked_both_ways() {
    let options = redis::Options {
        entries: 100,
        value_bytes: 100,
        operations: 50,
        runs: 1,
        seed: 1,
    };
    let table = redis::run(&options).unwrap();
    assert_eq!(table.rows.len(), 10);
    for row in &table.rows {
        // What this process took itself is not to be told from what goes on beside it here.
        let [_, _, p50, p99, _, redis] = &row[..] else {
            panic!("{row:?}");
        };
        for figure in [p50, p99, redis] {
            assert!(
                matches!(figure, Cell::Number(us, _) if *us > 0.0),
                "{row:?}"
            );
        }
    }
}

#[test]
fn a_cache_of_memory_and_disk_is_beside_another() {
    let options = hybrid::Options {
        entries: 20_000,
        value_bytes: 500,
        memory_mib: 4,
        reads: 1_000,
        writes_s: 100_000,
        runs: 1,
        seed: 1,
    };
    let table = hybrid::run(&options).unwrap();
    let found = |cache: &str| -> Vec<f64> {
        let own = |row: &&Vec<Cell>| matches!(&row[1], Cell::Text(name) if name == cache);
        let found = |row: &Vec<Cell>| match row[6] {
            Cell::Number(percent, _) => percent,
            _ => f64::NAN,
        };
        table.rows.iter().filter(own).map(found).collect()
    };
    assert_eq!(found(hybrid::Kind::Larder.name()), [100.0, 100.0, 0.0]);
    // What it dropped under pressure is its own affair.
    assert_eq!(found(hybrid::Kind::Foyer.name()).len(), 3);
}

#[test]
fn a_simulated_policy_is_beside_its_native_twin() {
    let options = simulator::Options {
        trace: None,
        requests: 20_000,
        runs: 2,
        policies: policies(),
    };
    assert_eq!(simulator::run(&options).unwrap().rows.len(), 4);
}

#[test]
fn policies_stand_between_the_future_known_and_everything_missed() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, size_bytes| {
        let made = Generator {
            requests: 20_000,
            objects: 2_000,
            size_bytes,
            ..Generator::default()
        };
        let mut file = File::create(folder.path().join(name)).unwrap();
        write(&made.records(), &mut file).unwrap();
    };
    made("even.oracleGeneral", (1, 1));
    made("sized.oracleGeneral", (10, 2_000));
    let plots = folder.path().join("plots");
    let options = hit_ratio::Options {
        traces: Some(folder.path().to_owned()),
        also: vec!["s3-fifo:promoting_reads=1".to_owned()],
        apart: vec!["sized".to_owned()],
        runs: 1,
        plots: Some(plots.clone()),
    };
    let tables = hit_ratio::run(&options).unwrap();
    // Four summaries, who is best, the even trace, and the one with sizes also by bytes.
    assert_eq!(tables.len(), 8);
    let (even, policies) = (misses(&tables[5]), tables[0].rows.len());
    assert_eq!(even.len(), policies + 2, "belady and belady-size come last");
    for (name, ratios) in &even[..policies] {
        for (ratio, least) in ratios.iter().zip(&even[policies].1) {
            assert!((*least..=1.0).contains(ratio), "{name}: {ratio}, {least}");
        }
    }
    assert_eq!(misses(&tables[6]).len(), policies + 1);
    for name in ["even.svg", "sized.svg"] {
        assert!(is_image(&plots.join(name)), "{name}");
    }
}

/// The rows of a trace: the policy, and its miss ratio at each size.
fn misses(table: &Table) -> Vec<(String, Vec<f64>)> {
    let row = |row: &Vec<Cell>| {
        let Cell::Text(name) = &row[0] else {
            panic!("{row:?}")
        };
        let ratio = |cell: &Cell| match cell {
            Cell::Number(ratio, _) => *ratio,
            other => panic!("{other:?}"),
        };
        (name.clone(), row[1..5].iter().map(ratio).collect())
    };
    table.rows.iter().map(row).collect()
}

fn is_image(path: &Path) -> bool {
    let image = fs::read_to_string(path).unwrap();
    image.starts_with("<svg") && image.contains("s3-fifo") && image.len() < 60_000
}

/// Where `cargo xtask policies` leaves them: a step of `cargo xtask test` before this one.
fn policies() -> PathBuf {
    profile().with_file_name("policies")
}

/// `target/debug`, or what it is called for the profile of the tests.
fn profile() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    own.ancestors().nth(2).unwrap().to_owned()
}
