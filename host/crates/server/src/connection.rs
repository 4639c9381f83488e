//! One connection: a task that reads what its client sent, executes all of it, and writes the replies,
//! with one system call each. Reading and executing use buffers that all connections of the worker
//! share, borrowed only within a poll; a connection owns memory only while its client lags.

mod late;
mod sign_in;

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use larder_engine::tier::Answer;
use larder_resp::Reply;
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep};
use tracing::debug;

use crate::budget::BuffersFull;
use crate::dialogue::{Dialogue, Stop};
use crate::end::End;
use crate::fetch::Told;
use crate::held::Held;
use crate::mailbox::Lagged;
use crate::registry::{Entry, Phase};
use crate::stats::bump;
use crate::stream::Stream;
use crate::tls::{NEEDS_TLS, Opened};
use crate::worker::{Scratch, TURN_BYTES, Worker};
use late::Late;

/// What a reply may have above `output_bytes_max`, so that it can end with an error that says why.
const OUTPUT_SLACK_BYTES: usize = 1024;
const BUFFERS_FULL: &str = "ERR client buffers of the server are full, try again later";

/// One client's connection.
pub(crate) struct Connection {
    worker: Rc<Worker>,
    entry: Rc<Entry>,
    stream: Stream,
    dialogue: Dialogue,
    held: Held,
    stage: Stage,
    needed_bytes: usize,
    progressed: bool,
    /// The tenant's requests are used up until then.
    pause: Option<Pin<Box<Sleep>>>,
    /// What was told to the slower tiers when this step began.
    told: Told,
    /// What was written is on its way to a slower tier; replies wait for it.
    settling: Option<Answer<'static, ()>>,
}

/// What the connection does once its held output is written.
enum Stage {
    /// Go through the handshake of TLS.
    Greeting,
    /// Read, and execute what was read.
    Reading,
    /// Execute held input: it may hold complete requests.
    Behind,
    /// Do what is to be done before the next request.
    Late(Late),
    /// Tell the client that this is the end.
    Closing,
    /// Wait until the client closes too, so that it gets the last reply whatever it was sending.
    Lingering,
}

impl Connection {
    pub(crate) fn new(
        worker: Rc<Worker>,
        entry: Rc<Entry>,
        stream: Stream,
        dialogue: Dialogue,
    ) -> Self {
        let held = Held::new(worker.shared.buffers.of(&dialogue.session).clone());
        let stage = match stream {
            Stream::Tls(_) => Stage::Greeting,
            Stream::Tcp(_) | Stream::Unix(_) => Stage::Reading,
        };
        Self {
            worker,
            entry,
            stream,
            dialogue,
            held,
            stage,
            needed_bytes: 0,
            progressed: false,
            pause: None,
            told: Told::default(),
            settling: None,
        }
    }

    /// Serves the client until the connection ends. A panic ends this connection alone.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| {
            self.dialogue.session.client.arm(cx.waker());
            Poll::Ready(())
        })
        .await;
        let end = poll_fn(|cx| {
            catch_unwind(AssertUnwindSafe(|| self.poll(cx))).unwrap_or(Poll::Ready(End::Panicked))
        })
        .await;
        poll_fn(|cx| {
            self.stream.part(cx);
            Poll::Ready(())
        })
        .await;
        end.note(&self.worker.shared.counters, &self.dialogue.session);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        self.entry.arm(cx.waker());
        self.progressed = false;
        let worker = self.worker.clone();
        let mut scratch = worker.scratch.borrow_mut();
        let mut turn_bytes = TURN_BYTES;
        let phase = loop {
            if let Some(cut) = self.entry.cut() {
                return Poll::Ready(End::Cut(cut));
            }
            if self.dialogue.session.client.is_killed() {
                return Poll::Ready(End::Killed);
            }
            match self.step(cx, &mut scratch, &mut turn_bytes) {
                Poll::Ready(Err(end)) => return Poll::Ready(end),
                Poll::Ready(Ok(())) if turn_bytes > 0 => {}
                Poll::Ready(Ok(())) => {
                    // Behind those for whom something has arrived meanwhile, which a mere wake would not
                    // let the runtime look for: it defers this one to after that.
                    let _ = pin!(yield_now()).poll(cx);
                    break Phase::Working;
                }
                Poll::Pending => break self.phase(),
            }
        };
        scratch.trim();
        self.dialogue.session.client.hold(self.held.buffers());
        self.entry
            .settle(phase, self.progressed, worker.sweep.get());
        Poll::Pending
    }

    /// What a connection that cannot go on is waiting for.
    fn phase(&self) -> Phase {
        if self.settling.is_some() {
            Phase::Working
        } else if !self.held.output().is_empty() || self.stream.has_unsent() {
            Phase::Sending
        } else if matches!(self.stage, Stage::Greeting) {
            Phase::Greeting
        } else if self.pause.is_some() || matches!(self.stage, Stage::Late(_)) {
            Phase::Working
        } else if matches!(self.stage, Stage::Closing | Stage::Lingering) {
            Phase::Lingering
        } else if self.dialogue.is_stranger() {
            Phase::Strange
        } else if !self.held.input().is_empty() {
            Phase::Receiving
        } else if self.dialogue.session.is_listening() {
            // It may be silent for as long as it likes.
            Phase::Working
        } else {
            Phase::Idle
        }
    }

    /// One step of the connection's work. Uses up `turn_bytes` by what it read and executed; at 0 it is
    /// the turn of others.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        turn_bytes: &mut usize,
    ) -> Poll<Result<(), End>> {
        if let Some(mailbox) = self.dialogue.session.mailbox() {
            mailbox.arm(cx.waker()).map_err(|Lagged| End::Lagged)?;
        }
        if let Some(settling) = &mut self.settling {
            ready!(settling.as_mut().poll(cx));
            self.settling = None;
        }
        self.told = Told::now(&self.dialogue.session.tenant);
        if self.poll_send(cx)?.is_pending() {
            // A recording is no reason for a server that drains to wait.
            if self.worker.draining.get() && matches!(self.stage, Stage::Late(Late::Recording(_))) {
                return Poll::Ready(Err(End::Drained));
            }
            return Poll::Pending;
        }
        if let Some(pause) = &mut self.pause {
            if !self.worker.draining.get() {
                ready!(pause.as_mut().poll(cx));
            }
            self.pause = None;
        }
        if let Some(debt) = self.debt() {
            self.pause = Some(Box::pin(sleep(debt)));
            return Poll::Ready(Ok(()));
        }
        match &mut self.stage {
            Stage::Greeting => ready!(self.poll_greet(cx, scratch))?,
            Stage::Reading => {
                if self.deliver(cx, scratch, turn_bytes)? {
                    return Poll::Ready(Ok(()));
                }
                let parser_bytes = self.dialogue.parser_bytes();
                let room = self.held.make_room(self.needed_bytes, parser_bytes);
                if room.is_err() {
                    scratch.output.clear();
                    return Poll::Ready(self.refuse(cx, &mut scratch.output));
                }
                let bytes = ready!(self.poll_receive(cx, scratch))?;
                *turn_bytes = turn_bytes.saturating_sub(bytes);
                self.execute(cx, scratch, turn_bytes)?;
            }
            Stage::Behind => {
                scratch.input.clear();
                self.execute(cx, scratch, turn_bytes)?;
            }
            Stage::Late(_) => ready!(self.poll_late(cx, scratch, turn_bytes))?,
            Stage::Closing => {
                self.held.drop_input();
                ready!(self.stream.poll_shutdown(cx)).map_err(End::Lost)?;
                self.stage = Stage::Lingering;
            }
            Stage::Lingering => {
                let bytes = ready!(self.poll_receive(cx, scratch))?;
                *turn_bytes = turn_bytes.saturating_sub(bytes);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Goes through the handshake. Whoever speaks without TLS is told so, and turned away.
    fn poll_greet(&mut self, cx: &mut Context<'_>, scratch: &mut Scratch) -> Poll<Result<(), End>> {
        let Stream::Tls(stream) = &mut self.stream else {
            self.stage = Stage::Reading;
            return Poll::Ready(Ok(()));
        };
        let Poll::Ready(opened) = stream.poll_open(cx) else {
            return match self.worker.draining.get() {
                true => Poll::Ready(Err(End::Drained)),
                false => Poll::Pending,
            };
        };
        match opened.map_err(End::Lost)? {
            Opened::Tls { .. } => {
                self.stage = Stage::Reading;
                self.hold(0).map_err(|BuffersFull| End::BuffersFull)?;
            }
            Opened::Plaintext => {
                self.stage = Stage::Closing;
                scratch.output.clear();
                Reply::new(&mut scratch.output, self.dialogue.session.version).error(NEEDS_TLS);
                self.write(cx, &mut scratch.output)?;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// How long others of the tenant have to be waited for before requests are carried out.
    fn debt(&self) -> Option<Duration> {
        let is_next = matches!(self.stage, Stage::Reading | Stage::Behind);
        if !is_next || self.worker.draining.get() {
            return None;
        }
        self.dialogue.debt()
    }

    /// Writes the messages that came for the connection. Whether there were some.
    fn deliver(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        turn_bytes: &mut usize,
    ) -> Result<bool, End> {
        scratch.output.clear();
        self.take_mail(&mut scratch.output)?;
        *turn_bytes = turn_bytes.saturating_sub(scratch.output.len());
        let has_mail = !scratch.output.is_empty();
        self.write(cx, &mut scratch.output)?;
        Ok(has_mail)
    }

    /// Appends the messages that came for the connection, unless it may not hear them any more.
    fn take_mail(&mut self, out: &mut Vec<u8>) -> Result<(), End> {
        let session = &mut self.dialogue.session;
        if session.mailbox().is_some() && !session.may_listen(&self.worker.shared) {
            return Err(End::Killed);
        }
        if let Some(mailbox) = session.mailbox() {
            mailbox.take(out);
        }
        Ok(())
    }

    /// Writes the held output, and what TLS kept of what was written before, all of it before it is ready.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), End>> {
        while !self.held.output().is_empty() {
            let bytes =
                ready!(self.stream.poll_write(cx, self.held.output())).map_err(End::Lost)?;
            if bytes == 0 {
                return Poll::Ready(Err(End::Lost(io::ErrorKind::WriteZero.into())));
            }
            self.wrote(bytes);
            self.held.sent(bytes);
        }
        self.stream.poll_flush(cx).map_err(End::Lost)
    }

    /// Reads once: behind the held input if there is some, else into the shared buffer.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
    ) -> Poll<Result<usize, End>> {
        scratch.input.clear();
        let buffer = self.held.input_buffer().unwrap_or(&mut scratch.input);
        let Poll::Ready(read) = self.stream.poll_read(cx, buffer) else {
            // Nothing has arrived: a draining server is done with who has begun nothing.
            let done = self.worker.draining.get() && self.held.input().is_empty();
            return if done {
                Poll::Ready(Err(End::Drained))
            } else {
                Poll::Pending
            };
        };
        let bytes = read.map_err(End::Lost)?;
        if bytes == 0 {
            return Poll::Ready(Err(End::Closed));
        }
        self.worker.counters().add_input(bytes);
        Poll::Ready(Ok(bytes))
    }

    /// Executes the input there is, held or just read into the shared buffer, and writes the replies.
    fn execute(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        turn_bytes: &mut usize,
    ) -> Result<(), End> {
        let Scratch { input, output } = scratch;
        output.clear();
        // What came before these requests goes before their replies.
        self.take_mail(output)?;
        let worker = &*self.worker;
        let from_held = !self.held.input().is_empty();
        let unread = if from_held {
            self.held.input()
        } else {
            &input[..]
        };
        let executed = self.dialogue.execute(
            &worker.shared,
            worker.index,
            &mut **worker.decider.borrow_mut(),
            unread,
            TURN_BYTES,
            output,
        );
        self.progressed |= executed.commands > 0;
        self.pause = self
            .dialogue
            .pay(executed.commands)
            .map(sleep)
            .map(Box::pin);
        let mut kept = Ok(());
        if from_held {
            self.held.executed(executed.consumed);
        } else if executed.stop != Stop::Close {
            kept = self.held.keep_input(&input[executed.consumed..]);
        }
        self.go_on(executed.stop, turn_bytes);
        let late_bytes = match &self.stage {
            Stage::Late(late) => late.bytes(),
            _ => 0,
        };
        match kept.and_then(|()| self.hold(late_bytes)) {
            Ok(()) => self.write(cx, output),
            Err(BuffersFull) => self.refuse(cx, output),
        }
    }

    /// Pays for what is held beside the buffers: by the session, and `late_bytes` by what is answered late. Who
    /// pays may have changed.
    fn hold(&mut self, late_bytes: usize) -> Result<(), BuffersFull> {
        let session = &self.dialogue.session;
        let budget = self.worker.shared.buffers.of(session);
        self.stream.pay_from(budget)?;
        self.held.pay_from(budget)?;
        self.held.hold_beside(session.held_bytes() + late_bytes)
    }

    /// Ends the connection with an error, because it would hold more than the server has room for.
    fn refuse(&mut self, cx: &mut Context<'_>, output: &mut Vec<u8>) -> Result<(), End> {
        debug!(
            client = self.dialogue.session.id,
            "client buffers are full: refusing a request"
        );
        bump(&self.worker.shared.counters.over_limit);
        Reply::new(output, self.dialogue.session.version).error(BUFFERS_FULL);
        self.held.drop_input();
        self.dialogue.session.transaction = None;
        self.dialogue.session.fetch = None;
        self.dialogue.session.stop_listening();
        self.stage = Stage::Closing;
        self.write(cx, output)
    }

    /// Writes replies that were just made, and holds what the client does not take.
    fn write(&mut self, cx: &mut Context<'_>, output: &mut Vec<u8>) -> Result<(), End> {
        self.settling = self.told.settled(&self.dialogue.session.tenant);
        if output.is_empty() {
            return Ok(());
        }
        if output.len() > self.worker.shared.config.output_bytes_max + OUTPUT_SLACK_BYTES {
            return Err(End::OutputOverLimit(output.len()));
        }
        let written = match self.settling {
            Some(_) => 0,
            None => match self.stream.poll_write(cx, output) {
                Poll::Ready(written) => written.map_err(End::Lost)?,
                Poll::Pending => 0,
            },
        };
        self.wrote(written);
        if written < output.len() {
            self.held
                .keep_output(output, written)
                .map_err(|BuffersFull| End::BuffersFull)?;
        }
        Ok(())
    }

    fn wrote(&mut self, bytes: usize) {
        self.progressed |= bytes > 0;
        self.worker.counters().add_output(bytes);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.forget(self.dialogue.session.id);
    }
}

#[cfg(test)]
mod tests;
