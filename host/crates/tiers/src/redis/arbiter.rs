//! Keys that are seen and changed in one step: those that several hosts have to agree on.
//!
//! A change is made by a script that looks first whether the keys are as they were seen. What is asked goes over a connection
//! of its own, all that came while the last was under way together. A change is not sent a second time where its answer was
//! lost: it may have been made, and not be recognised when somebody else has come behind it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use larder_engine::Millis;
use larder_engine::authority::{Arbiter, Becomes, Mark, Seen, Swap};
use larder_engine::tier::{Answer, Stored, TierError, TierKeyBuf};
use rand::TryRng;
use rand::rngs::SysRng;
use redis::{RedisError, RedisResult, Value};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::lane::{Lane, Silence};
use super::script::{Call, LOOK, SWAP};
use super::value::{self, Found};
use super::{Inner, RedisTier};

/// Requests that go together.
const TOGETHER_MAX: usize = 64;
/// Requests that may wait.
const WAITING_MAX: usize = 4096;
/// A version that is further ahead of the clock is no version.
const DAY_US: u64 = 86_400_000_000;
/// What a swap has for each key beside the key: its state, what becomes of it, its body and the message to others.
const ARGS_A_KEY: usize = 4;
const ARGS_BEFORE: usize = 2;

const OTHER_SLOT: &str = "CROSSSLOT keys under authority that are asked for together have to be in one slot of the cluster: \
     give them the same {tag}";

/// A request, and who waits for its answer.
struct Asked {
    call: Call,
    /// The keys whose change is told to others, and where in the arguments.
    told: Vec<(usize, TierKeyBuf)>,
    claim: Claim,
    answer: oneshot::Sender<Result<Value, TierError>>,
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
}

impl Requests {
    pub(super) fn new() -> Self {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        Self {
            asked,
            waiting: Mutex::new(waiting),
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
        let (mut calls, mut answers) = (Vec::new(), Vec::new());
        for Asked {
            mut call,
            told,
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
            answers.push(answer);
        }
        let swaps = calls
            .iter()
            .filter(|call| !call.script.is_repeatable)
            .count();
        let wait = self.wait().filter(|_| swaps > 0);
        let called = lane.call(&calls, wait.as_ref().map(|(wait, _)| wait)).await;
        let mut called = match called {
            Ok(called) => called,
            Err(silence) => {
                for (call, answer) in calls.iter().zip(answers) {
                    // Who asked may have gone.
                    let _ = answer.send(Err(silence.of(call)));
                }
                return;
            }
        };
        if let Some((_, wanted)) = wait {
            let reached = called.pop();
            if !matches!(reached, Some(Ok(Value::Int(count))) if count >= wanted) {
                self.standing.unreplicated.fetch_add(swaps as u64, Relaxed);
            }
        }
        for ((call, answer), came) in calls.iter().zip(answers).zip(called) {
            // Likewise.
            let _ = answer.send(self.judge(call, came));
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
        told: Vec<(usize, TierKeyBuf)>,
        until: Option<Instant>,
    ) -> Result<Value, TierError> {
        let (answer, answered) = oneshot::channel();
        let claim = Claim::default();
        let asked = Asked {
            call,
            told,
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

    async fn look(&self, keys: &[TierKeyBuf], now: Millis) -> Result<Vec<Seen>, TierError> {
        let names = self.names_of(keys.iter()).await?;
        let call = Call::of_keys(&LOOK, names.clone(), Vec::new());
        let came = self.ask(call, Vec::new(), None).await?;
        let strange =
            || TierError::Unavailable(format!("{} answers a script strangely", self.dialer.place));
        let Value::Array(came) = came else {
            return Err(strange());
        };
        let mut came = came.into_iter();
        let at_us = came.next().and_then(number).ok_or_else(strange)?;
        let mut seen = Vec::with_capacity(keys.len());
        for (key, name) in keys.iter().zip(&names) {
            let (Some(held), Some(Value::Int(left_ms))) = (came.next(), came.next()) else {
                return Err(strange());
            };
            let held = match held {
                Value::BulkString(held) => held,
                _ => Vec::new(),
            };
            let state = held.get(..held.len().min(8)).unwrap_or_default();
            let mark = Mark {
                state: state.into(),
                at_us,
            };
            let mut stored = self.read_held(key, name, &held);
            if let Some(stored) = &mut stored {
                // The clock of Redis says when: those of hosts may differ.
                let left_ms = Millis::try_from(left_ms).unwrap_or(0);
                stored.expires_at = stored.expires_at.map(|_| now + left_ms);
            }
            seen.push(Seen { stored, mark });
        }
        Ok(seen)
    }

    /// The entry under a name; what is damaged is none, and is written over.
    fn read_held(&self, key: &TierKeyBuf, name: &[u8], held: &[u8]) -> Option<Stored> {
        let reason = match value::read(name, held) {
            Found::Record(record) => match self.encoding.decode(key.borrow(), record) {
                Ok(stored) => return Some(stored),
                Err(reason) => reason,
            },
            Found::Deleted => return None,
            Found::Foreign if held.is_empty() => return None,
            Found::Foreign => "another program wrote it, or changed it".to_owned(),
        };
        self.standing.is_damaged(&reason);
        None
    }

    async fn swap(&self, swaps: &[Swap], now: Millis, until: Instant) -> Result<bool, TierError> {
        let names = self.names_of(swaps.iter().map(|swap| &swap.key));
        let late = |_| TierError::Unavailable(self.dialer.is_late().to_string());
        let names = timeout_at(until, names).await.map_err(late)??;
        let channel = self.voice.as_ref().map(|voice| voice.channel.as_bytes());
        let mut chance = [0; 3];
        SysRng.try_fill_bytes(&mut chance).map_err(|error| {
            TierError::Unavailable(format!("the system gives no random numbers: {error}"))
        })?;
        let version = version(swaps, chance).to_string().into_bytes();
        let mut args = vec![channel.unwrap_or_default().to_vec(), version];
        let mut told = Vec::new();
        for (swap, name) in swaps.iter().zip(&names) {
            let (mode, body) = self.becomes(swap, name, now)?;
            if swap.becomes != Becomes::Same && self.voice.is_some() {
                told.push((args.len() + ARGS_A_KEY - 1, swap.key.clone()));
            }
            self.standing
                .written_bytes
                .fetch_add(body.len() as u64, Relaxed);
            self.standing
                .put_bytes
                .fetch_add(body.len() as u64, Relaxed);
            args.extend([swap.mark.state.to_vec(), mode, body, Vec::new()]);
        }
        debug_assert_eq!(args.len(), ARGS_BEFORE + ARGS_A_KEY * swaps.len());
        let call = Call::of_keys(&SWAP, names, args);
        Ok(self.ask(call, told, Some(until)).await? == Value::Int(1))
    }

    /// What the script is told of a key: how it changes, and what is kept from now on.
    fn becomes(
        &self,
        swap: &Swap,
        name: &[u8],
        now: Millis,
    ) -> Result<(Vec<u8>, Vec<u8>), TierError> {
        let (stored, keeps_expiry) = match &swap.becomes {
            Becomes::Same => return Ok((b"=".to_vec(), Vec::new())),
            Becomes::Nothing => return Ok((b"-".to_vec(), Vec::new())),
            Becomes::Entry(stored, keeps_expiry) => (stored, keeps_expiry),
        };
        let body = self
            .body(&swap.key, stored, name)
            .map_err(TierError::Refused)?;
        let mode = match (self.px(stored, now), keeps_expiry) {
            (_, true) => b"k".to_vec(),
            (0, false) => return Ok((b"-".to_vec(), Vec::new())),
            (px, false) => px.to_string().into_bytes(),
        };
        Ok((mode, body))
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

/// The version of what is written: the time of the look, which no two looks share, above all that was there. Where that is
/// ahead of the clock, as of a new primary it may be, two that have seen the same are told apart by chance alone.
fn version(swaps: &[Swap], chance: [u8; 3]) -> u64 {
    let [low, middle, high] = chance;
    let above = 1 + u64::from(u32::from_le_bytes([low, middle, high, 0]));
    let at_us = swaps.iter().map(|swap| swap.mark.at_us).max().unwrap_or(0);
    let held = swaps.iter().filter_map(|swap| {
        let state: [u8; 8] = (*swap.mark.state).try_into().ok()?;
        Some(u64::from_be_bytes(state)).filter(|held| *held < at_us + DAY_US)
    });
    match held.max() {
        Some(held) if held >= at_us => held + above,
        _ => at_us,
    }
}

fn number(value: Value) -> Option<u64> {
    match value {
        Value::BulkString(text) => str::from_utf8(&text).ok()?.parse().ok(),
        _ => None,
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
        now: Millis,
    ) -> Answer<'a, Result<Vec<Seen>, TierError>> {
        let (inner, keys) = (Arc::clone(&self.inner), keys.to_vec());
        self.wait_for(async move { inner.look(&keys, now).await })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn swap(state: &[u8], at_us: u64) -> Swap {
        Swap {
            key: crate::conformance::key("k"),
            mark: Mark {
                state: state.into(),
                at_us,
            },
            becomes: Becomes::Nothing,
        }
    }

    #[test]
    fn a_version_is_above_what_was_there_unless_that_is_none() {
        let of = |state: &[u8]| version(&[swap(state, 100)], [9, 0, 0]);
        assert_eq!(of(b""), 100);
        assert_eq!(of(&99_u64.to_be_bytes()), 100);
        assert_eq!(of(&100_u64.to_be_bytes()), 110);
        assert_eq!(of(&5_000_u64.to_be_bytes()), 5_010, "a clock was set back");
        assert_eq!(of(b"\xffgarbage"), 100);
    }
}
