//! What all answers are made with, and the way from a request to a command.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{ConnectInfo, Request};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use larder_engine::{Decider, tier};
use larder_resp::{ArgsBuf, Limits, Reply, Value, decode};
use tokio::task::JoinHandle;

use super::body::{self, Charged};
use super::caller::Caller;
use super::history::History;
use super::link::Link;
use super::problem::{Answer, Problem};
use crate::budget::Budget;
use crate::commands::{authorize, dispatch, number_of};
use crate::fetch::{self, Told};
use crate::flush::Emptied;
use crate::meter::Watch;
use crate::run::Metrics;
use crate::warm::{Warming, reply_warmed};
use crate::{Context, Flow, Session, Shared, flush, order, slowlog};

/// What answers are made with.
pub(super) struct Api {
    pub(super) shared: Arc<Shared>,
    pub(super) metrics: Metrics,
    /// Whether only this machine reaches us, so that a request for another host's name is a trick.
    pub(super) is_local: bool,
    /// What happened to the policies.
    pub(super) history: History,
    /// Decides over the values that come by HTTP; one thread has it, so nobody waits.
    decider: Mutex<Box<dyn Decider>>,
}

/// Replies of the commands that are carried out here.
const LIMITS: Limits = Limits {
    bulk_bytes_max: 64 << 20,
    args_max: 1 << 20,
    inline_bytes_max: 1 << 20,
    request_bytes_max: 64 << 20,
};

impl Api {
    pub(super) fn new(shared: Arc<Shared>, metrics: Metrics, is_local: bool) -> Self {
        let decider = Mutex::new(shared.deciders.decider(shared.config.threads.max(1)));
        Self {
            shared,
            metrics,
            is_local,
            history: History::default(),
            decider,
        }
    }

    /// Carries out a command as a connection of the Redis protocol does. An error reply is a problem.
    pub(super) async fn call(&self, caller: &Caller, args: &[&[u8]]) -> Answer<Value> {
        let mut session = caller.session(&self.shared);
        let (mut out, flow) = loop {
            let (out, flow, settled) = self.dispatch(&mut session, args);
            if let Some(settled) = settled {
                settled.await;
            }
            if flow != Flow::Fetch {
                break (out, flow);
            }
            poll_fn(|cx| fetch::poll(&mut session, &self.shared, cx)).await;
        };
        match flow {
            Flow::Continue => {}
            Flow::Order(order) => {
                let done = order::give(&self.shared.policies, order).await;
                let done = done.unwrap_or_else(|_| Err("the order was not carried out".into()));
                return match done {
                    Ok(()) => Ok(Value::Simple("OK".into())),
                    Err(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
                };
            }
            Flow::Flush(db) => {
                let emptying = flush::begin(&self.shared, &session, db);
                return self.emptied(session, emptying).await;
            }
            Flow::FlushPrefix(prefix) => {
                let emptying = flush::begin_prefix(&self.shared, &session, prefix);
                return self.emptied(session, emptying).await;
            }
            Flow::Warm(keys) => {
                let warmed = Warming::begin(&self.shared, &session, keys).work.await;
                reply_warmed(&mut Reply::new(&mut out, session.version), warmed);
            }
            _ => return Err(Problem::bad("this cannot be asked for over HTTP")),
        }
        match decode(&out, &LIMITS) {
            Ok(Some((Value::Error(text), _))) => Err(Problem::of_reply(&text)),
            Ok(Some((value, _))) => Ok(value),
            Ok(None) | Err(_) => Err(Problem::bad("the reply is longer than HTTP hands on")),
        }
    }

    /// What came of emptying a database, or a part of it.
    async fn emptied(&self, session: Session, emptying: JoinHandle<Emptied>) -> Answer<Value> {
        let broken = |_| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the database was not emptied",
            )
        };
        let (paced, done) = emptying.await.map_err(broken)?;
        paced.end(&self.shared, self.shared.meters.len() - 1, &session);
        let refused = |why| Problem::new(StatusCode::CONFLICT, why);
        done.map(|()| Value::Simple("OK".into())).map_err(refused)
    }

    /// Whether the caller may have that command carried out; for what is done without it.
    pub(super) fn authorize(&self, caller: &Caller, args: &[&[u8]]) -> Answer<()> {
        let args: ArgsBuf = args.iter().copied().collect();
        let mut session = caller.session(&self.shared);
        authorize(&self.shared, &mut session, args.args())
            .map_err(|failure| Problem::of_reply(failure.text()))
    }

    /// Carries out a command, unless something has to be fetched for it first. The third is what to wait for before
    /// it is answered.
    fn dispatch(
        &self,
        session: &mut Session,
        args: &[&[u8]],
    ) -> (Vec<u8>, Flow, Option<tier::Answer<'static, ()>>) {
        let mut out = Vec::new();
        let told = Told::now(&session.tenant);
        let args: ArgsBuf = args.iter().copied().collect();
        // What panicked with it in hand panicked in a policy's host: it is as good as before.
        let mut decider = self.decider.lock().unwrap_or_else(PoisonError::into_inner);
        let (shared, now) = (&*self.shared, self.shared.now());
        let decider = &mut **decider;
        // One writer at a time: whoever has the decider in hand.
        let meter = shared.meters.len() - 1;
        let mut watch = Watch::of_turn(shared, meter, session);
        let mut context = Context::new(shared, session, decider, now, &mut watch, &mut out);
        let flow = dispatch(&mut context, args.args());
        drop(context);
        watch.close_run(shared);
        if flow == Flow::Fetch {
            return (out, flow, None);
        }
        let is_error = out.first() == Some(&b'-');
        if is_error {
            shared.meters[meter].note_error(&out);
        }
        shared.workers[meter].add_commands(1, is_error.into());
        if let Some(slow) = watch.take_slow() {
            slowlog::note_args(shared, session, now, slow, args.args());
        }
        let settled = told.settled(&session.tenant);
        (out, flow, settled)
    }

    /// Counts what is done without the command as a GET.
    pub(super) fn counted_as_get<R>(&self, read: impl FnOnce() -> R) -> R {
        let (shared, own) = (&*self.shared, self.shared.meters.len() - 1);
        let mut watch = Watch::start(shared, own);
        let timing = number_of(b"GET").map(|get| watch.enter(shared, get, 2));
        let found = read();
        if let Some(timing) = timing {
            watch.leave(shared, timing, false);
        }
        watch.close_run(shared);
        shared.workers[own].add_commands(1, 0);
        found
    }

    /// Who pays for what a caller has us hold.
    pub(super) fn budget(&self, caller: &Caller) -> &Arc<Budget> {
        self.shared.buffers.tenant(caller.tenant.number())
    }

    /// Reads the body of a request.
    pub(super) async fn body(
        &self,
        caller: &Caller,
        request: Request,
        bytes_max: usize,
    ) -> Answer<Charged> {
        let link = request.extensions().get::<ConnectInfo<Link>>().cloned();
        let bounds = body::Bounds {
            bytes_max,
            time_max: self.shared.config.request_timeout,
            is_crowded: &|| {
                link.as_ref()
                    .is_some_and(|ConnectInfo(link)| link.is_crowded())
            },
        };
        body::read(self.budget(caller), request.into_body(), &bounds).await
    }
}

/// A page of JSON that is of this moment.
pub(super) fn page(value: &serde_json::Value) -> Response {
    page_of(format!("{value}\n"))
}

/// The same of what is JSON already.
pub(super) fn page_of(text: impl IntoResponse) -> Response {
    let head = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (head, text).into_response()
}
