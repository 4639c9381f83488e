//! Requests in, replies out: what a connection does with bytes, apart from the socket.

use std::time::Duration;

use larder_engine::recording::Plan;
use larder_engine::{Decider, Millis};
use larder_resp::{Args, ArgsBuf, Limits, Parsed, ProtocolError, Reply, RequestParser};

use crate::commands::dispatch;
use crate::meter::{Slow, Watch};
use crate::session::Replies;
use crate::users::SignIn;
use crate::{Context, Flow, Order, ServerConfig, Session, Shared, slowlog};

/// Output at which execution pauses until it is written.
const OUTPUT_PAUSE_BYTES: usize = 1 << 20;
/// So long a time counts as a byte of input: a turn is as much input as may be, or the ten milliseconds that
/// it should not take.
const NS_A_BYTE: u64 = 160;

/// The state of a connection that does not concern its socket.
pub(crate) struct Dialogue {
    pub(crate) session: Session,
    parser: RequestParser,
    /// What may be sent once somebody has signed in; `None` when it is in force already.
    later_limits: Option<Limits>,
}

/// How far a run of requests got.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Executed {
    /// Bytes of the input that were executed; the rest is to be presented again.
    pub(crate) consumed: usize,
    /// Requests executed.
    pub(crate) commands: u64,
    pub(crate) stop: Stop,
}

/// Why a run of requests ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// No complete request is left; the next may be complete once there are `needed_bytes` of input.
    Starved { needed_bytes: usize },
    /// Enough for one turn: others first, and what was replied has to be written.
    Paused,
    /// The next request has to wait for the end of a pause.
    Held,
    /// The connection ends once what was replied is written.
    Close,
    /// What the next request lacks in memory has to be loaded, or other clients to be waited for.
    Fetch,
    /// A database, or all, has to be emptied and `+OK` replied before the next request.
    Empty(Option<u8>),
    /// The keys that match a pattern have to be listed before the next request.
    List(Vec<u8>),
    /// So many of the hottest keys have to be listed before the next request.
    ListHot(usize),
    /// These keys have to be brought into memory, and answered before the next request.
    Warm(ArgsBuf),
    /// What begins so has to be removed from the selected database, and answered before the next request.
    EmptyPrefix(Vec<u8>),
    /// An order has to be carried out and answered before the next request.
    Order(Order),
    /// Somebody has to be signed in and answered before the next request.
    SignIn(Box<SignIn>),
    /// What clients do has to be recorded and streamed from now on; what follows is no request.
    Record(Plan),
}

impl Stop {
    /// Why a run ends behind a command that came to `flow`; `None` where it goes on.
    fn after(flow: Flow) -> Option<Self> {
        Some(match flow {
            Flow::Continue => return None,
            Flow::Close | Flow::Overfull => Self::Close,
            Flow::Flush(db) => Self::Empty(db),
            Flow::FlushPrefix(prefix) => Self::EmptyPrefix(prefix),
            Flow::Keys(pattern) => Self::List(pattern),
            Flow::Hot(count) => Self::ListHot(count),
            Flow::Warm(keys) => Self::Warm(keys),
            Flow::Fetch => Self::Fetch,
            Flow::Order(order) => Self::Order(order),
            Flow::SignIn(sign_in) => Self::SignIn(sign_in),
            Flow::Record(plan) => Self::Record(plan),
        })
    }
}

/// Limits of the protocol, from the settings.
pub(crate) fn limits(config: &ServerConfig) -> Limits {
    Limits {
        bulk_bytes_max: config.proto_bulk_bytes_max,
        request_bytes_max: config.request_bytes_max,
        ..Limits::default()
    }
}

/// What may be sent before anybody has signed in: enough for HELLO with all its options. As in Redis.
fn strangers(limits: Limits) -> Limits {
    Limits {
        bulk_bytes_max: limits.bulk_bytes_max.min(16 << 10),
        args_max: 10,
        request_bytes_max: limits.request_bytes_max.min(64 << 10),
        ..limits
    }
}

impl Dialogue {
    pub(crate) fn new(session: Session, limits: Limits) -> Self {
        let is_stranger = !session.login.is_signed_in();
        let first = if is_stranger {
            strangers(limits)
        } else {
            limits
        };
        Self {
            session,
            parser: RequestParser::new(first),
            later_limits: is_stranger.then_some(limits),
        }
    }

    /// Pays for requests out of what the tenant may have: how long to wait until the next.
    pub(crate) fn pay(&self, commands: u64) -> Option<Duration> {
        let quota = self.session.login.seat()?.quota();
        quota.pay(commands)
    }

    /// How long to wait until the tenant's requests so far are paid for, whoever sent them.
    pub(crate) fn debt(&self) -> Option<Duration> {
        self.session.login.seat()?.quota().debt()
    }

    /// Whether nobody has signed in yet.
    pub(crate) fn is_stranger(&self) -> bool {
        !self.session.login.is_signed_in()
    }

    /// Accepts more once somebody has signed in.
    #[inline]
    fn raise_limits(&mut self) {
        if let Some(limits) = self.later_limits
            && self.session.login.is_signed_in()
        {
            self.parser.set_limits(limits);
            self.later_limits = None;
        }
    }

    /// Bytes that are held about the request whose beginning was parsed.
    pub(crate) fn parser_bytes(&self) -> usize {
        self.parser.heap_bytes()
    }

    /// Executes the complete requests of `input`, in order, for about `bytes_max` of it or the time that these
    /// count as, and appends the replies to `out`. `input` has to start where the last run's `consumed` ended.
    pub(crate) fn execute(
        &mut self,
        shared: &Shared,
        worker: usize,
        decider: &mut dyn Decider,
        input: &[u8],
        bytes_max: usize,
        out: &mut Vec<u8>,
    ) -> Executed {
        self.raise_limits();
        let mut turn = Turn {
            shared,
            worker,
            decider,
            now: shared.now(),
            watch: Watch::of_turn(shared, worker, &self.session),
            out,
            commands: 0,
            errors: 0,
        };
        let pause = shared.pause_of(&self.session);
        let seat = self.session.login.seat();
        let commands_max = seat.map_or(u64::MAX, |seat| seat.quota().run_max());
        let (mut consumed, mut request) = (0_usize, 0..0);
        let stop = loop {
            let is_full = turn.commands > 0 && self.session.is_full_below();
            let spent = consumed.saturating_add((turn.watch.elapsed_ns() / NS_A_BYTE) as usize);
            let is_much = spent >= bytes_max || turn.out.len() >= OUTPUT_PAUSE_BYTES || is_full;
            if is_much || turn.commands >= commands_max {
                break Stop::Paused;
            }
            let (args, bytes) = match self.parser.parse(&input[consumed..]) {
                Ok(Parsed::Request { args, consumed }) => (args, consumed),
                Ok(Parsed::Incomplete { needed_bytes }) => break Stop::Starved { needed_bytes },
                Err(error) => break turn.misread(&self.session, &error),
            };
            if pause.is_some_and(|pause| pause.holds(&self.session, args)) {
                break Stop::Held;
            }
            if args.is_empty() {
                consumed += bytes;
                continue;
            }
            let flow = turn.answer(&mut self.session, args, bytes);
            if flow == Flow::Fetch {
                break Stop::Fetch;
            }
            request = consumed..consumed + bytes;
            consumed += bytes;
            self.raise_limits();
            // What goes on in steps is noted when it is done.
            let is_done = !flow.is_paced();
            if let Some(slow) = turn.watch.take_slow().filter(|_| is_done) {
                turn.note(&self.session, slow, &input[request.clone()]);
            }
            if let Some(stop) = Stop::after(flow) {
                break stop;
            }
        };
        turn.end(&self.session, &input[request]);
        self.session.is_paused = stop == Stop::Held;
        self.session.publish(turn.now, turn.watch.last());
        Executed {
            consumed,
            commands: turn.commands,
            stop,
        }
    }
}

/// What the requests of one run are carried out with.
struct Turn<'a> {
    shared: &'a Shared,
    worker: usize,
    decider: &'a mut dyn Decider,
    now: Millis,
    watch: Watch,
    out: &'a mut Vec<u8>,
    commands: u64,
    errors: u64,
}

impl Turn<'_> {
    /// Carries out a request of so many bytes, unless what it lacks has to be fetched first.
    #[inline]
    fn answer(&mut self, session: &mut Session, args: Args<'_>, bytes: usize) -> Flow {
        let (shared, reply_at) = (self.shared, self.out.len());
        self.watch.present(bytes);
        let decider = &mut *self.decider;
        let watch = &mut self.watch;
        let mut context = Context::new(shared, session, decider, self.now, watch, self.out);
        let flow = dispatch(&mut context, args);
        if flow == Flow::Fetch {
            return flow;
        }
        self.commands += 1 + context.carried;
        drop(context);
        if self.out.get(reply_at) == Some(&b'-') {
            self.errors += 1;
            shared.meters[self.worker].note_error(&self.out[reply_at..]);
        }
        let is_answered = matches!(flow, Flow::Continue | Flow::Close | Flow::Overfull);
        if session.replies != Replies::On && is_answered {
            session.hush(self.out, reply_at);
        }
        flow
    }

    /// Answers what is no request.
    #[cold]
    fn misread(&mut self, session: &Session, error: &ProtocolError) -> Stop {
        crate::stats::bump(&self.shared.counters.protocol_errors);
        let text = format!("ERR Protocol error: {error}");
        Reply::new(self.out, session.version).error(&text);
        Stop::Close
    }

    /// Notes what took long.
    #[cold]
    fn note(&self, session: &Session, slow: Slow, request: &[u8]) {
        slowlog::note(self.shared, session, self.now, slow, request);
    }

    /// Accounts for the whole run, the last request of which was `request`.
    fn end(&mut self, session: &Session, request: &[u8]) {
        self.watch.close_run(self.shared);
        if let Some(slow) = self.watch.take_slow() {
            self.note(session, slow, request);
        }
        self.shared.workers[self.worker].add_commands(self.commands, self.errors);
    }
}

#[cfg(test)]
mod tests;
