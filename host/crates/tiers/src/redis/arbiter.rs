//! Keys that are seen and changed in one step: those that several hosts have to agree on.
//!
//! A change is made by a script that looks first whether the keys are as they were seen. What is asked goes over a connection
//! of its own, all that came while the last was under way together. A change is not sent a second time where its answer was
//! lost: it may have been made, and not be recognised when somebody else has come behind it.
//!
//! Behind changes it is asked which generations count. What was made in one that had been cleared by then is void, and is made
//! anew; what counted then was made before it was cleared. So no two are given what both of them ask for, however late this
//! host hears of what others clear.

mod look;
mod swap;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use larder_engine::Millis;
use larder_engine::authority::{Arbiter, Seen, Swap};
use larder_engine::tier::{Answer, TierError, TierKeyBuf};
use redis::{RedisError, RedisResult, Value, cmd};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::lane::{Lane, Silence};
use super::script::Call;
use super::{Inner, RedisTier};

/// Requests that go together.
const TOGETHER_MAX: usize = 64;
/// Requests that may wait.
const WAITING_MAX: usize = 4096;

const OTHER_SLOT: &str = "CROSSSLOT keys under authority that are asked for together have to be in one slot of the cluster: \
     give them the same {tag}";

/// A request, and who waits for its answer.
struct Asked {
    call: Call,
    /// The keys whose change is told to others, and where in the arguments.
    told: Vec<(usize, TierKeyBuf)>,
    /// Of a change, the generations that its names are of.
    made_in: Vec<MadeIn>,
    claim: Claim,
    answer: oneshot::Sender<Result<Value, TierError>>,
}

/// A generation of a tenant's database.
struct MadeIn {
    tenant: Arc<str>,
    db: u8,
    generation: u64,
}

/// A request is carried out, or given up, by whoever has its claim first.
#[derive(Clone, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    fn take(&self) -> bool {
        !self.0.swap(true, Relaxed)
    }
}

/// Where requests go.
pub(super) struct Requests {
    asked: mpsc::Sender<Asked>,
    waiting: Mutex<mpsc::Receiver<Asked>>,
    /// Values of many bytes come one request after the other.
    large: Mutex<()>,
}

impl Requests {
    pub(super) fn new() -> Self {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        Self {
            asked,
            waiting: Mutex::new(waiting),
            large: Mutex::default(),
        }
    }
}

/// Has requests carried out, for ever.
pub(super) async fn arbitrate(inner: Arc<Inner>) {
    let lane = inner.lane();
    let mut waiting = inner.requests.waiting.lock().await;
    let mut round = Vec::new();
    while waiting.recv_many(&mut round, TOGETHER_MAX).await > 0 {
        // Nobody waits any more for what took too long.
        round.retain(|asked| !asked.answer.is_closed() && asked.claim.take());
        if !round.is_empty() {
            inner.carry_out(&lane, round.drain(..)).await;
        }
    }
}

impl Inner {
    async fn carry_out(&self, lane: &Lane, round: impl Iterator<Item = Asked>) {
        // What is numbered here is on its way, or lost, when this ends.
        let _telling = self.voice.as_ref().map(|voice| voice.tell());
        let (mut calls, mut askers) = (Vec::new(), Vec::new());
        for Asked {
            mut call,
            told,
            made_in,
            answer,
            ..
        } in round
        {
            for (at, key) in told {
                if let Some(voice) = &self.voice {
                    call.args[at] = voice.changed(key.borrow());
                    self.standing.told.fetch_add(1, Relaxed);
                }
            }
            calls.push(call);
            askers.push((made_in, answer));
        }
        let places = askers.iter().flat_map(|(made_in, _)| made_in);
        let tenants: BTreeSet<_> = places.map(|place| Arc::clone(&place.tenant)).collect();
        let generations = tenants.iter().map(|tenant| {
            let mut ask = cmd("HGETALL");
            ask.arg(self.names.generations(tenant));
            ask
        });
        let generations: Vec<_> = generations.collect();
        let swaps = calls
            .iter()
            .filter(|call| !call.script.is_repeatable)
            .count();
        let wait = self.wait().filter(|_| swaps > 0);
        let waiting = wait.as_ref().map(|(wait, _)| wait);
        let mut called = match lane.call(&calls, &generations, waiting).await {
            Ok(called) => called,
            Err(silence) => {
                for (call, (_, answer)) in calls.iter().zip(askers) {
                    // Who asked may have gone.
                    let _ = answer.send(Err(silence.of(call)));
                }
                return;
            }
        };
        if let Some((_, wanted)) = wait {
            self.standing.replicated(called.pop(), wanted, swaps as u64);
        }
        let held = called.split_off(calls.len());
        let learned = tenants.iter().zip(held);
        let learned = learned.map(|(tenant, held)| self.generations.learn(tenant, held?));
        let learned = learned.collect::<RedisResult<()>>();
        for ((call, (made_in, answer)), came) in calls.iter().zip(askers).zip(called) {
            let judged = self.judge(call, came);
            let judged = judged.and_then(|came| self.counts(came, &made_in, &learned));
            // Likewise.
            let _ = answer.send(judged);
        }
    }

    /// What came of a change, by the generations that counted when it had been made.
    fn counts(
        &self,
        came: Value,
        made_in: &[MadeIn],
        learned: &RedisResult<()>,
    ) -> Result<Value, TierError> {
        let is_made = !made_in.is_empty() && came == Value::Int(1);
        let counts = |place: &MadeIn| {
            self.generations.known(&place.tenant, place.db) == Some(place.generation)
        };
        match learned {
            Err(error) if is_made => Err(TierError::Uncertain(self.standing.refusal(error))),
            Ok(()) if is_made && !made_in.iter().all(counts) => Ok(Value::Int(0)),
            _ => Ok(came),
        }
    }

    fn judge(&self, call: &Call, came: RedisResult<Value>) -> Result<Value, TierError> {
        let is_said = |error: &RedisError| error.code().is_some();
        came.map_err(|error| match error.code() {
            Some("CROSSSLOT") => TierError::Refused(OTHER_SLOT.to_owned()),
            _ if is_said(&error) || call.script.is_repeatable => self.standing.refuses(&error),
            _ => TierError::Uncertain(self.standing.refusal(&error)),
        })
    }

    /// Has a request carried out. What is not answered by `until` and was not begun never is.
    async fn ask(
        &self,
        call: Call,
        (told, made_in): (Vec<(usize, TierKeyBuf)>, Vec<MadeIn>),
        until: Option<Instant>,
    ) -> Result<Value, TierError> {
        let (answer, answered) = oneshot::channel();
        let claim = Claim::default();
        let asked = Asked {
            call,
            told,
            made_in,
            claim: claim.clone(),
            answer,
        };
        let has_ended = || TierError::Unavailable(format!("{} has ended here", self.dialer.place));
        let asking = async {
            let sent = self.requests.asked.send(asked).await;
            sent.map_err(|_| has_ended())?;
            answered.await.unwrap_or_else(|_| Err(has_ended()))
        };
        let Some(until) = until else {
            return asking.await;
        };
        let answered = timeout_at(until, asking).await;
        answered.unwrap_or_else(|_| {
            let late = self.dialer.is_late().to_string();
            Err(match claim.take() {
                true => TierError::Unavailable(late),
                false => TierError::Uncertain(late),
            })
        })
    }

    async fn names_of(
        &self,
        keys: impl Iterator<Item = &TierKeyBuf>,
    ) -> Result<Vec<Vec<u8>>, TierError> {
        let mut names = Vec::new();
        for key in keys {
            names.push(self.name(key).await?);
        }
        Ok(names)
    }
}

impl Silence {
    /// What it means for what was sent.
    fn of(&self, call: &Call) -> TierError {
        match &self.error {
            TierError::Unavailable(text) if self.is_sent && !call.script.is_repeatable => {
                TierError::Uncertain(text.clone())
            }
            error => error.clone(),
        }
    }
}

impl RedisTier {
    /// What nobody waits for any more is not sent.
    fn wait_for<'a, T: Send + 'static>(
        &'a self,
        asking: impl Future<Output = Result<T, TierError>> + Send + 'static,
    ) -> Answer<'a, Result<T, TierError>> {
        let mut asked = JoinSet::new();
        asked.spawn_on(asking, &self.runtime);
        Box::pin(async move {
            let answer = asked.join_next().await.and_then(Result::ok);
            answer.unwrap_or_else(|| Err(self.has_ended()))
        })
    }
}

impl Arbiter for RedisTier {
    fn look<'a>(
        &'a self,
        keys: &'a [TierKeyBuf],
        bytes_max: u64,
        now: Millis,
    ) -> Answer<'a, Result<Vec<Seen>, TierError>> {
        let (inner, keys) = (Arc::clone(&self.inner), keys.to_vec());
        self.wait_for(async move { inner.look(&keys, bytes_max, now).await })
    }

    fn swap<'a>(
        &'a self,
        swaps: &'a [Swap],
        now: Millis,
        until: std::time::Instant,
    ) -> Answer<'a, Result<bool, TierError>> {
        let (inner, swaps) = (Arc::clone(&self.inner), swaps.to_vec());
        self.wait_for(async move { inner.swap(&swaps, now, until.into()).await })
    }
}
