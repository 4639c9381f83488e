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
        ("security", "security"),
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
        let said = done(deploy(&server).arg(&wasm));
        let in_force = format!("{name} is in force ({listed}, tenant default)");
        assert!(said.contains(&in_force), "{said}");
        assert_eq!(server.policy_rows()[&name]["state"], "active");
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
    let said = "gate.toml:2: there is no parameter 'max_byte'";
    assert!(finished.stderr.contains(said), "{finished:?}");
    for name in ["Bad Name", "larder-sdk", "s3-fifo"] {
        let mut new = larder(["policy", "new", name, "--kind", "ttl"]);
        let finished = run(new.current_dir(work.path()), PATIENCE);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    }
}

/// `larder policy deploy` to a server, without the file.
fn deploy(server: &Server) -> Command {
    let mut command = larder(["policy", "deploy", "--policies"]);
    let addr = server.addr().to_string();
    command.arg(server.policies()).args(["--addr", &addr]);
    command
}

#[test]
fn deploy_says_what_became_of_it() {
    let server = Server::start(&["--threads", "1"]);
    let work = tempfile::tempdir().unwrap();
    let (gate, car) = (work.path().join("gate.wasm"), work.path().join("gate.toml"));
    fs::copy(policy("size-gate"), &gate).unwrap();
    let refused = |command: &mut Command, reason: &str| {
        let finished = run(command, PATIENCE);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains(reason), "{finished:?}");
    };
    fs::write(&car, "tenant = \"nobody\"").unwrap();
    let reason = "was refused: gate.toml:1: there is no tenant 'nobody'";
    refused(deploy(&server).arg(&gate), reason);
    fs::write(&car, "enabled = false").unwrap();
    let said = done(deploy(&server).arg(&gate));
    assert!(said.contains("its side-car was replaced"), "{said}");
    let disabled = "gate is not in force, but disabled: its side-car says enabled = false";
    assert!(said.contains(disabled), "{said}");
    // The side-car in the folder counts where none is brought.
    fs::remove_file(&car).unwrap();
    let said = done(deploy(&server).arg(&gate));
    assert!(said.contains("side-car that lies there stays") && said.contains(disabled));
    let there = server.policies().join("gate.toml");
    fs::write(&there, "[parameters]\nmax_byte = 3").unwrap();
    refused(
        deploy(&server).arg(&gate),
        "gate.toml:2: there is no parameter",
    );
    fs::write(&there, "").unwrap();
    let said = done(deploy(&server).arg(&gate));
    assert!(
        said.contains("gate is in force (should_cache, tenant default)"),
        "{said}"
    );
    let addr = server.addr().to_string();
    let elsewhere = work.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let to = |addr: &str, name: &str| {
        let mut command = larder([
            "policy",
            "deploy",
            "--as",
            name,
            "--addr",
            addr,
            "--policies",
        ]);
        done(command.arg(&elsewhere).arg(&gate))
    };
    let said = to(&addr, "other");
    assert!(
        said.contains("has no policy other, so it watches another"),
        "{said}"
    );
    drop(server);
    let said = to(&addr, "other");
    assert!(
        said.contains(&format!("no server answers at {addr}")),
        "{said}"
    );
}

#[test]
fn a_rollback_says_which_version_decides_and_that_the_folder_holds_another() {
    let server = Server::start(&["--threads", "1"]);
    let work = tempfile::tempdir().unwrap();
    let gate = work.path().join("gate.wasm");
    fs::copy(policy("size-gate"), &gate).unwrap();
    done(deploy(&server).arg(&gate));
    let first = server.policy_info("gate", "digest");
    fs::copy(policy("ttl-by-prefix"), &gate).unwrap();
    done(deploy(&server).arg(&gate));
    let second = server.policy_info("gate", "digest");
    let addr = server.addr().to_string();
    // A policy may be named by its file.
    let rollback = || {
        done(&mut larder([
            "policy",
            "rollback",
            "--addr",
            &addr,
            "gate.wasm",
        ]))
    };
    let said = rollback();
    assert!(said.contains(&first), "{said}");
    let holds = format!(
        "the folder holds another version (digest {}…)",
        &second[..12]
    );
    assert!(said.contains(&holds), "{said}");
    let said = rollback();
    assert!(
        said.contains(&second) && !said.contains("rolled back"),
        "{said}"
    );
}

#[test]
fn build_brings_the_side_car_checks_and_leaves_nothing_stale() {
    let work = tempfile::tempdir().unwrap();
    let dir = work.path().join("mine");
    let mut new = larder(["policy", "new", "mine", "--kind", "ttl"]);
    done(new.current_dir(work.path()));
    let source = fs::read_to_string(dir.join("src/lib.rs")).unwrap();
    let wasm = dir.join("target/policies/mine.wasm");
    let build = || {
        let mut command = larder(["policy", "build"]);
        command.env("CARGO_TARGET_DIR", target().join("authors"));
        run(command.current_dir(&dir), BUILD_MAX)
    };
    let refused = |reason: &str| {
        let finished = build();
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.stderr.contains(reason), "{finished:?}");
    };
    fs::write(dir.join("mine.toml"), "enabled = false").unwrap();
    let said = build().stdout;
    let built = "built target/policies/mine.wasm, with its side-car mine.toml\n";
    assert!(said.starts_with(built), "{said}");
    assert!(wasm.is_file() && wasm.with_extension("toml").is_file());
    fs::write(dir.join("mine.toml"), "[parameters]\nno = 1").unwrap();
    refused("would refuse it: mine.toml:2: there is no parameter 'no'");
    fs::remove_file(dir.join("mine.toml")).unwrap();
    fs::remove_file(wasm.with_extension("toml")).unwrap();
    let panics = source.replace(
        "Ok(Self",
        "assert!(_seed == 0, \"oh no\");\n        Ok(Self",
    );
    fs::write(dir.join("src/lib.rs"), panics).unwrap();
    refused("larder_init trapped: panicked at src/lib.rs:");
    fs::write(dir.join("src/lib.rs"), "").unwrap();
    refused("it exports no larder_abi_v1, so it is no policy of Larder: is there an export!");
    fs::write(dir.join("src/lib.rs"), "no Rust").unwrap();
    refused("cargo could not build the policy\n");
    assert!(!wasm.exists(), "what was built before");
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
