//! What is fetched before anybody asks for it.

mod tenants;
mod trouble;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use e2e::harness::{Client, PATIENCE, Random, Server, eventually, larder, run, within};
use larder_resp::Value;

use crate::values::ok;

/// Of which the memory holds a seventh or so.
const TRACKS: usize = 20_000;

/// Has all be looked at, however fast it is asked for: who waits until it was would wait forever otherwise.
const ALL: [&str; 2] = ["--predict-accesses-per-second", "1000000"];

fn start(data: &Path) -> Server {
    let data = data.display().to_string();
    let flags = ["--data", &data, "--l2", "disk", "--memory", "4MiB"];
    let predict = ["--predict-enabled", "--predict-min-data-points", "200"];
    Server::start(&[&flags[..], &predict, &ALL, &["--compression-enabled=false"]].concat())
}

/// INFO prediction.
fn prediction(client: &mut Client) -> BTreeMap<String, String> {
    let Value::Bulk(Some(text)) = client.call(&["INFO", "prediction"]) else {
        panic!("INFO is not answered");
    };
    let text = String::from_utf8(text.to_vec()).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let own = |(name, value): (&str, &str)| {
        let name = name.strip_prefix("prediction_").unwrap_or(name);
        (name.to_owned(), value.trim_end().to_owned())
    };
    lines.map(own).collect()
}

fn number(told: &BTreeMap<String, String>, name: &str) -> f64 {
    told[name].parse().unwrap()
}

/// Four tracks more, once what was asked for before is known to whoever foretells.
fn play(client: &mut Client, first: usize) -> BTreeMap<String, String> {
    let noticed = |told: &_| number(told, "heard") + number(told, "unheard");
    let before = noticed(&prediction(client));
    for track in first..first + 4 {
        client.call(&["GET", &format!("track:{track}")]);
    }
    eventually("it is heard what is asked for", || {
        let told = prediction(client);
        (noticed(&told) >= before + 4.0).then_some(told)
    })
}

/// Plays albums, each from anywhere among so many tracks, until `used` of them had been fetched before.
fn play_until(client: &mut Client, tracks: usize, used: f64) -> BTreeMap<String, String> {
    let mut random = Random::new(7);
    // On a busy machine whoever foretells lets others go first.
    let told = within(3 * PATIENCE, || {
        let start = random.below(tracks - 40);
        let told = (0..10).map(|turn| play(client, start + 4 * turn)).last()?;
        (number(&told, "used") >= used).then_some(told)
    });
    told.expect("tracks are fetched before they are asked for")
}

/// Writes so many tracks of a thousand bytes.
fn record(client: &mut Client, tracks: usize) {
    for track in 0..tracks {
        let value = "v".repeat(1_000);
        let reply = client.call(&["SET", &format!("track:{track}"), &value]);
        assert_eq!(reply, ok());
    }
}

#[test]
fn playlists_are_fetched_ahead_and_a_model_outlives_the_process_unless_it_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let mut client = server.client();
    record(&mut client, TRACKS);
    let told = play_until(&mut client, TRACKS, 100.0);
    assert!(number(&told, "precision") > 0.3, "{told:?}");
    assert!(
        number(&told, "trained") >= 1.0 && number(&told, "recall") > 0.0,
        "{told:?}"
    );
    assert!(server.metric("larder_prediction_used_total") >= 100.0);
    let file = folder.path().join("predict/default.model");
    eventually("the model is kept", || file.exists().then_some(()));
    drop(client);
    assert!(server.stop().success());

    let kept = fs::File::options().write(true).open(&file).unwrap();
    let hour = Duration::from_secs(3600);
    kept.set_modified(SystemTime::now() - hour).unwrap();
    let server = start(folder.path());
    let told = prediction(&mut server.client());
    assert!(told["why"].contains("of an earlier run"), "{told:?}");
    assert!(number(&told, "model_age_ms") >= 3_600_000.0, "{told:?}");
    assert!(server.stop().success());
    fs::write(&file, b"LARDERPM, but no more").unwrap();
    let server = start(folder.path());
    let told = prediction(&mut server.client());
    assert!(
        told["why"].contains("nothing has been learnt yet"),
        "{told:?}"
    );
    server
        .process()
        .said("the model of the last run is left out");
}

#[test]
fn what_is_asked_for_by_chance_is_not_fetched_and_it_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let server = start(folder.path());
    let mut client = server.client();
    let mut random = Random::new(7);
    let told = within(PATIENCE, || {
        for _ in 0..100 {
            let object = random.below(100_000).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            client.call(&["GET", &format!("{object:x}-")]);
        }
        let told = prediction(&mut client);
        (number(&told, "trained") >= 2.0).then_some(told)
    });
    let told = told.expect("it is tried to learn from that");
    assert_eq!((&*told["prediction"], &*told["planned"]), ("off", "0"));
    let why = &told["why"];
    let reasons = [
        "too few data",
        "too few candidates were probable",
        "are asked for, less than",
    ];
    assert!(reasons.iter().any(|reason| why.contains(reason)), "{why}");
}

#[test]
fn without_it_nothing_is_fetched_and_it_says_why() {
    let server = Server::start(&["--l2", "disk"]);
    let told = prediction(&mut server.client());
    assert_eq!((&*told["prediction"], &*told["fetched"]), ("off", "0"));
    assert_eq!(told["why"], "predict.enabled is false");
    let addr = server.addr().to_string();
    let said = run(
        &mut larder(["predict", "status", "--addr", &addr]),
        PATIENCE,
    );
    assert!(said.status.success(), "{}", said.stderr);
    let why = "why            predict.enabled is false\n";
    assert!(said.stdout.contains(why), "{}", said.stdout);
    let said = run(
        &mut larder(["predict", "explain", "k", "--addr", &addr]),
        PATIENCE,
    );
    assert!(
        said.stdout.starts_with("known          no\n"),
        "{}",
        said.stdout
    );
    drop(server);
    // Nor is there anything to fetch from where nothing lies below.
    let server = Server::start(&["--predict-enabled"]);
    let told = prediction(&mut server.client());
    assert!(told["why"].contains("nothing lies below"), "{told:?}");
}
