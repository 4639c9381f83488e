//! Small policies in WAT.

/// What a module is called within itself, so that two are two versions.
fn manifest(kinds: &str, version: &str) -> String {
    let json = format!(r#"{{"name":"test","version":"{version}","about":"","kinds":[{kinds}]}}"#);
    json.replace('"', "\\\"")
}

/// Evicts in the order of slots. Traps when it is told of an entry of more than 150,000 bytes.
pub(crate) fn eviction(version: &str) -> Vec<u8> {
    let manifest = manifest(r#""eviction""#, version);
    let text = format!(
        r#"(module
        (@custom "larder.manifest" "{manifest}")
        (memory (export "memory") 1)
        (global (export "larder_abi_v1") i32 (i32.const 1))
        (global $slots (mut i32) (i32.const 0))
        (func (export "larder_buffer") (param $bytes i32) (result i32)
          (select (i32.const 32768) (i32.const 0)
            (i32.le_u (local.get $bytes) (i32.const 32768))))
        (func (export "larder_init") (param i32) (result i32) (i32.const 0))
        ;; The size of each slot's entry lies from 65536 on, 0 for none.
        (func $place (param $slot i32) (result i32)
          (local $end i32)
          (local.set $end (i32.add (i32.const 65540) (i32.shl (local.get $slot) (i32.const 2))))
          (if (i32.ge_u (local.get $slot) (global.get $slots))
            (then (global.set $slots (i32.add (local.get $slot) (i32.const 1)))))
          (if (i32.gt_u (local.get $end) (i32.shl (memory.size) (i32.const 16)))
            (then (drop (memory.grow (i32.add (i32.const 1)
              (i32.sub (i32.shr_u (local.get $end) (i32.const 16)) (memory.size)))))))
          (i32.sub (local.get $end) (i32.const 4)))
        (func (export "larder_events") (param $count i32)
          (local $at i32) (local $kind i32)
          (local.set $at (i32.const 32768))
          (block $done (loop $next
            (br_if $done (i32.eqz (local.get $count)))
            (local.set $kind (i32.load8_u (local.get $at)))
            (if (i32.gt_u (i32.load offset=12 (local.get $at)) (i32.const 150000))
              (then unreachable))
            (if (i32.or (i32.eq (local.get $kind) (i32.const 1))
                        (i32.eq (local.get $kind) (i32.const 3)))
              (then (i32.store (call $place (i32.load offset=4 (local.get $at)))
                               (i32.load offset=12 (local.get $at)))))
            (if (i32.eq (local.get $kind) (i32.const 4))
              (then (i32.store (call $place (i32.load offset=4 (local.get $at)))
                               (i32.const 0))))
            (local.set $at (i32.add (local.get $at) (i32.const 16)))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br $next))))
        (func (export "larder_victims") (param i32) (result i64)
          (local $slot i32) (local $count i32) (local $size i32) (local $need i64)
          (local.set $need (i64.load (i32.const 32768)))
          (block $done (loop $next
            (br_if $done (i64.eqz (local.get $need)))
            (br_if $done (i32.ge_u (local.get $slot) (global.get $slots)))
            (br_if $done (i32.ge_u (local.get $count) (i32.const 4096)))
            (local.set $size (i32.load (call $place (local.get $slot))))
            (if (local.get $size) (then
              (i32.store (i32.add (i32.const 16) (i32.shl (local.get $count) (i32.const 2)))
                         (local.get $slot))
              (local.set $need (select
                (i64.sub (local.get $need) (i64.extend_i32_u (local.get $size)))
                (i64.const 0)
                (i64.gt_u (local.get $need) (i64.extend_i32_u (local.get $size)))))
              (local.set $count (i32.add (local.get $count) (i32.const 1)))))
            (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
            (br $next)))
          (i64.or (i64.const 0x1000000000) (i64.extend_i32_u (local.get $count)))))"#
    );
    wat::parse_str(text).unwrap()
}

/// A policy over values: each kind's answer is an expression, `None` where it is not of that kind.
/// `$first` gives the first byte of the key.
pub(crate) fn decisions(
    should_cache: Option<&str>,
    ttl: Option<&str>,
    priority: Option<&str>,
) -> Vec<u8> {
    let mut kinds = Vec::new();
    let mut functions = String::new();
    for (kind, result, answer) in [
        ("should_cache", "i32", should_cache),
        ("ttl", "i64", ttl),
        ("priority", "i32", priority),
    ] {
        if let Some(answer) = answer {
            kinds.push(format!("\"{kind}\""));
            functions += &format!(
                "(func (export \"larder_{kind}\") (param i32) (result {result}) {answer})\n"
            );
        }
    }
    let manifest = manifest(&kinds.join(","), "1");
    let text = format!(
        r#"(module
        (@custom "larder.manifest" "{manifest}")
        (memory (export "memory") 4)
        (global (export "larder_abi_v1") i32 (i32.const 1))
        (func (export "larder_buffer") (param $bytes i32) (result i32)
          (select (i32.const 65536) (i32.const 0)
            (i32.le_u (local.get $bytes) (i32.const 196608))))
        (func (export "larder_init") (param i32) (result i32) (i32.const 0))
        (func $first (result i32)
          (i32.load8_u (i32.add (i32.const 65536) (i32.load (i32.const 65576)))))
        {functions})"#
    );
    wat::parse_str(text).unwrap()
}

/// An expression that traps for keys that begin with `!`, and is `answer` for others.
pub(crate) fn unless_shouted(result: &str, answer: &str) -> String {
    format!(
        "(if (result {result}) (i32.eq (call $first) (i32.const 33))
           (then unreachable) (else ({result}.const {answer})))"
    )
}
