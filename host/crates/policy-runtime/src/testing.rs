//! Guests for tests, written as text: an honest policy of all kinds, any part of which can be
//! replaced by a worse one.

use std::sync::Arc;

use larder_abi::{Event, EventKind, Slot};

use crate::policy::Policy;
use crate::sandbox::{Refusal, Sandbox, SandboxConfig, Settings};

/// Where the honest guest has its things: the victims that it names at 64 KiB, the buffer at 128 KiB,
/// from 512 KiB on the size of the entry in each slot, or 0.
const PARTS: &[(&str, &str)] = &[
    (
        "manifest",
        r#"{"name":"honest","kinds":["eviction","should_cache","ttl","priority","security"]}"#,
    ),
    ("imports", ""),
    ("memory", r#"(memory (export "memory") 16)"#),
    (
        "marker",
        r#"(global (export "larder_abi_v1") i32 (i32.const 0))"#,
    ),
    ("buffer", "(i32.const 0x20000)"),
    ("init", "(i32.const 0)"),
    ("events", EVENTS),
    ("victims", VICTIMS),
    ("should_cache", "(i32.const 1)"),
    ("ttl", "(i64.const -2)"),
    ("priority", "(i32.const 7)"),
    ("security", "(i32.const 1)"),
    ("more", ""),
];

const EVENTS: &str = r#"
    (local $at i32) (local $slot i32) (local $kind i32)
    (local.set $at (i32.const 0x20000))
    (block $done
        (loop $next
            (br_if $done (i32.eqz (local.get 0)))
            (local.set $kind (i32.load8_u (local.get $at)))
            (local.set $slot (i32.load offset=4 (local.get $at)))
            (if (i32.ge_u (local.get $slot) (global.get $slots))
                (then (global.set $slots (i32.add (local.get $slot) (i32.const 1)))))
            (local.set $slot
                (i32.add (i32.const 0x80000) (i32.mul (local.get $slot) (i32.const 4))))
            (if (i32.or (i32.eq (local.get $kind) (i32.const 1)) (i32.eq (local.get $kind) (i32.const 3)))
                (then (i32.store (local.get $slot) (i32.load offset=12 (local.get $at)))))
            (if (i32.eq (local.get $kind) (i32.const 4))
                (then (i32.store (local.get $slot) (i32.const 0))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
            (br $next)))"#;

const VICTIMS: &str = r#"
    (local $slot i32) (local $named i32) (local $left i64) (local $size i32)
    (local.set $left (i64.load (i32.const 0x20000)))
    (block $done
        (loop $next
            (br_if $done (i64.eqz (local.get $left)))
            (br_if $done (i32.eq (local.get $slot) (global.get $slots)))
            (br_if $done (i32.eq (local.get $named) (i32.const 4096)))
            (local.set $size
                (i32.load offset=0x80000 (i32.mul (local.get $slot) (i32.const 4))))
            (if (local.get $size)
                (then
                    (i32.store offset=0x10000 (i32.mul (local.get $named) (i32.const 4)) (local.get $slot))
                    (local.set $named (i32.add (local.get $named) (i32.const 1)))
                    (local.set $left
                        (select
                            (i64.const 0)
                            (i64.sub (local.get $left) (i64.extend_i32_u (local.get $size)))
                            (i64.lt_u (local.get $left) (i64.extend_i32_u (local.get $size)))))))
            (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
            (br $next)))
    (i64.or (i64.const 0x1000000000000) (i64.extend_i32_u (local.get $named)))"#;

/// A loop without end.
pub(crate) const FOREVER: &str = "(loop $again (br $again)) (unreachable)";
/// The import of the log.
pub(crate) const LOG: &str = r#"(import "larder" "log" (func $log (param i32 i32 i32)))"#;

/// The honest guest with these parts in place of its own.
pub(crate) fn guest(parts: &[(&str, &str)]) -> Vec<u8> {
    for (name, _) in parts {
        assert!(PARTS.iter().any(|(known, _)| known == name), "{name}");
    }
    let part = |name: &str| {
        let all = parts.iter().chain(PARTS);
        all.clone().find(|(known, _)| *known == name).unwrap().1
    };
    let manifest = match part("manifest") {
        "" => String::new(),
        json => format!(
            r#"(@custom "larder.manifest" "{}")"#,
            json.replace('"', "\\\"")
        ),
    };
    let mut functions = String::new();
    for (name, result) in [
        ("buffer", "(result i32)"),
        ("init", "(result i32)"),
        ("events", ""),
        ("victims", "(result i64)"),
        ("should_cache", "(result i32)"),
        ("ttl", "(result i64)"),
        ("priority", "(result i32)"),
        ("security", "(result i32)"),
    ] {
        let body = part(name);
        if body.starts_with("(func") {
            functions += body;
        } else if !body.is_empty() {
            functions += &format!(
                r#"(func (export "larder_{name}") (param i32) {result} {body})
"#
            );
        }
    }
    let text = format!(
        "(module {manifest} {} {} {} (global $slots (mut i32) (i32.const 0)) {functions} {})",
        part("imports"),
        part("memory"),
        part("marker"),
        part("more")
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}"))
}

/// A sandbox with the usual limits and no cache.
pub(crate) fn sandbox() -> Arc<Sandbox> {
    Sandbox::new(SandboxConfig::default()).unwrap()
}

/// Loads a guest with nothing set.
pub(crate) fn load(module: &[u8]) -> Result<Arc<Policy>, Refusal> {
    sandbox().load("p", module, &Settings::default(), Arc::default())
}

/// A guest that was not tried.
pub(crate) fn untried(parts: &[(&str, &str)]) -> Arc<Policy> {
    sandbox()
        .load_untried("p", &guest(parts), &Settings::default(), Arc::default())
        .unwrap()
}

/// The insertion of an entry.
pub(crate) fn insert(slot: Slot, size: u32) -> Event {
    Event {
        size,
        ..Event::new(EventKind::Insert, slot, slot)
    }
}
