//! Client-side caching over real connections, on several threads.

use std::collections::HashMap;
use std::thread;

use e2e::harness::{Client, Random, Server};
use larder_resp::{Value, encode_command};

const CLIENTS: u64 = 4;
const STEPS: u64 = 1_000;
const KEYS: usize = 5;

/// A connection that keeps what it reads until it is told otherwise.
struct Cache {
    client: Client,
    kept: HashMap<Vec<u8>, Value>,
}

impl Cache {
    /// Asks for several things at once, and minds what comes, in the order in which it comes.
    fn ask(&mut self, requests: &[Vec<&[u8]>]) {
        let mut bytes = Vec::new();
        requests
            .iter()
            .for_each(|request| encode_command(&mut bytes, request));
        self.client.send(&bytes).expect("the server reads");
        let mut open = requests.iter();
        let mut next = open.next();
        while let Some(request) = next {
            match self.client.receive().expect("the server replies") {
                Value::Push(parts) => self.forget(&parts[1]),
                reply => {
                    if request[0] == b"GET" {
                        self.kept.insert(request[1].to_vec(), reply);
                    }
                    next = open.next();
                }
            }
        }
    }

    fn forget(&mut self, told: &Value) {
        match told {
            Value::Array(keys) => {
                for key in keys {
                    let Value::Bulk(Some(key)) = key else {
                        panic!("no key: {key:?}")
                    };
                    self.kept.remove(key);
                }
            }
            _ => self.kept.clear(),
        }
    }
}

#[test]
fn what_clients_keep_is_right_once_writes_stop() {
    let server = Server::start(&["--threads", "2"]);
    let run = |number: u64| {
        let mut client = server.client();
        client.call(&["HELLO", "3"]);
        client.call(&["CLIENT", "TRACKING", "ON"]);
        let mut cache = Cache {
            client,
            kept: HashMap::new(),
        };
        let mut random = Random::new(number + 1);
        for step in 0..STEPS {
            let value = format!("{number} {step}");
            let keys = [(); 4].map(|()| format!("k{}", random.below(KEYS)).into_bytes());
            let [read, write, again, gone] = keys.each_ref().map(Vec::as_slice);
            let mut requests: Vec<Vec<&[u8]>> = vec![
                vec![b"GET", read],
                vec![b"SET", write, value.as_bytes()],
                vec![b"GET", again],
            ];
            if step % 10 == 0 {
                requests.push(vec![b"DEL", gone]);
            }
            if step % 100 == number {
                requests.push(vec![b"FLUSHDB"]);
            }
            cache.ask(&requests);
        }
        cache
    };
    let run = &run;
    let caches: Vec<Cache> = thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || run(number)))
            .collect();
        let caches = threads
            .into_iter()
            .map(|thread| thread.join().expect("no client fails"));
        caches.collect()
    });
    let mut fresh = server.client();
    fresh.call(&["HELLO", "3"]);
    for mut cache in caches {
        // What it was told comes before the reply.
        cache.ask(&[vec![b"PING"]]);
        for (key, kept) in &cache.kept {
            assert_eq!(
                &fresh.call(&[b"GET", &key[..]]),
                kept,
                "{}",
                key.escape_ascii()
            );
        }
    }
}
