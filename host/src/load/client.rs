//! One connection of `larder bench`: sends a batch, awaits all its replies, sends the next.

use std::io::{self, Read, Write};
use std::time::Instant;

use super::encoder::Encoder;
use super::reply;
use super::source::{Request, Source};
use super::tally::Tally;
use crate::address::Socket;
use crate::trace::Random;

const SCRATCH_BYTES: usize = 64 * 1024;

/// What the clients of one thread share.
pub(super) struct Lane {
    pub(super) source: Source,
    pub(super) encoder: Encoder,
    pub(super) random: Random,
    pub(super) tally: Tally,
    /// Requests in a batch.
    pub(super) pipeline: usize,
    pub(super) verify: bool,
    /// Replies since the worker last looked.
    pub(super) replies: u64,
    outgoing: Vec<u8>,
    incoming: Box<[u8]>,
}

impl Lane {
    pub(super) fn new(
        source: Source,
        encoder: Encoder,
        seed: u64,
        pipeline: usize,
        verify: bool,
    ) -> Self {
        Self {
            source,
            encoder,
            random: Random::new(seed),
            tally: Tally::new(),
            pipeline,
            verify,
            replies: 0,
            outgoing: Vec::new(),
            incoming: vec![0; SCRATCH_BYTES].into(),
        }
    }
}

/// Whether a client has something under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Busy,
    /// The source is exhausted and every reply is in.
    Finished,
}

/// A connection, and the batch it awaits the replies of.
pub(super) struct Client {
    pub(super) socket: Socket,
    batch: Vec<Request>,
    answered: usize,
    sent_at: Instant,
    /// What the socket has not taken yet of the batch.
    unsent: Vec<u8>,
    /// The beginning of a reply whose end has not arrived.
    unread: Vec<u8>,
}

impl Client {
    /// `socket` must be non-blocking.
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            batch: Vec::new(),
            answered: 0,
            sent_at: Instant::now(),
            unsent: Vec::new(),
            unread: Vec::new(),
        }
    }

    /// Requests that no reply has come to.
    pub(super) fn awaited(&self) -> usize {
        self.batch.len() - self.answered
    }

    /// Sends the next batch, if the source has one. Nothing may be awaited.
    pub(super) fn begin(&mut self, lane: &mut Lane) -> io::Result<State> {
        self.batch.clear();
        self.answered = 0;
        lane.outgoing.clear();
        let now = Instant::now();
        while self.batch.len() < lane.pipeline
            && let Some(request) = lane.source.next(&mut lane.random, now)
        {
            lane.encoder
                .append(&mut lane.outgoing, request, &mut lane.random);
            self.batch.push(request);
        }
        if self.batch.is_empty() {
            return Ok(State::Finished);
        }
        self.sent_at = Instant::now();
        let sent = send(&mut self.socket, &lane.outgoing)?;
        self.unsent.extend_from_slice(&lane.outgoing[sent..]);
        Ok(State::Busy)
    }

    /// Goes as far as the socket lets it. `closing`: the peer sends no more, so all that is left
    /// must be read now.
    pub(super) fn advance(&mut self, lane: &mut Lane, closing: bool) -> io::Result<State> {
        if !self.unsent.is_empty() {
            let sent = send(&mut self.socket, &self.unsent)?;
            self.unsent.drain(..sent);
        }
        loop {
            let read = match self.socket.read(&mut lane.incoming) {
                Ok(0) => return Err(io::Error::other("the server closed the connection")),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(State::Busy),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.take(lane, read)?;
            if self.awaited() == 0 && self.begin(lane)? == State::Finished {
                return Ok(State::Finished);
            }
            // A short read has emptied the socket: what comes later raises an event of its own.
            let is_emptied = self.socket.is_emptied_by_short_reads();
            if is_emptied && read < lane.incoming.len() && !closing {
                return Ok(State::Busy);
            }
        }
    }

    /// Takes the replies out of the `read` bytes that have just come in.
    fn take(&mut self, lane: &mut Lane, read: usize) -> io::Result<()> {
        let Lane {
            tally,
            incoming,
            replies,
            verify,
            ..
        } = lane;
        let mut unread = std::mem::take(&mut self.unread);
        if unread.is_empty() {
            let used = self.parse(&incoming[..read], tally, *verify, replies)?;
            unread.extend_from_slice(&incoming[used..read]);
        } else {
            unread.extend_from_slice(&incoming[..read]);
            let used = self.parse(&unread, tally, *verify, replies)?;
            unread.drain(..used);
        }
        self.unread = unread;
        Ok(())
    }

    /// Counts the replies that `input` holds whole; returns how many bytes they take.
    fn parse(
        &mut self,
        input: &[u8],
        tally: &mut Tally,
        verify: bool,
        replies: &mut u64,
    ) -> io::Result<usize> {
        let latency = self.sent_at.elapsed();
        let mut at = 0;
        while at < input.len() {
            let read =
                reply::read(&input[at..]).map_err(|error| tally.garbled(error.to_string()))?;
            let Some((reply, len)) = read else { break };
            let Some(&request) = self.batch.get(self.answered) else {
                return Err(tally.garbled(format!("a reply to no request: {reply}")));
            };
            tally.count(request, reply, latency, verify);
            self.answered += 1;
            *replies += 1;
            at += len;
        }
        Ok(at)
    }
}

/// Sends as much as the socket takes; returns how much that is.
fn send(socket: &mut Socket, bytes: &[u8]) -> io::Result<usize> {
    let mut sent = 0;
    while sent < bytes.len() {
        match socket.write(&bytes[sent..]) {
            Ok(written) => sent += written,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(sent)
}
