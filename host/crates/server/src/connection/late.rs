//! What a connection answers late: what is done in steps, by another thread, or goes on for long.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use larder_engine::Store;
use larder_engine::recording::Plan;
use larder_resp::Reply;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Sleep, sleep};

use super::sign_in::SigningIn;
use super::{Connection, Stage};
use crate::budget::BuffersFull;
use crate::clients::pauses::lifted;
use crate::dialogue::Stop;
use crate::end::End;
use crate::feed::Feed;
use crate::flush::Emptied;
use crate::listing::{HotList, LIST_TOO_LONG, Listing, Matching};
use crate::meter::Paced;
use crate::order::Done;
use crate::users::SignIn;
use crate::warm::{Warming, reply_warmed};
use crate::worker::Scratch;
use crate::{Session, fetch, flush, order};

const RECORDED_ALREADY: &str =
    "somebody else records what is done here; there is one recording at a time";

/// Bytes that are read while a request is held.
const AHEAD_BYTES_MAX: usize = 16 << 10;
/// How often a connection that is held, and reads no more, is looked at whether its client has gone.
const LOOK: Duration = Duration::from_secs(1);

/// What is to be done before the next request.
pub(super) enum Late {
    /// Wait until a database, or all, is empty, or what begins with a prefix is gone.
    Emptying(JoinHandle<Emptied>),
    /// List keys, step by step.
    Listing(Box<dyn Listing>, Paced),
    /// Wait until keys are in memory.
    Warming(Warming),
    /// Wait until an order has been carried out.
    Ordered(oneshot::Receiver<Done>),
    /// Wait until it is known whether a password is right.
    SigningIn(Box<SignIn>, SigningIn),
    /// Wait for the end of a pause, or for other clients.
    Held(Held),
    /// Load what the next request lacks in memory.
    Fetching,
    /// Begin to record.
    Beginning(Plan),
    /// Send what is recorded.
    Recording(Box<Feed>),
}

/// That a request waits for the end of a pause, or for other clients.
pub(super) struct Held {
    /// Ready when it may be over.
    lifted: Pin<Box<dyn Future<Output = ()>>>,
    /// Bytes that were read since.
    ahead_bytes: usize,
    /// Until the next look at whether the client has gone.
    look: Option<Pin<Box<Sleep>>>,
}

impl Held {
    pub(super) fn new(lifted: impl Future<Output = ()> + 'static) -> Self {
        Self {
            lifted: Box::pin(lifted),
            ahead_bytes: 0,
            look: None,
        }
    }
}

impl Late {
    /// Bytes that it holds from the beginning.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Warming(warming) => warming.bytes,
            _ => 0,
        }
    }

    /// What a request that was not carried out waits for.
    pub(super) fn lacking(session: &mut Session) -> Self {
        let others = session.waiting.as_mut();
        match others.and_then(|waiting| waiting.take()) {
            Some(waiting) => Self::Held(Held::new(waiting)),
            None => Self::Fetching,
        }
    }
}

impl Connection {
    /// What comes next, as requests ended like that.
    pub(super) fn go_on(&mut self, stop: Stop, turn_bytes: &mut usize) {
        match stop {
            Stop::Starved { needed_bytes } => {
                self.needed_bytes = needed_bytes;
                self.stage = Stage::Reading;
            }
            Stop::Paused => {
                *turn_bytes = 0;
                self.stage = Stage::Behind;
            }
            Stop::Empty(db) => {
                let session = &self.dialogue.session;
                let emptying = flush::begin(&self.worker.shared, session, db);
                self.stage = Stage::Late(Late::Emptying(emptying));
            }
            Stop::EmptyPrefix(prefix) => {
                let session = &self.dialogue.session;
                let emptying = flush::begin_prefix(&self.worker.shared, session, prefix);
                self.stage = Stage::Late(Late::Emptying(emptying));
            }
            Stop::List(pattern) => {
                let paced = Paced::new([&b"KEYS"[..], &pattern]);
                self.stage = Stage::Late(Late::Listing(Box::new(Matching::new(&pattern)), paced));
            }
            Stop::ListHot(count) => {
                let paced = Paced::new([&b"CACHE.HOT"[..], count.to_string().as_bytes()]);
                let bytes_max = self.worker.shared.config.output_bytes_max;
                let listing = Box::new(HotList::new(count, bytes_max));
                self.stage = Stage::Late(Late::Listing(listing, paced));
            }
            Stop::Warm(keys) => {
                let session = &self.dialogue.session;
                let warming = Warming::begin(&self.worker.shared, session, keys);
                self.stage = Stage::Late(Late::Warming(warming));
            }
            Stop::Order(order) => {
                let answer = order::give(&self.worker.shared.policies, order);
                self.stage = Stage::Late(Late::Ordered(answer));
            }
            Stop::SignIn(sign_in) => self.begin_sign_in(sign_in),
            Stop::Record(plan) => self.stage = Stage::Late(Late::Beginning(plan)),
            Stop::Held => {
                let tenant = self.dialogue.session.tenant.number();
                let waiting = lifted(self.worker.shared.clone(), tenant);
                self.stage = Stage::Late(Late::Held(Held::new(waiting)));
            }
            Stop::Fetch => self.stage = Stage::Late(Late::lacking(&mut self.dialogue.session)),
            Stop::Close => self.stage = Stage::Closing,
        }
    }

    /// One step of what is answered late.
    pub(super) fn poll_late(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        turn_bytes: &mut usize,
    ) -> Poll<Result<(), End>> {
        let is_held = matches!(self.stage, Stage::Late(Late::Held(..)));
        if is_held && self.deliver(cx, scratch, turn_bytes)? {
            return Poll::Ready(Ok(()));
        }
        let Stage::Late(late) = &mut self.stage else {
            return Poll::Ready(Ok(()));
        };
        match late {
            Late::Held(held) => {
                if self.worker.draining.get() || held.lifted.as_mut().poll(cx).is_ready() {
                    self.stage = Stage::Behind;
                } else {
                    ready!(self.poll_held(cx, scratch))?;
                }
            }
            Late::Fetching => {
                ready!(fetch::poll(
                    &mut self.dialogue.session,
                    &self.worker.shared,
                    cx
                ));
                self.stage = Stage::Behind;
                if self.hold(0).is_err() {
                    scratch.output.clear();
                    return Poll::Ready(self.refuse(cx, &mut scratch.output));
                }
            }
            Late::Emptying(emptying) => {
                let Ok((paced, done)) = ready!(Pin::new(emptying).poll(cx)) else {
                    return Poll::Ready(Err(End::Panicked));
                };
                let (shared, session) = (&self.worker.shared, &self.dialogue.session);
                paced.end(shared, self.worker.index, session);
                self.reply(cx, scratch, done)?;
            }
            Late::Listing(..) => {
                *turn_bytes = 0;
                self.list(cx, scratch)?;
            }
            Late::Warming(warming) => {
                let warmed = ready!(warming.work.as_mut().poll(cx));
                scratch.output.clear();
                let version = self.dialogue.session.version;
                reply_warmed(&mut Reply::new(&mut scratch.output, version), warmed);
                self.stage = Stage::Behind;
                self.hold(0).map_err(|BuffersFull| End::BuffersFull)?;
                self.answer(cx, &mut scratch.output)?;
            }
            Late::Ordered(answered) => {
                let gone = |_| Err("the order could not be carried out".to_owned());
                let done = ready!(Pin::new(answered).poll(cx)).unwrap_or_else(gone);
                self.reply(cx, scratch, done)?;
            }
            Late::SigningIn(_, waiting) => {
                let result = ready!(waiting.as_mut().poll(cx));
                self.sign_in(cx, scratch, result)?;
            }
            Late::Beginning(plan) => {
                let plan = *plan;
                self.begin(cx, scratch, &plan)?;
            }
            Late::Recording(_) => ready!(self.poll_record(cx, scratch, turn_bytes))?,
        }
        Poll::Ready(Ok(()))
    }

    /// Reads what is sent while a request is held, so that a client that goes meanwhile is seen to be gone. Of
    /// one that sends more than is read, that is looked at once in a while.
    fn poll_held(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Result<(), End>> {
        let Stage::Late(Late::Held(held)) = &mut self.stage else {
            return Poll::Ready(Ok(()));
        };
        let parser_bytes = self.dialogue.parser_bytes();
        let reads = held.ahead_bytes < AHEAD_BYTES_MAX;
        if !reads || self.held.make_room(0, parser_bytes).is_err() {
            let look = held.look.get_or_insert_with(|| Box::pin(sleep(LOOK)));
            ready!(look.as_mut().poll(cx));
            held.look = None;
            return Poll::Ready(match self.stream.has_ended() {
                true => Err(End::Closed),
                false => Ok(()),
            });
        }
        let bytes = ready!(self.poll_receive(cx, scratch))?;
        if let Stage::Late(Late::Held(held)) = &mut self.stage {
            held.ahead_bytes += bytes;
        }
        Poll::Ready(Ok(()))
    }

    /// Answers what took a while; what came behind it is next.
    fn reply(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        done: Done,
    ) -> Result<(), End> {
        scratch.output.clear();
        let mut reply = Reply::new(&mut scratch.output, self.dialogue.session.version);
        match done {
            Ok(()) => reply.ok(),
            Err(why) => reply.error(&format!("ERR {why}")),
        }
        self.stage = Stage::Behind;
        self.answer(cx, &mut scratch.output)
    }

    /// Writes a late reply, if the client wants it.
    pub(super) fn answer(&mut self, cx: &mut Context<'_>, out: &mut Vec<u8>) -> Result<(), End> {
        self.dialogue.session.hush(out, 0);
        self.write(cx, out)
    }

    /// Lists keys for one step; replies when the list is complete, or too long.
    fn list(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Result<(), End> {
        let Stage::Late(Late::Listing(listing, paced)) = &mut self.stage else {
            return Ok(());
        };
        let (shared, session) = (&self.worker.shared, &self.dialogue.session);
        let is_complete = paced.step(shared, || {
            let mut store = Store::open(&session.tenant, false);
            listing.step(&mut store, session.db, session.version, shared.now())
        });
        if is_complete {
            paced.end(shared, self.worker.index, session);
        }
        if listing.reply_bytes() > shared.config.output_bytes_max {
            self.hold(0).map_err(|BuffersFull| End::BuffersFull)?;
            return self.reply(cx, scratch, Err(LIST_TOO_LONG.to_owned()));
        }
        let bytes = listing.bytes();
        if self.hold(bytes).is_err() {
            scratch.output.clear();
            return self.refuse(cx, &mut scratch.output);
        }
        if !is_complete {
            return Ok(());
        }
        let stage = std::mem::replace(&mut self.stage, Stage::Behind);
        self.hold(0).map_err(|BuffersFull| End::BuffersFull)?;
        let version = self.dialogue.session.version;
        match stage {
            Stage::Late(Late::Listing(listing, _)) => {
                let (mut reply, start) = listing.into_reply(version);
                self.dialogue.session.hush(&mut reply, start);
                let kept = self.held.keep_output(&mut reply, start);
                kept.map_err(|BuffersFull| End::BuffersFull)
            }
            _ => Ok(()),
        }
    }

    /// Begins to record, unless somebody else does.
    fn begin(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        plan: &Plan,
    ) -> Result<(), End> {
        let Some(recording) = self.dialogue.session.tenant.record(plan) else {
            return self.reply(cx, scratch, Err(RECORDED_ALREADY.to_owned()));
        };
        self.held.drop_input();
        if self.hold(Feed::BYTES).is_err() {
            scratch.output.clear();
            return self.refuse(cx, &mut scratch.output);
        }
        self.stage = Stage::Late(Late::Recording(Box::new(Feed::new(recording))));
        Ok(())
    }

    /// Sends what was recorded, one block. Whatever the client says is of no account but that it says no
    /// more: that ends the recording, as does a server that drains.
    fn poll_record(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        turn_bytes: &mut usize,
    ) -> Poll<Result<(), End>> {
        let is_over = match self.poll_receive(cx, scratch) {
            Poll::Ready(Ok(bytes)) => {
                *turn_bytes = turn_bytes.saturating_sub(bytes);
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(End::Closed | End::Drained)) => true,
            Poll::Ready(Err(end)) => return Poll::Ready(Err(end)),
            Poll::Pending => false,
        };
        let Stage::Late(Late::Recording(feed)) = &mut self.stage else {
            return Poll::Ready(Ok(()));
        };
        if is_over {
            feed.end();
        }
        let now = self.worker.shared.now();
        let Some(block) = ready!(feed.poll_block(cx, now)) else {
            return Poll::Ready(Err(End::Closed));
        };
        *turn_bytes = turn_bytes.saturating_sub(block.len());
        scratch.output.clear();
        Reply::new(&mut scratch.output, self.dialogue.session.version).bulk(block);
        Poll::Ready(self.write(cx, &mut scratch.output))
    }
}
