//! A Redis Cluster of three primaries with a replica each.

use std::net::SocketAddr;

use larder_resp::Value;

use super::client::Client;
use super::patience::eventually;
use super::port::free_address;
use super::redis::Redis;

const PRIMARIES: usize = 3;
const SLOTS: usize = 16_384;
/// Long enough for a machine with other things to do.
const PATIENT_MS: &str = "15000";

/// Six `redis-server`s that are one cluster. Killed when dropped.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    /// Starts one for `test`; `None` where Redis is not installed.
    ///
    /// # Panics
    /// When it does not come to work.
    #[track_caller]
    pub fn start(test: &str) -> Option<Self> {
        Self::start_with(test, PATIENT_MS)
    }

    /// The same, in which a replica takes the place of a primary that is silent for so long.
    ///
    /// # Panics
    /// Likewise.
    #[track_caller]
    pub fn start_with(test: &str, node_timeout_ms: &str) -> Option<Self> {
        let mut nodes = Vec::new();
        let mut buses = Vec::new();
        for _ in 0..2 * PRIMARIES {
            let bus = free_address().port().to_string();
            let args = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            let timeout = ["--cluster-node-timeout", node_timeout_ms];
            nodes.push(Redis::start_with(test, &[&args[..], &timeout].concat())?);
            buses.push(bus);
        }
        let cluster = Self { nodes };
        cluster.meet(&buses);
        cluster.follow();
        cluster.await_work();
        Some(cluster)
    }

    /// The nodes, primaries first.
    pub fn nodes(&self) -> &[Redis] {
        &self.nodes
    }

    /// Ends a node at once.
    pub fn kill(&mut self, nth: usize) {
        self.nodes[nth].kill();
    }

    /// Waits until the replica of a primary that has ended has taken its place.
    ///
    /// # Panics
    /// When it does not.
    #[track_caller]
    pub fn await_promotion(&self, nth: usize) {
        let mut client = self.nodes[PRIMARIES + nth].client();
        eventually("a replica takes the place of its primary", || {
            let place = text(&client.call(&["INFO", "replication"]));
            let state = text(&client.call(&["CLUSTER", "INFO"]));
            let is_there = place.contains("role:master") && state.contains("cluster_state:ok");
            is_there.then_some(())
        });
    }

    /// The slot of a key, or of what is its tag.
    ///
    /// # Panics
    /// When a node does not say so.
    #[track_caller]
    pub fn slot_of(&self, key: &str) -> i64 {
        match self.nodes[0].client().call(&["CLUSTER", "KEYSLOT", key]) {
            Value::Integer(slot) => slot,
            other => panic!("no slot: {other:?}"),
        }
    }

    /// Which of the primaries had a slot at first.
    pub fn owner_of(&self, slot: i64) -> usize {
        let begins = |nth: &usize| (nth * SLOTS / PRIMARIES) as i64 <= slot;
        (0..PRIMARIES).rev().find(begins).unwrap_or(0)
    }

    /// Moves a slot from one primary to another, key by key, as `redis-cli --cluster reshard` does.
    ///
    /// # Panics
    /// When a node refuses.
    #[track_caller]
    pub fn move_slot(&self, slot: i64, from: usize, to: usize) {
        self.begin_move(slot, from, to);
        while self.move_keys(slot, from, to, 20) > 0 {}
        let target = id(&mut self.nodes[to].client());
        let set = ["CLUSTER", "SETSLOT", &slot.to_string(), "NODE", &target];
        // Its new owner first, so that it always has one.
        let others = (0..PRIMARIES).filter(|nth| *nth != to && *nth != from);
        for nth in [to, from].into_iter().chain(others) {
            let mut client = self.nodes[nth].client();
            said_ok(&mut client, &set);
        }
    }

    /// Tells both primaries that a slot moves from now on.
    ///
    /// # Panics
    /// When a node refuses.
    #[track_caller]
    pub fn begin_move(&self, slot: i64, from: usize, to: usize) {
        let slot = slot.to_string();
        let [mut source, mut target] = [from, to].map(|nth| self.nodes[nth].client());
        let (source_id, target_id) = (id(&mut source), id(&mut target));
        let set = ["CLUSTER", "SETSLOT", &slot];
        said_ok(
            &mut target,
            &[&set[..], &["IMPORTING", &source_id]].concat(),
        );
        said_ok(
            &mut source,
            &[&set[..], &["MIGRATING", &target_id]].concat(),
        );
    }

    /// Moves so many keys of a slot at most; how many there were.
    ///
    /// # Panics
    /// When a node refuses.
    #[track_caller]
    pub fn move_keys(&self, slot: i64, from: usize, to: usize, count: usize) -> usize {
        let mut source = self.nodes[from].client();
        let (slot, count) = (slot.to_string(), count.to_string());
        let keys = match source.call(&["CLUSTER", "GETKEYSINSLOT", &slot, &count]) {
            Value::Array(keys) if keys.is_empty() => return 0,
            Value::Array(keys) => keys,
            other => panic!("no keys: {other:?}"),
        };
        let (addr, found) = (self.nodes[to].addr(), keys.len());
        let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
        let begin = ["MIGRATE", &ip, &port, "", "0", "60000", "KEYS"];
        let mut migrate: Vec<Vec<u8>> = begin.map(|arg| arg.as_bytes().to_vec()).into();
        migrate.extend(keys.into_iter().map(|key| match key {
            Value::Bulk(Some(key)) => key,
            other => panic!("no key: {other:?}"),
        }));
        // What has gone meanwhile is no key.
        let reply = source.call(&migrate);
        assert!(matches!(reply, Value::Simple(_)), "{reply:?}");
        found
    }

    /// Its address in the settings of a tier.
    pub fn url(&self) -> String {
        let addrs: Vec<_> = self
            .nodes
            .iter()
            .map(|node| node.addr().to_string())
            .collect();
        format!("redis-cluster://{}", addrs.join(","))
    }

    /// Shares the slots out among the primaries, and has all know all others.
    fn meet(&self, buses: &[String]) {
        for (nth, node) in self.nodes.iter().enumerate() {
            let mut client = node.client();
            if nth < PRIMARIES {
                let first = (nth * SLOTS / PRIMARIES).to_string();
                let last = ((nth + 1) * SLOTS / PRIMARIES - 1).to_string();
                said_ok(&mut client, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
            }
            said_ok(
                &mut client,
                &["CLUSTER", "SET-CONFIG-EPOCH", &(nth + 1).to_string()],
            );
        }
        let mut first = self.nodes[0].client();
        for (node, bus) in self.nodes.iter().zip(buses).skip(1) {
            let SocketAddr::V4(addr) = node.addr() else {
                panic!("free addresses are of version 4");
            };
            let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
            said_ok(&mut first, &["CLUSTER", "MEET", &ip, &port, bus]);
        }
    }

    /// Has each of the other nodes follow a primary.
    fn follow(&self) {
        let ids: Vec<_> = self.nodes[..PRIMARIES]
            .iter()
            .map(|node| id(&mut node.client()))
            .collect();
        for (node, id) in self.nodes[PRIMARIES..].iter().zip(ids) {
            let mut client = node.client();
            eventually("a replica knows its primary", || {
                let reply = client.call(&["CLUSTER", "REPLICATE", &id]);
                (reply == Value::Simple("OK".into())).then_some(())
            });
        }
    }

    fn await_work(&self) {
        for (nth, node) in self.nodes.iter().enumerate() {
            let mut client = node.client();
            eventually("a node works and knows its place", || {
                let state = text(&client.call(&["CLUSTER", "INFO"]));
                let place = text(&client.call(&["INFO", "replication"]));
                let wanted = match nth < PRIMARIES {
                    true => "connected_slaves:1",
                    false => "master_link_status:up",
                };
                let nodes = text(&client.call(&["CLUSTER", "NODES"]));
                let replicas = nodes.lines().filter(|line| line.contains("slave")).count();
                // What is published at a node comes to those that it has a link to.
                let is_linked = |line: &&str| line.split(' ').nth(7) == Some("connected");
                let links = nodes.lines().filter(is_linked).count();
                let works = state.contains("cluster_state:ok") && place.contains(wanted);
                (works && replicas == PRIMARIES && links == 2 * PRIMARIES).then_some(())
            });
        }
    }
}

#[track_caller]
fn said_ok(client: &mut Client, args: &[&str]) {
    let reply = client.call(args);
    assert_eq!(reply, Value::Simple("OK".into()), "{args:?}");
}

fn id(client: &mut Client) -> String {
    text(&client.call(&["CLUSTER", "MYID"]))
}

#[track_caller]
fn text(reply: &Value) -> String {
    match reply {
        Value::Bulk(Some(text)) => String::from_utf8_lossy(text).into_owned(),
        other => panic!("no text: {other:?}"),
    }
}
