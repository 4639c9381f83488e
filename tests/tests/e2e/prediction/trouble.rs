//! Prediction over what does not answer, or is gone.

use std::collections::BTreeMap;
use std::fs;

use e2e::harness::{Client, Origin, PATIENCE, Random, Redis, Server, eventually, within};
use larder_resp::encode_command;

use super::{ALL, TRACKS, number, play, play_until, prediction, record};
use crate::values::{NIL, bulk, ok};

const PREDICT: [&str; 8] = [
    "--memory",
    "4MiB",
    "--compression-enabled=false",
    "--predict-enabled",
    "--predict-min-data-points",
    "200",
    "--predict-horizon",
    "2s",
];

/// One of the numbers of what did not come.
fn undone(told: &BTreeMap<String, String>, reason: &str) -> u64 {
    let mut counts = told["undone"].split(',');
    let count = counts.find_map(|count| count.strip_prefix(reason)?.strip_prefix('='));
    count.unwrap().parse().unwrap()
}

/// A client that waits for a track, once that is known to whoever foretells.
fn ask(server: &Server, watcher: &mut Client, track: usize) -> Client {
    let before = number(&prediction(watcher), "heard");
    let mut client = server.client();
    let mut request = Vec::new();
    encode_command(&mut request, &[b"GET", format!("track:{track}").as_bytes()]);
    client.send(&request).unwrap();
    eventually("it is heard what is asked for", || {
        (number(&prediction(watcher), "heard") > before).then_some(())
    });
    client
}

#[test]
fn an_origin_that_does_not_answer_holds_up_sixteen_fetches_and_nobody_else() {
    let value = "v".repeat(1_000);
    let origin = Origin::start(&value);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    let url = format!("http://{}/{{key}}", origin.addr());
    let text = format!("[[loader]]\nmatch = 'track:*'\nurl = '{url}'\ntimeout = '5m'");
    fs::write(&file, text).unwrap();
    let file = file.display().to_string();
    let server = Server::start(&[&["--config", &file], &PREDICT[..], &ALL].concat());
    let mut client = server.client();
    play_until(&mut client, TRACKS, 50.0);
    assert_eq!(client.call(&["SET", "own", "v"]), ok());

    origin.hold(true);
    let asked = origin.requests().len();
    let album = (1_000_000..).take(24);
    let waiting: Vec<_> = album
        .map(|track| ask(&server, &mut client, track))
        .collect();
    let told = eventually("it says why nothing is fetched", || {
        let told = prediction(&mut client);
        let why = "paused; as 16 fetches go on; and none has ended for ";
        told["why"].starts_with(why).then_some(told)
    });
    assert!(undone(&told, "crowded") > 0, "{told:?}");
    let asked = origin.requests().len() - asked;
    assert!((24..=24 + 16).contains(&asked), "{asked}");
    assert_eq!(client.call(&["GET", "own"]), bulk("v"));
    assert_eq!(client.call(&["GET", "nowhere"]), NIL);

    origin.hold(false);
    for mut client in waiting {
        assert_eq!(client.receive(), Some(bulk(&value)));
    }
    let used = number(&prediction(&mut client), "used");
    play_until(&mut client, TRACKS, used + 20.0);
}

#[test]
fn a_redis_that_dies_has_fetches_pause_and_nobody_wait() {
    let Some(redis) = Redis::start("a_redis_that_dies_has_fetches_pause_and_nobody_wait") else {
        return;
    };
    let tracks = 8_000;
    let url = format!("redis://{}", redis.addr());
    let level = ["--l2", &url, "--l2-timeout", "100ms"];
    let server = Server::start(&[&level[..], &PREDICT, &ALL].concat());
    let mut client = server.client();
    record(&mut client, tracks);
    let before = play_until(&mut client, tracks, 50.0);
    assert_eq!(client.call(&["SET", "own", "v"]), ok());

    drop(redis);
    let mut random = Random::new(9);
    let told = within(PATIENCE, || {
        let told = play(&mut client, random.below(tracks - 8));
        let is_paused = told["why"].starts_with("paused; as the last ");
        is_paused.then_some(told)
    });
    let told = told.expect("it says why nothing is fetched");
    assert!(told["why"].contains(" fetches failed: "), "{told:?}");
    assert!(
        undone(&told, "failed") >= undone(&before, "failed") + 8,
        "{told:?}"
    );
    assert_eq!(client.call(&["GET", "own"]), bulk("v"));
    assert_eq!(client.call(&["SET", "own", "w"]), ok());
    assert_eq!(client.call(&["GET", "own"]), bulk("w"));
}

/// What is written is there, whether the level below has room for it or not.
fn write(client: &mut Client) {
    for number in 0..200 {
        let key = format!("own:{number}");
        assert_eq!(client.call(&["SET", &key, "v"]), ok());
        assert_eq!(client.call(&["GET", &key]), bulk("v"));
    }
}

#[test]
fn a_disk_that_is_full_is_fetched_from_but_for_what_it_gave_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let level = ["--data", &data, "--l2", "disk", "--l2-size", "16MiB"];
    let server = Server::start(&[&level[..], &PREDICT, &ALL].concat());
    let mut client = server.client();
    record(&mut client, TRACKS);
    let before = play_until(&mut client, TRACKS, 50.0);
    assert!(server.metric("larder_tier_evictions_total") > 0.0);
    assert_eq!(client.call(&["GET", "track:0"]), NIL);

    let needless = undone(&before, "needless");
    let told = within(PATIENCE, || {
        // They are of those that the disk gave up first.
        let told = (0..10).map(|turn| play(&mut client, 4 * turn)).last()?;
        (undone(&told, "needless") > needless).then_some(told)
    });
    let told = told.expect("what is gone is foretold, and looked for");
    assert_eq!((undone(&told, "failed"), undone(&told, "paused")), (0, 0));
    assert!(!told["why"].starts_with("paused"), "{told:?}");
    write(&mut client);
    play_until(&mut client, TRACKS, number(&told, "used") + 20.0);
}

#[test]
fn a_redis_that_is_full_is_fetched_from_as_before() {
    let Some(redis) = Redis::start("a_redis_that_is_full_is_fetched_from_as_before") else {
        return;
    };
    let tracks = 8_000;
    let url = format!("redis://{}", redis.addr());
    let server = Server::start(&[&["--l2", &url], &PREDICT[..], &ALL].concat());
    let mut client = server.client();
    record(&mut client, tracks);
    let before = play_until(&mut client, tracks, 50.0);
    let limit = ["CONFIG", "SET", "maxmemory", "1"];
    assert_eq!(redis.client().call(&limit), ok());
    write(&mut client);
    eventually("Redis refuses what is written", || {
        (server.metric("larder_tier_write_errors_total") > 0.0).then_some(())
    });

    let told = play_until(&mut client, tracks, number(&before, "used") + 20.0);
    assert_eq!((undone(&told, "failed"), undone(&told, "paused")), (0, 0));
    assert!(!told["why"].starts_with("paused"), "{told:?}");
    write(&mut client);
}
