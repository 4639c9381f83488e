//! What authors of policies do: `larder policy …`, and policies without the SDK.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::harness::{PATIENCE, Server, larder, policy, run, target, tool};

/// A first build compiles the SDK.
const BUILD_MAX: Duration = Duration::from_secs(300);

#[track_caller]
fn done(command: &mut Command) -> String {
    let finished = run(command, BUILD_MAX);
    assert!(finished.status.success(), "{command:?}: {finished:?}");
    finished.stdout
}

#[test]
fn a_new_policy_of_each_kind_builds_passes_its_test_and_works_as_it_is() {
    let server = Server::start(&["--threads", "1"]);
    let work = tempfile::tempdir().unwrap();
    let addr = server.addr().to_string();
    for (kind, listed) in [
        ("eviction", "eviction"),
        ("should-cache", "should_cache"),
        ("ttl", "ttl"),
        ("priority", "priority"),
    ] {
        let name = format!("my-{kind}");
        let dir = work.path().join(&name);
        let made = ["policy", "new", &name, "--kind", kind, "--path"];
        done(larder(made).arg(&dir));
        // One folder for all, kept for the next run: the SDK is compiled once.
        let built_in = target().join("authors");
        let test = ["test", "--quiet", "--offline"];
        done(
            Command::new("cargo")
                .args(test)
                .env("CARGO_TARGET_DIR", &built_in)
                .current_dir(&dir),
        );
        let said = done(
            larder(["policy", "build"])
                .arg(&dir)
                .env("CARGO_TARGET_DIR", &built_in),
        );
        let wasm = dir.join(format!("target/policies/{name}.wasm"));
        assert!(said.contains(&wasm.display().to_string()), "{said}");
        let said = done(larder(["policy", "check"]).arg(&wasm));
        assert!(said.contains("is right") && said.contains(listed), "{said}");
        let deploy = larder(["policy", "deploy", "--policies"])
            .arg(server.policies())
            .arg(&wasm)
            .output();
        assert!(deploy.unwrap().status.success());
        let row = server.await_policy(&name, "active");
        assert_eq!(row["kinds"], listed);
        let said = done(&mut larder(["policy", "list", "--addr", &addr]));
        assert!(said.contains(&name), "{said}");
        let said = done(&mut larder(["policy", "info", "--addr", &addr, &name]));
        assert!(said.contains("digest"), "{said}");
    }
    done(&mut larder([
        "policy", "disable", "--addr", &addr, "my-ttl",
    ]));
    assert_eq!(server.policy_rows()["my-ttl"]["state"], "disabled");
    done(&mut larder(["policy", "enable", "--addr", &addr, "my-ttl"]));
    assert_eq!(server.policy_rows()["my-ttl"]["state"], "active");
}

#[test]
fn what_a_server_would_refuse_is_refused_by_check_and_deploy_with_the_reason() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("a.wasm");
    fs::write(&file, "no module").unwrap();
    for action in ["check", "deploy"] {
        let mut command = larder(["policy", action]);
        if action == "deploy" {
            command.arg("--policies").arg(work.path());
        }
        let finished = run(command.arg(&file), PATIENCE);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains("would be refused"), "{finished:?}");
    }
    let gate = work.path().join("gate.wasm");
    fs::copy(policy("size-gate"), &gate).unwrap();
    fs::write(
        work.path().join("gate.toml"),
        "[parameters]\nmax_byte = 3\n",
    )
    .unwrap();
    let finished = run(larder(["policy", "check"]).arg(&gate), PATIENCE);
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    assert!(finished.stderr.contains("max_byte"), "{finished:?}");
    let finished = run(
        &mut larder(["policy", "new", "Bad Name", "--kind", "ttl"]),
        PATIENCE,
    );
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
}

#[test]
fn policies_without_the_sdk_rule_as_well() {
    let server = Server::start(&["--memory", "8MiB", "--threads", "1"]);
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let text = fs::read_to_string(guests.join("lru_like.wat")).unwrap();
    let by_hand = wat::parse_str(&text).unwrap();
    e2e::harness::drop_policy(&server.policies(), "by-hand.wasm", &by_hand);
    server.await_policy("by-hand", "active");
    fill(&server, "a");
    let (Some(clang), Some(_)) = (
        tool("clang", "a policy in C"),
        tool("wasm-ld", "a policy in C"),
    ) else {
        return;
    };
    let wasm = server.folder().join("fifo.wasm");
    let target = ["--target=wasm32-unknown-unknown", "-nostdlib", "-O2"];
    let link = ["-Wl,--no-entry", "-Wl,-zstack-size=16384", "-o"];
    done(
        Command::new(clang)
            .args(target)
            .args(link)
            .arg(&wasm)
            .arg(guests.join("fifo.c")),
    );
    e2e::harness::drop_policy(&server.policies(), "in-c.wasm", &fs::read(&wasm).unwrap());
    server.await_policy("in-c", "active");
    fill(&server, "b");
}

/// Evicts thousands, and sees that the policy chose many of them, and well. The fallback chooses where
/// the policy is busy, which on a machine that does other things may be for a while.
#[track_caller]
fn fill(server: &Server, prefix: &str) {
    let chosen = || {
        let info = server.info();
        let count = |name: &str| info[name].parse::<u64>().unwrap();
        count("evicted_keys") - count("evicted_keys_by_fallback")
    };
    let before = chosen();
    let mut client = server.client();
    let value = "v".repeat(500);
    for batch in 0..100 {
        let keys: Vec<String> = (0..500).map(|n| format!("{prefix}{batch}:{n}")).collect();
        let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
        let replies = client.pipeline(&sets);
        assert!(replies.iter().all(|reply| *reply == crate::values::ok()));
    }
    assert_eq!(server.metric("larder_unfit_shards"), 0.0);
    assert_eq!(server.metric("larder_policy_offences_total"), 0.0);
    let after = chosen();
    assert!(after - before > 1000, "{before}, then {after}");
}
