//! Connections, counted by what they are and do.

use std::sync::atomic::{AtomicU32, Ordering};

use super::standing::Mark;
use super::{Client, Clients, Kind};
use crate::User;

/// What is so at the moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Census {
    /// Over TCP, TLS left aside.
    pub tcp: u64,
    /// Over TLS.
    pub tls: u64,
    /// Over the Unix socket.
    pub unix: u64,
    /// Those that listen to channels.
    pub subscribed: u64,
    /// Those that are shown what others do.
    pub monitoring: u64,
    /// Those that wait for the end of a pause.
    pub paused: u64,
    /// Those that watch keys.
    pub watching: u64,
    /// Keys that they watch.
    pub watched_keys: u64,
    /// Input that one holds, in bytes: the most.
    pub input_bytes_max: u64,
    /// Output that one has not taken, in bytes: the most.
    pub output_bytes_max: u64,
}

impl Census {
    fn add(&mut self, client: &Client) {
        let standing = &client.standing;
        let load = |value: &AtomicU32| u64::from(value.load(Ordering::Relaxed));
        match client.origin.kind {
            Kind::Tcp => self.tcp += 1,
            Kind::Tls => self.tls += 1,
            Kind::Unix => self.unix += 1,
            Kind::Http => {}
        }
        for (count, mark) in [
            (&mut self.subscribed, Mark::PubSub),
            (&mut self.monitoring, Mark::Monitor),
            (&mut self.paused, Mark::Held),
        ] {
            *count += u64::from(standing.has(mark));
        }
        let watched = load(&standing.watched);
        self.watching += u64::from(watched > 0);
        self.watched_keys += watched;
        self.input_bytes_max = self.input_bytes_max.max(load(&standing.input_bytes));
        self.output_bytes_max = self.output_bytes_max.max(load(&standing.output_bytes));
    }
}

impl Clients {
    /// All of them, or those that `user` may know of.
    pub(crate) fn census(&self, user: Option<&User>) -> Census {
        let mut census = Census::default();
        for client in self.all() {
            if user.is_none_or(|user| client.is_seen_by(user)) {
                census.add(&client);
            }
        }
        census
    }
}
