//! One thread of `larder bench`: a poll loop over its clients.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use super::client::{Client, Lane, State};
use super::tally::Tally;
use crate::address::Socket;

const EVENTS_MAX: usize = 1024;

/// The clients of one thread.
pub(super) struct Worker<'a> {
    poll: Poll,
    /// A client that has finished or failed leaves its place empty.
    clients: Vec<Option<Client>>,
    lane: Lane,
    /// Replies of all workers, for the eye.
    progress: &'a AtomicU64,
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        sockets: Vec<Socket>,
        lane: Lane,
        progress: &'a AtomicU64,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        for (index, socket) in sockets.iter().enumerate() {
            socket.set_nonblocking()?;
            let both = Interest::READABLE | Interest::WRITABLE;
            poll.registry()
                .register(&mut SourceFd(&socket.as_raw_fd()), Token(index), both)?;
        }
        let clients = sockets
            .into_iter()
            .map(|socket| Some(Client::new(socket)))
            .collect();
        Ok(Self {
            poll,
            clients,
            lane,
            progress,
        })
    }

    /// Runs until every client has finished or failed, or none has got a reply for
    /// `reply_timeout`.
    ///
    /// # Errors
    /// When polling fails; what fails on a connection is counted as lost.
    pub(super) fn run(mut self, reply_timeout: Duration) -> io::Result<Tally> {
        for index in 0..self.clients.len() {
            self.step(index, Client::begin);
        }
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut heard_at = Instant::now();
        while self.clients.iter().any(Option::is_some) {
            match self.poll.poll(&mut events, Some(reply_timeout)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            for event in &events {
                let closing = event.is_read_closed() || event.is_error();
                self.step(event.token().0, |client, lane| {
                    client.advance(lane, closing)
                });
            }
            let replies = std::mem::take(&mut self.lane.replies);
            if replies > 0 {
                self.progress.fetch_add(replies, Ordering::Relaxed);
                heard_at = Instant::now();
            } else if heard_at.elapsed() >= reply_timeout {
                self.give_up(reply_timeout);
            }
        }
        Ok(self.lane.tally)
    }

    fn step(&mut self, index: usize, go: impl FnOnce(&mut Client, &mut Lane) -> io::Result<State>) {
        // Events may be left over from a client that has gone.
        let Some(client) = &mut self.clients[index] else {
            return;
        };
        match go(client, &mut self.lane) {
            Ok(State::Busy) => return,
            Ok(State::Finished) => {}
            Err(error) => {
                self.lane
                    .tally
                    .lose(client.awaited(), || format!("connection lost: {error}"));
            }
        }
        self.clients[index] = None;
    }

    fn give_up(&mut self, reply_timeout: Duration) {
        for client in self.clients.iter_mut().filter_map(Option::take) {
            let reason = || format!("no reply within {reply_timeout:?}");
            self.lane.tally.lose(client.awaited(), reason);
        }
    }
}

#[cfg(test)]
mod tests;
