//! A policy that is told how soon entries are asked for again keeps what comes back, built in and from the folder.

use e2e::harness::{Client, Server, drop_policy, eventually, policy};

use crate::values::{NIL, ok};

/// Of these each is asked for once a cycle, of which the memory holds less than a third.
const HOT: usize = 1_200;
const OTHERS: usize = 4;

/// One cycle: as many hits among the hot ones. What is missed is written, as who looks aside does it.
fn cycle(client: &mut Client, next: &mut usize) -> usize {
    let value = "v".repeat(1_000);
    let set = |client: &mut Client, key: &str| {
        assert_eq!(client.call(&["SET", key, &value]), ok());
    };
    let mut hits = 0;
    for hot in 0..HOT {
        let key = format!("hot{hot}");
        match client.call(&["GET", &key]) == NIL {
            true => set(client, &key),
            false => hits += 1,
        }
        for _ in 0..OTHERS {
            *next += 1;
            set(client, &format!("once{next}"));
        }
    }
    hits
}

fn keeps_what_comes_back(server: &Server) {
    let mut client = server.client();
    let mut next = 0;
    eventually("what comes back is there when it does", || {
        (cycle(&mut client, &mut next) > HOT / 4).then_some(())
    });
}

#[test]
fn what_comes_back_is_kept_though_recency_would_not() {
    let flags = ["--memory", "4MiB", "--l2", "none"];
    let with = |eviction| [&flags[..], &["--eviction", eviction]].concat();
    let recent = Server::start(&with("lru"));
    let (mut client, mut next) = (recent.client(), 0);
    let hits = (0..5).map(|_| cycle(&mut client, &mut next)).sum::<usize>();
    assert!(hits < HOT / 10, "{hits}: the memory is too large for this");
    drop(recent);

    keeps_what_comes_back(&Server::start(&with("predicted-reuse")));

    let server = Server::start(&with("lru"));
    let wasm = std::fs::read(policy("predicted-reuse")).unwrap();
    drop_policy(&server.policies(), "soon.wasm", &wasm);
    eventually("the policy of the folder rules", || {
        let policies = server.info();
        (policies.get("maxmemory_policy")? == "allkeys-soon").then_some(())
    });
    keeps_what_comes_back(&server);
}
