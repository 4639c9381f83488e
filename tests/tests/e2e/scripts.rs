//! Lua scripts among other clients: whole or not at all, bounded, and each tenant's own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::harness::{Client, Server};
use larder_resp::Value;

use crate::values::{NIL, bulk, ok};

fn error(value: &Value) -> &str {
    match value {
        Value::Error(text) => text,
        other => panic!("no error: {other:?}"),
    }
}

#[test]
fn a_script_is_whole_for_others_whatever_it_declares() {
    const ROUNDS: usize = 300;
    let server = Server::start(&["--threads", "2", "--memory", "64MiB"]);
    let is_over = AtomicBool::new(false);
    // Declared, not declared, and declared in part: found out after something was written.
    let scripts: [&[&str]; 3] = [
        &[
            "EVAL",
            "for i = 1, 8 do redis.call('INCR', KEYS[i]) end",
            "8",
        ],
        &[
            "EVAL",
            "for i = 1, 8 do redis.call('INCR', 'k' .. i) end",
            "0",
        ],
        &[
            "EVAL",
            "for i = 1, 8 do redis.call('INCR', ARGV[1] .. i) end",
            "1",
        ],
    ];
    let keys: Vec<String> = (1..=8).map(|i| format!("k{i}")).collect();
    let write = |script: &[&str], rounds: usize| {
        let mut client = server.client();
        let arguments: Vec<&str> = match script[2] {
            "8" => keys.iter().map(String::as_str).collect(),
            "1" => vec!["k1", "k"],
            _ => vec![],
        };
        let request = [script, &arguments[..]].concat();
        for _ in 0..rounds {
            let reply = client.call(&request);
            assert_eq!(reply, NIL);
        }
    };
    // What a script touches is known from its first run on; in that, one may be refused what it had not
    // declared when it has written and others are in its way.
    scripts.iter().for_each(|script| write(script, 1));
    let read = || {
        let mut client = server.client();
        let mget: Vec<&str> = ["MGET"]
            .into_iter()
            .chain(keys.iter().map(String::as_str))
            .collect();
        while !is_over.load(Ordering::Relaxed) {
            let Value::Array(values) = client.call(&mget) else {
                panic!("no values")
            };
            assert!(values.iter().all(|value| *value == values[0]), "{values:?}");
        }
    };
    thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        let writers = scripts.map(|script| scope.spawn(move || write(script, ROUNDS)));
        let ended = writers.map(thread::ScopedJoinHandle::join);
        is_over.store(true, Ordering::Relaxed);
        for end in ended
            .into_iter()
            .chain(readers.map(thread::ScopedJoinHandle::join))
        {
            end.expect("no thread fails");
        }
    });
    let total = ((ROUNDS + 1) * scripts.len()).to_string();
    assert_eq!(server.client().call(&["GET", "k8"]), bulk(&total));
}

#[test]
fn a_script_that_loops_is_killed_or_ends_by_itself() {
    let server = Server::start(&["--threads", "1", "--lua-time-max", "50ms"]);
    let mut client = server.client();
    let reply = client.call(&[
        "EVAL",
        "while true do pcall(function() while true do end end) end",
        "0",
    ]);
    assert!(error(&reply).contains("lua.time_max, 50 ms"), "{reply:?}");
    // What it wrote stays, and the server goes on.
    let code = "redis.call('SET', KEYS[1], 1) while true do redis.call('INCR', KEYS[1]) end";
    let reply = client.call(&["EVAL", code, "1", "k"]);
    assert!(error(&reply).contains("lua.time_max"), "{reply:?}");
    assert_eq!(client.call(&["EXISTS", "k"]), Value::Integer(1));
    let bomb = "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end";
    let reply = client.call(&["EVAL", bomb, "0"]);
    assert!(error(&reply).starts_with("ERR"), "{reply:?}");
    let nested = "local function f() return pcall(f) and f() end return f()";
    error(&client.call(&["EVAL", nested, "0"]));
    assert_eq!(client.call(&["EVAL", "return 'alive'", "0"]), bulk("alive"));
}

/// A connection belongs to the worker that chance chose: of so many, some are the other's.
const KILLERS: usize = 24;

#[test]
fn another_worker_goes_on_and_can_end_a_script() {
    let server = Server::start(&["--threads", "2", "--lua-time-max", "1h"]);
    let mut busy = server.client();
    let mut killers: Vec<Client> = (0..KILLERS).map(|_| server.client()).collect();
    let is_killed = AtomicBool::new(false);
    let kill = |client: &mut Client| {
        while !is_killed.load(Ordering::Relaxed) {
            // One of the busy worker gets its answer when the script has ended.
            if client.call(&["SCRIPT", "KILL"]) == ok() {
                is_killed.store(true, Ordering::Relaxed);
            }
        }
    };
    thread::scope(|scope| {
        for client in &mut killers {
            scope.spawn(|| kill(client));
        }
        let reply = busy.call(&["EVAL", "while true do end", "0"]);
        assert!(error(&reply).contains("killed by user"), "{reply:?}");
    });
}
