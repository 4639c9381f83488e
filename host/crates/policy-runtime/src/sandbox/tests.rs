use super::*;
use crate::testing::{FOREVER, LOG, guest, load, sandbox};
use proptest::prelude::*;

/// Why a guest with these parts is refused.
fn refusal(parts: &[(&str, &str)]) -> String {
    refusal_of(&guest(parts))
}

fn refusal_of(module: &[u8]) -> String {
    match load(module) {
        Ok(_) => panic!("it was taken"),
        Err(Refusal(why)) => why,
    }
}

#[track_caller]
fn assert_says(why: &str, words: &str) {
    assert!(why.contains(words), "{words:?} is not in: {why}");
}

#[test]
fn an_honest_policy_is_taken() {
    let policy = load(&guest(&[])).unwrap();
    assert_eq!(policy.name(), "p");
    assert_eq!(policy.manifest().name, "honest");
    assert_eq!(policy.digest().len(), 64);
    assert_eq!(policy.figures().snapshot(), Default::default());
}

#[test]
fn what_is_no_policy_is_refused_without_compiling() {
    assert_eq!(refusal_of(b""), "it is empty");
    assert_eq!(refusal_of(b"#!/bin/sh"), "it is not WebAssembly");
    assert_says(&refusal_of(b"\0asm\x01"), "cut short: it has only 5 bytes");
    assert_says(
        &refusal_of(b"\0asm\x0d\0\x01\0"),
        "components are not taken",
    );
    assert_says(&refusal_of(b"\0asm\x01\0\0\0"), "no larder_abi_v1");
    assert_says(
        &refusal(&[("marker", "")]),
        "no larder_abi_v1, so it is no policy",
    );
    let newer = r#"(global (export "larder_abi_v7") i32 (i32.const 0))"#;
    assert_says(
        &refusal(&[("marker", newer)]),
        "version 7 of the contract (larder_abi_v7), and this server speaks version 1",
    );
    assert_says(
        &refusal(&[("manifest", "")]),
        "no custom section larder.manifest",
    );
    assert_says(
        &refusal(&[("manifest", "{")]),
        "its manifest cannot be used: EOF",
    );
    let two = r#"(@custom "larder.manifest" "{}")"#;
    assert_says(&refusal(&[("more", two)]), "more than one manifest");
}

#[test]
fn large_files_and_large_custom_sections_are_refused() {
    let mut large = guest(&[]);
    large.resize(100 << 20, 0);
    assert_says(
        &refusal_of(&large),
        "104857600 bytes, and 16777216 are allowed",
    );

    let roomy = Sandbox::new(SandboxConfig {
        cache_dir: None,
        limits: Limits {
            module_bytes_max: 100 << 20,
            ..Limits::default()
        },
    })
    .unwrap();
    let mut bloated = guest(&[]);
    bloated.push(0);
    bloated.extend(leb128((50 << 20) + 5));
    bloated.extend(b"\x04name");
    bloated.resize(bloated.len() + (50 << 20), 0);
    let refused = roomy.load("p", &bloated, &Settings::default(), Arc::default());
    let Err(Refusal(why)) = refused else {
        panic!("it was taken");
    };
    assert_says(
        &why,
        "custom sections take more than 1048576 bytes; strip it",
    );
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

#[test]
fn forbidden_imports_are_named() {
    let imports = r#"(import "env" "now" (func)) (import "larder" "log2" (func))"#;
    assert_says(
        &refusal(&[("imports", imports)]),
        "it imports env.now, larder.log2, and policies may import larder.log only",
    );
    let wasi = r#"(import "wasi_snapshot_preview1" "fd_write" (func))"#;
    assert_says(&refusal(&[("imports", wasi)]), "where there is no WASI");
    let many: String = (0..9)
        .map(|i| format!("(import \"env\" \"f{i}\" (func))"))
        .collect();
    assert_says(&refusal(&[("imports", &many)]), "env.f4 and 4 more");
    let mistyped = r#"(import "larder" "log" (func (param i64)))"#;
    assert_says(
        &refusal(&[("imports", mistyped)]),
        "its imports are not those of a policy",
    );
    let memory = [
        ("imports", r#"(import "env" "memory" (memory 1))"#),
        ("memory", r#"(export "memory" (memory 0))"#),
    ];
    assert_says(&refusal(&memory), "it imports env.memory");
}

#[test]
fn exports_must_be_there_and_of_the_right_type() {
    assert_says(
        &refusal(&[("memory", "(memory 16)")]),
        "does not export its memory",
    );
    assert_says(
        &refusal(&[("victims", "")]),
        "does not export larder_victims, which a policy of the kind eviction that its manifest \
         names has to; its type is (i32) -> (i64)",
    );
    assert_says(
        &refusal(&[(
            "ttl",
            r#"(func (export "larder_ttl") (param i32) (result i32) (i32.const 1))"#,
        )]),
        "its export larder_ttl is (i32) -> (i32), where the contract has (i32) -> (i64)",
    );
    let no_function = r#"(func (export "x")) (global (export "larder_init") i32 (i32.const 0))"#;
    assert_says(
        &refusal(&[("init", ""), ("more", no_function)]),
        "its export larder_init is no function",
    );
}

#[test]
fn memory_beyond_the_cap_is_refused_before_any_is_taken() {
    assert_says(
        &refusal(&[("memory", r#"(memory (export "memory") 16384)"#)]),
        "wants 1073741824 bytes of memory from the start, and 16777216 are allowed",
    );
    let gibibyte_away = r#"(data (i32.const 0x40000000) "x")"#;
    assert_says(&refusal(&[("more", gibibyte_away)]), "its start trapped");
    assert_says(
        &refusal(&[
            ("memory", r#"(memory (export "memory") i64 1)"#),
            ("more", ""),
        ]),
        "64-bit or shared",
    );
    assert_says(
        &refusal(&[("memory", r#"(memory (export "memory") 16 16 shared)"#)]),
        "64-bit or shared",
    );
    assert_says(&refusal(&[("more", "(memory 1)")]), "not valid WebAssembly");
    assert_says(
        &refusal(&[("more", "(table 100000 funcref)")]),
        "its start trapped",
    );
    let globals = "(global i32 (i32.const 0))".repeat(5000);
    assert_says(
        &refusal(&[("more", &globals)]),
        "5002 globals, and 4096 are allowed",
    );
}

#[test]
fn what_would_take_long_to_compile_is_refused() {
    let long = format!("(func {})", "(drop (i32.const 1))".repeat(50_000));
    assert_says(
        &refusal(&[("more", &long)]),
        "bytes in one function, and 131072 are allowed",
    );
    let deep = format!("(func {}{})", "(loop ".repeat(1001), ")".repeat(1001));
    assert_says(
        &refusal(&[("more", &deep)]),
        "1001 blocks one within the other, and 1000 are allowed",
    );
    let fits = format!("(func {}{})", "(loop ".repeat(1000), ")".repeat(1000));
    assert!(load(&guest(&[("more", &fits)])).is_ok());
}

#[test]
fn functions_that_never_end_are_stopped_wherever_they_are() {
    let start = format!("(func $start {FOREVER}) (start $start)");
    for (parts, words) in [
        (
            ("more", start.as_str()),
            "its start took more than the 1s of CPU time",
        ),
        (("init", FOREVER), "larder_init took more than the 1s"),
        (("buffer", FOREVER), "larder_buffer took more than the 1s"),
        (("events", FOREVER), "larder_events took more than the 1s"),
        (("victims", FOREVER), "larder_victims took more than the 1s"),
        (
            ("should_cache", FOREVER),
            "larder_should_cache took more than the 1s",
        ),
        (("ttl", FOREVER), "larder_ttl took more than the 1s"),
        (
            ("priority", FOREVER),
            "larder_priority took more than the 1s",
        ),
    ] {
        assert_says(&refusal(&[parts]), words);
    }
}

#[test]
fn traps_overflows_and_memory_bombs_are_found_in_the_trial() {
    for (parts, words) in [
        (
            ("init", "(unreachable)"),
            "larder_init trapped: wasm `unreachable` instruction executed",
        ),
        (
            ("events", "(call $larder_none)"),
            "larder_events trapped: call stack exhausted",
        ),
        (
            ("ttl", "(i64.load (i32.const -8))"),
            "larder_ttl trapped: out of bounds memory access",
        ),
        (
            (
                "victims",
                "(loop $again (br_if $again (i32.ne (i32.const -1) (memory.grow (i32.const 1))))) (unreachable)",
            ),
            "larder_victims trapped for want of memory: it asked for",
        ),
    ] {
        let more = (
            "more",
            "(func $larder_none (call $larder_none) (call $larder_none))",
        );
        assert_says(&refusal(&[parts, more]), words);
    }
}

#[test]
fn a_guest_that_refuses_to_work_so_says_why() {
    let init = r#"(call $log (i32.const 1) (i32.const 0) (i32.const 8)) (i32.const 3)"#;
    let parts = [
        ("imports", LOG),
        ("init", init),
        ("more", r#"(data (i32.const 0) "too\nmuch")"#),
    ];
    assert_says(
        &refusal(&parts),
        "larder_init says that it cannot work so: too much",
    );
}

#[test]
fn a_trap_says_what_the_guest_logged_in_the_same_call() {
    let log = "(call $log (i32.const 1) (i32.const 0) (i32.const 600))";
    let data = format!(r#"(data (i32.const 0) "panicked at {}")"#, "x".repeat(600));
    let parts = |name, body| [("imports", LOG), (name, body), ("more", &*data)];
    let panics = format!("{log} (unreachable)");
    let said = refusal(&parts("init", &panics));
    assert_says(&said, "larder_init trapped: panicked at xxx");
    assert!(said.len() < 400, "{said}");
    let strays = format!("{log} (i64.load (i32.const -8))");
    assert_says(
        &refusal(&parts("ttl", &strays)),
        "larder_ttl trapped: out of bounds memory access, after it logged: panicked at xxx",
    );
    // What was logged in an earlier call is none of a trap's.
    let logs = format!("{log} (i32.const 0)");
    let mut later = parts("init", &logs).to_vec();
    later.push(("ttl", "(unreachable)"));
    assert_says(
        &refusal(&later),
        "larder_ttl trapped: wasm `unreachable` instruction executed",
    );
}

#[test]
fn wrong_answers_are_found_in_the_trial() {
    let one = |slot: i32| {
        format!("(i32.store (i32.const 16) (i32.const {slot})) (i64.const 0x1000000001)")
    };
    let twice =
        "(i64.store (i32.const 16) (i64.const 0x0000000000000000)) (i64.const 0x1000000002)";
    for (victims, words) in [
        ("(i64.const 0)", "the victims free 0 bytes of"),
        (
            one(1_000_000).as_str(),
            "victim 1000000 is no slot of this shard",
        ),
        (twice, "victim 0 is"),
        (
            "(i64.const 0x1000001001)",
            "named 4097 victims, and 4096 are allowed",
        ),
        (
            "(i64.const 0x10ffffffff)",
            "named 4294967295 victims, and 4096 are allowed",
        ),
        (
            "(i64.const 0xffffffff00000001)",
            "named 1 victims at 4294967295, and its memory has",
        ),
        (one(-1).as_str(), "named the newcomer where there is none"),
    ] {
        assert_says(&refusal(&[("victims", victims)]), words);
    }
    for (parts, words) in [
        (
            ("should_cache", "(i32.const 2)"),
            "larder_should_cache answered 2, which is neither",
        ),
        (
            ("ttl", "(i64.const -1)"),
            "larder_ttl answered -1, which is no TTL",
        ),
        (
            ("ttl", "(i64.const 0)"),
            "larder_ttl answered 0, which is no TTL",
        ),
        (
            ("ttl", "(i64.const 0x8000000000000000)"),
            "larder_ttl answered -9223372036854775808,",
        ),
        (
            ("priority", "(i32.const 256)"),
            "larder_priority answered 256, which is not in 0 to 255",
        ),
        (
            ("priority", "(i32.const -1)"),
            "larder_priority answered -1, which",
        ),
        (("buffer", "(i32.const 0)"), "larder_buffer has no room for"),
        (
            ("buffer", "(i32.const 0x20004)"),
            "which is no multiple of 8",
        ),
        (
            ("buffer", "(i32.const 0xffff8)"),
            "larder_buffer answered 1048568, where there are no",
        ),
        (
            ("buffer", "(i32.const -8)"),
            "larder_buffer answered 4294967288, where there are no",
        ),
    ] {
        assert_says(&refusal(&[parts]), words);
    }
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let whole = guest(&[]);
    let sandbox = sandbox();
    for length in (0..whole.len()).step_by(97) {
        let cut = sandbox.load("p", &whole[..length], &Settings::default(), Arc::default());
        assert!(cut.is_err(), "{length} bytes of {}", whole.len());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_taken_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<prop::sample::Index>(),
        keeps_head in any::<bool>(),
    ) {
        let limits = Limits::default();
        let _ = inspect::inspect(&bytes, &limits);
        let mut damaged = if keeps_head { guest(&[]) } else { b"\0asm\x01\0\0\0".to_vec() };
        let at = at.index(damaged.len());
        damaged.splice(at.., bytes);
        let _ = inspect::inspect(&damaged, &limits);
    }
}
