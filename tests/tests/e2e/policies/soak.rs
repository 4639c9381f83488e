//! Deployed again and again under load: nothing may grow. Most drops are overwritten before they have
//! settled, as they are when a program writes; every twentieth is waited for.

use std::env;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::harness::{Server, drop_policy, eventually, policy};

use super::Ended;
use crate::values::ok;

/// Drops, unless the variable `E2E_SOAK_DROPS` says another number.
const DROPS: u32 = 1000;
/// Every so many drops the last one is waited for.
const AWAITED: u32 = 20;
/// What may stay resident of what came and went: pages that the allocator keeps.
const GROWTH_KIB_MAX: u64 = 24 * 1024;

/// What a process holds: threads, file handles, resident KiB.
#[derive(Debug, Clone, Copy)]
struct Held {
    threads: u64,
    handles: usize,
    resident_kib: u64,
}

fn held(pid: u32) -> Held {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let field = |name: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    Held {
        threads: field("Threads:"),
        handles: fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count(),
        resident_kib: field("VmRSS:"),
    }
}

#[test]
fn policies_that_come_and_go_under_load_leave_nothing_behind() {
    let drops = env::var("E2E_SOAK_DROPS").map_or(DROPS, |drops| drops.parse().unwrap());
    let server = Server::start(&["--memory", "12MiB", "--threads", "1"]);
    let folder = server.policies();
    let modules: Vec<_> = ["lru", "s3-fifo", "size-gate"]
        .iter()
        .map(|name| fs::read(policy(name)).unwrap())
        .collect();
    let is_done = AtomicBool::new(false);
    let mut after_warming = None;
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = server.client();
            let value = "v".repeat(200);
            let mut batch = 0_u64;
            while !is_done.load(Ordering::Relaxed) {
                batch += 1;
                let keys: Vec<_> = (0..100)
                    .map(|n| format!("{}", (batch * 100 + n) % 300_000))
                    .collect();
                let sets: Vec<_> = keys.iter().map(|key| ["SET", key, &value]).collect();
                assert!(client.pipeline(&sets).iter().all(|reply| *reply == ok()));
            }
        });
        // Ends the load also when an assertion fails.
        let _ended = Ended(&is_done);
        let mut before = String::new();
        for drop in 0..drops {
            // Each drop is another file, so that each that settles is compiled.
            let module = with_remark(&modules[drop as usize % modules.len()], drop);
            drop_policy(&folder, "soak.wasm", &module);
            if drop % AWAITED == AWAITED - 1 {
                eventually("it is in force", || {
                    let rows = server.policy_rows();
                    let row = rows.get("soak").filter(|row| row["state"] == "active")?;
                    let digest = server.policy_info("soak", "digest");
                    (digest != before).then(|| {
                        before = digest;
                        row.clone()
                    })
                });
            }
            if drop == drops / 5 {
                after_warming = Some(held(server.pid()));
            }
        }
    });
    fs::remove_file(folder.join("soak.wasm")).unwrap();
    server.await_no_policy("soak");
    let (before, after) = (after_warming.unwrap(), held(server.pid()));
    println!("{drops} drops: {before:?}, then {after:?}");
    assert_eq!(after.threads, before.threads);
    assert!(after.handles <= before.handles + 2, "{before:?} {after:?}");
    let growth = after.resident_kib.saturating_sub(before.resident_kib);
    assert!(growth <= GROWTH_KIB_MAX, "{before:?} {after:?}");
    assert_eq!(server.metric("larder_error_replies_total"), 0.0);
}

/// The module with a custom section that says a number.
fn with_remark(module: &[u8], number: u32) -> Vec<u8> {
    let name = b"remark";
    let mut section = vec![name.len() as u8];
    section.extend_from_slice(name);
    section.extend_from_slice(&number.to_le_bytes());
    [module, &[0, section.len() as u8], &section].concat()
}
