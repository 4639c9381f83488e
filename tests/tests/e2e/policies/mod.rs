//! Policies of users: dropped into the folder of a server that goes on serving.

mod authors;
mod decisions;
mod folder;
mod hostile;
mod reuse;
mod soak;
mod swaps;

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use e2e::harness::{Server, drop_policy, policy};

pub(crate) use hostile::turncoat;

/// Drops one of the repository's policies under a name of its own, with a side-car if there is one.
#[track_caller]
pub(crate) fn deploy(server: &Server, name: &str, of: &str, side_car: Option<&str>) {
    let folder = server.policies();
    if let Some(text) = side_car {
        fs::write(folder.join(format!("{name}.toml")), text).unwrap();
    }
    let wasm = fs::read(policy(of)).unwrap();
    drop_policy(&folder, &format!("{name}.wasm"), &wasm);
}

#[track_caller]
fn withdraw(server: &Server, name: &str) {
    fs::remove_file(server.policies().join(format!("{name}.wasm"))).unwrap();
}

/// A policy that evicts nothing but what `body` says, in place of functions of the same name.
fn guest(name: &str, kinds: &str, functions: &str) -> Vec<u8> {
    let text = format!(
        r#"(module
             (@custom "larder.manifest" "{{\"name\":\"{name}\",\"version\":\"1.0.0\",\"kinds\":[{kinds}]}}")
             (import "larder" "log" (func $log (param i32 i32 i32)))
             (memory (export "memory") 4)
             (func (export "larder_abi_v1"))
             (func (export "larder_buffer") (param i32) (result i32)
               (select (i32.const 1024) (i32.const 0)
                 (i32.le_u (local.get 0) (i32.const 200000))))
             (func (export "larder_init") (param i32) (result i32) (i32.const 0))
             {functions})"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Tells threads in the background that it is over, also when a test fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
