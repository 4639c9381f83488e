//! What a tenant sees of another's prediction: nothing, but for a model where that is shared.

use std::fs;

use e2e::harness::{Client, Server, get_with};
use larder_resp::Value;

use super::{ALL, play_until, prediction, record};
use crate::values::{bulk, ok};

const TRACKS: usize = 8_000;
const CONFIG: &str = "
[[tenant]]
name = 'a'
memory = '4MiB'
[[tenant]]
name = 'b'
memory = '4MiB'
[[user]]
name = 'ann'
tenant = 'a'
password = 'none'
[[user]]
name = 'bob'
tenant = 'b'
password = 'none'
";
/// Bob, without a password.
const BOB: &str = "Authorization: Basic Ym9iOg==\r\n";

fn sign_in(server: &Server, name: &str) -> Client {
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", name, ""]), ok());
    client
}

#[test]
fn where_there_is_not_room_for_all_those_with_most_memory_have_prediction_and_the_others_are_named()
{
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("larder.toml");
    fs::write(&file, CONFIG.replacen("'4MiB'", "'9MiB'", 1)).unwrap();
    let file = file.display().to_string();
    let flags = ["--config", &file, "--memory", "20MiB", "--l2", "disk"];
    let server = Server::start(&[&flags[..], &["--predict-enabled"]].concat());
    let why = |name| prediction(&mut sign_in(&server, name))["why"].clone();
    assert!(why("ann").contains("nothing has been learnt yet"));
    assert!(why("bob").contains("no room for one more tenant"));
    for tenant in ["default", "b"] {
        let named = format!(
            "no prediction: predict.memory has no room for one more tenant: each takes 24MiB at least, those with most memory first tenant=\"{tenant}\""
        );
        server.process().said(&named);
    }
}

#[test]
fn a_tenant_sees_nothing_of_another_but_for_a_model_that_is_shared() {
    for is_shared in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("larder.toml");
        fs::write(&file, CONFIG).unwrap();
        let file = file.display().to_string();
        let shared = format!("--predict-shared={is_shared}");
        let server = Server::start(&[
            "--config",
            &file,
            "--memory",
            "16MiB",
            "--l2",
            "disk",
            "--compression-enabled=false",
            "--predict-enabled",
            "--predict-memory",
            "96MiB",
            "--predict-min-data-points",
            "200",
            "--predict-horizon",
            "2s",
            &shared,
            ALL[0],
            ALL[1],
        ]);
        let (mut ann, mut bob) = (sign_in(&server, "ann"), sign_in(&server, "bob"));
        record(&mut ann, TRACKS);
        play_until(&mut ann, TRACKS, 50.0);

        let told = prediction(&mut bob);
        for name in ["heard", "asked", "planned", "fetched", "used", "trained"] {
            assert_eq!(told[name], "0", "{name}: {told:?}");
        }
        assert_eq!(told["model_age_ms"] != "-1", is_shared, "{told:?}");
        let Value::Array(explained) = bob.call(&["CACHE.PREDICT", "EXPLAIN", "track:5"]) else {
            panic!("keys are explained");
        };
        assert_eq!(explained[..2], [bulk("known"), bulk("no")]);
        let page = get_with(server.http(), "/v1/prediction", BOB).unwrap();
        assert_eq!(page.status, 200, "{}", page.body);
        let tenants = page.body.matches("\"tenant\"").count();
        assert_eq!(tenants, 1, "{}", page.body);
        assert!(!page.body.contains("\"a\""), "{}", page.body);
    }
}
