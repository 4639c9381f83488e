//! Who rules, through drops, removals, refusals, orders and restarts.

use std::fs;
use std::sync::mpsc;

use larder_engine::policies::PolicyState;

use crate::keeper::loader::Order;
use crate::keeper::tests::guests::{decisions, eviction};
use crate::keeper::tests::site::Site;

fn name(name: &str) -> String {
    name.to_owned()
}

#[test]
fn the_one_dropped_last_rules_and_gives_way_to_the_one_before() {
    let site = Site::new();
    let mut run = site.start();
    assert_eq!(run.rulers(), ["lru", "lru"]);
    site.write("20-a.wasm", eviction("a"));
    run.settle();
    assert_eq!(run.rulers(), ["20-a", "lru"]);
    site.write("10-b.wasm", eviction("b"));
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("20-a")),
        (name("10-b"), PolicyState::Candidate)
    );
    assert_eq!(run.row("20-a").why, "stands by for evictions: 10-b rules");
    site.write("20-a.wasm", eviction("a"));
    run.settle();
    assert_eq!(run.ruler(), "20-a", "dropped again, though it is the same");
    site.remove("20-a.wasm");
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("10-b")),
        (name("10-b"), PolicyState::Active)
    );
    site.remove("10-b.wasm");
    run.settle();
    assert_eq!(run.rulers(), ["lru", "lru"]);
    assert_eq!(run.rows().len(), 2, "the native ones");
}

#[test]
fn a_policy_for_all_tenants_rules_them_until_one_has_its_own() {
    let site = Site::new();
    let mut run = site.start();
    site.write("all.toml", "tenant = \"*\"");
    site.write("all.wasm", eviction("all"));
    run.settle();
    assert_eq!(run.rulers(), ["all", "all"]);
    site.write("own.toml", "tenant = \"shop\"");
    site.write("own.wasm", eviction("own"));
    run.settle();
    assert_eq!(run.rulers(), ["all", "own"]);
    assert_eq!(
        (run.row("all").tenant, run.row("own").tenant),
        (name("*"), name("shop"))
    );
    site.remove("own.wasm");
    run.settle();
    assert_eq!(run.rulers(), ["all", "all"]);
}

#[test]
fn at_a_first_start_the_last_in_file_order_rules_and_later_who_ruled() {
    let site = Site::new();
    for file in ["10-a", "20-b", "30-c"] {
        site.write(&format!("{file}.wasm"), eviction(file));
    }
    let mut run = site.start();
    assert_eq!(run.ruler(), "30-c");
    site.write("10-a.wasm", eviction("new"));
    run.settle();
    assert_eq!(run.ruler(), "10-a");
    drop(run);
    let run = site.start();
    assert_eq!(run.ruler(), "10-a");
    drop(run);
    site.remove("10-a.wasm");
    assert_eq!(site.start().ruler(), "30-c", "gone meanwhile");
    site.write("20-b.wasm", eviction("changed"));
    assert_eq!(site.start().ruler(), "20-b", "changed meanwhile");
    fs::write(site.data().join("policies.json"), "{").unwrap();
    assert_eq!(site.start().ruler(), "30-c", "a first start again");
}

#[test]
fn a_refused_version_leaves_the_one_before_in_force_over_a_restart() {
    let site = Site::new();
    site.write("a.wasm", eviction("1"));
    let mut run = site.start();
    let digest = run.row("a").digest;
    site.write("a.wasm", "no module");
    run.settle();
    let row = run.row("a");
    assert_eq!((run.ruler(), row.state), (name("a"), PolicyState::Active));
    assert!(
        row.why.contains("what lies in the folder was refused"),
        "{}",
        row.why
    );
    drop(run);
    let mut run = site.start();
    let row = run.row("a");
    assert_eq!(
        (run.ruler(), row.state, row.digest),
        (name("a"), PolicyState::Active, digest)
    );
    assert!(row.why.contains("refused"), "{}", row.why);
    site.write("a.wasm", eviction("2"));
    run.settle();
    let row = run.row("a");
    assert_eq!((row.state, row.version), (PolicyState::Active, name("2")));
    assert!(
        row.has_previous && !row.why.contains("refused"),
        "{}",
        row.why
    );
}

#[test]
fn a_wrong_side_car_is_refused_with_everything_that_is_wrong() {
    let site = Site::new();
    site.write("a.wasm", eviction("1"));
    site.write("a.toml", "tenant = \"nobody\"\nenabeld = true");
    let mut run = site.start();
    let row = run.row("a");
    assert_eq!(
        (run.ruler(), row.state),
        (name("lru"), PolicyState::Refused)
    );
    assert!(
        row.why.contains("a.toml:1: there is no tenant 'nobody'"),
        "{}",
        row.why
    );
    assert!(
        row.why.contains("a.toml:2: unknown key 'enabeld'"),
        "{}",
        row.why
    );
    site.write("a.toml", "keys = \"user:*\"");
    run.settle();
    assert!(
        run.row("a").why.contains("keys has no meaning"),
        "{}",
        run.row("a").why
    );
    let refused = run.order(Order::Enable(name("a"))).unwrap_err();
    assert!(refused.contains("keys has no meaning"), "{refused}");
    site.write("a.toml", "enabled = false");
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("a")),
        (name("lru"), PolicyState::Disabled)
    );
    let refused = run.order(Order::Enable(name("a"))).unwrap_err();
    assert!(
        refused.contains("set enabled = true in a.toml"),
        "{refused}"
    );
    site.remove("a.toml");
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("a")),
        (name("a"), PolicyState::Active)
    );
}

#[test]
fn a_rollback_holds_until_the_next_drop() {
    let site = Site::new();
    site.write("a.wasm", eviction("1"));
    let mut run = site.start();
    assert!(run.order(Order::Rollback(name("a"))).is_err());
    site.write("a.wasm", eviction("2"));
    site.write("b.wasm", eviction("b"));
    run.settle();
    assert_eq!((run.ruler(), run.row("a").version), (name("b"), name("2")));
    let second = run.row("a").digest;
    let holds_second = format!(
        "the folder holds another version (digest {}…)",
        &second[..12]
    );
    run.order(Order::Rollback(name("a"))).unwrap();
    let row = run.row("a");
    assert_eq!((run.ruler(), row.version), (name("a"), name("1")));
    assert!(
        row.why.contains("an operator put it in charge") && row.why.contains(&holds_second),
        "{}",
        row.why
    );
    run.settle();
    assert_eq!(run.row("a").version, "1");
    drop(run);
    let mut run = site.start();
    let row = run.row("a");
    assert_eq!((run.ruler(), row.version), (name("a"), name("1")));
    assert!(row.why.contains(&holds_second), "{}", row.why);
    run.order(Order::Rollback(name("a"))).unwrap();
    let row = run.row("a");
    assert_eq!(row.version, "2", "forward again");
    assert!(!row.why.contains("rolled back"), "{}", row.why);
    run.order(Order::Rollback(name("a"))).unwrap();
    site.write("a.wasm", eviction("3"));
    run.settle();
    let row = run.row("a");
    assert_eq!(row.version, "3");
    assert!(row.why.contains("deployed last"), "{}", row.why);
    run.order(Order::Rollback(name("a"))).unwrap();
    assert_eq!(run.row("a").version, "1", "the one before in force");
}

#[test]
fn what_is_disabled_stays_so_until_it_is_enabled() {
    let site = Site::new();
    site.write("10-a.wasm", eviction("a"));
    site.write("20-b.wasm", eviction("b"));
    let mut run = site.start();
    run.order(Order::Disable(name("20-b"))).unwrap();
    assert_eq!(
        (run.ruler(), run.state("20-b")),
        (name("10-a"), PolicyState::Disabled)
    );
    assert!(
        run.order(Order::Rollback(name("20-b")))
            .unwrap_err()
            .contains("is disabled")
    );
    drop(run);
    let mut run = site.start();
    assert_eq!(
        (run.ruler(), run.state("20-b")),
        (name("10-a"), PolicyState::Disabled)
    );
    site.write("20-b.wasm", eviction("new"));
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("20-b")),
        (name("10-a"), PolicyState::Disabled)
    );
    run.order(Order::Enable(name("20-b"))).unwrap();
    assert_eq!(
        (run.ruler(), run.row("20-b").version),
        (name("20-b"), name("new"))
    );
    drop(run);
    assert_eq!(site.start().ruler(), "20-b");
    let mut run = site.start();
    assert!(
        run.order(Order::Disable(name("c")))
            .unwrap_err()
            .contains("there is no policy 'c'")
    );
    assert!(
        run.order(Order::Disable(name("lru")))
            .unwrap_err()
            .contains("part of this program")
    );
}

#[test]
fn what_is_deployed_and_deleted_at_once_was_never_there() {
    let site = Site::new();
    let mut run = site.start();
    site.write("a.wasm", eviction("a"));
    run.pass(50);
    assert_eq!(run.state("a"), PolicyState::Loading);
    site.remove("a.wasm");
    run.settle();
    assert_eq!((run.ruler(), run.rows().len()), (name("lru"), 2));
    site.write("a.wasm", eviction("a"));
    run.settle();
    site.remove("a.wasm");
    site.write("a.wasm", eviction("b"));
    run.settle();
    assert_eq!(run.row("a").version, "b");
    assert!(run.row("a").has_previous, "replaced, not new");
}

#[test]
fn policies_stay_while_the_folder_is_away() {
    let site = Site::new();
    site.write("a.wasm", eviction("a"));
    let mut run = site.start();
    let away = site.folder().with_extension("away");
    fs::rename(site.folder(), &away).unwrap();
    run.settle();
    assert_eq!(run.ruler(), "a");
    let (reply, outcome) = mpsc::sync_channel(1);
    run.loader.obey(Order::Reload, reply);
    run.settle();
    assert!(
        outcome
            .try_recv()
            .unwrap()
            .unwrap_err()
            .contains("cannot be read")
    );
    fs::rename(away, site.folder()).unwrap();
    run.settle();
    assert_eq!(
        (run.ruler(), run.state("a")),
        (name("a"), PolicyState::Active)
    );
}

#[test]
fn a_reload_waits_for_what_is_being_written_within_a_bound() {
    let site = Site::new();
    let mut run = site.start();
    site.write("a.wasm", eviction("a"));
    let (reply, outcome) = mpsc::sync_channel(1);
    run.loader.obey(Order::Reload, reply.clone());
    run.pass(50);
    assert!(outcome.try_recv().is_err(), "it has not settled");
    run.pass(50);
    assert_eq!(outcome.try_recv(), Ok(Ok(())));
    assert_eq!(run.ruler(), "a");
    run.loader.obey(Order::Reload, reply);
    for round in 0..100_u32 {
        site.write("a.wasm", round.to_le_bytes());
        run.pass(50);
    }
    let refusal = outcome.try_recv().unwrap().unwrap_err();
    assert!(refusal.contains("a.wasm keeps changing"), "{refusal}");
    assert_eq!(run.ruler(), "a");
}

#[test]
fn drops_without_end_leave_nothing_behind() {
    let site = Site::new();
    let mut run = site.start();
    for round in 0..20 {
        site.write("a.wasm", eviction(&format!("{}", round % 3)));
        site.write(
            "v.wasm",
            decisions(None, None, Some(&format!("i32.const {round}"))),
        );
        run.settle();
    }
    let kept = fs::read_dir(site.data().join("policies")).unwrap().count();
    assert_eq!(kept, 2 * 2 * 2, "two names, two versions, two files");
    let shards = run.engine.default_tenant().shards() as u64;
    assert_eq!(run.row("a").figures.instances, shards);
    assert_eq!(run.row("v").figures.instances, 2, "one a thread");
    site.remove("a.wasm");
    site.remove("v.wasm");
    run.settle();
    let kept = fs::read_dir(site.data().join("policies")).unwrap().count();
    assert_eq!((kept, run.rows().len()), (0, 2));
}

#[test]
fn an_order_that_cannot_be_written_down_is_in_force_and_says_so() {
    let site = Site::new();
    site.write("a.wasm", eviction("a"));
    let mut run = site.start();
    // Where the record is written first, as on a full disk.
    let in_the_way = site.data().join(".policies.json.tmp");
    fs::create_dir(&in_the_way).unwrap();
    for (order, state) in [
        (Order::Disable(name("a")), PolicyState::Disabled),
        (Order::Enable(name("a")), PolicyState::Active),
        (Order::Disable(name("a")), PolicyState::Disabled),
    ] {
        let outcome = run.order(order);
        assert_eq!(run.state("a"), state);
        let why = outcome.expect_err("it is not written down");
        assert!(
            why.starts_with("the order is in force, but a restart would undo it: "),
            "{why}"
        );
        assert!(why.contains("policies.json cannot be written: "), "{why}");
    }
    fs::remove_dir(in_the_way).unwrap();
    run.pass(50);
    drop(run);
    assert_eq!(site.start().state("a"), PolicyState::Disabled);
}
