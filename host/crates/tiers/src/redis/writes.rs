//! Writes: a round of changes becomes as few messages as its bytes allow.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use larder_engine::Millis;
use larder_engine::tier::{Heard, Stored, TierChange, TierError, TierKeyBuf, Told};
use redis::{Cmd, Value, cmd};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::Inner;
use super::lane::Silence;
use super::message::Message;
use super::refusal::LARGE_BYTES;
use super::script::{Call, KEEP};
use super::upkeep::remove_prefix;
use super::value;
use super::voice::Voice;
use crate::codec::Heat;

/// What goes in one message.
const MESSAGE_BYTES: usize = 4 << 20;
const MESSAGE_CHANGES: usize = 256;
/// So much is made ready before others have their turn.
const TURN_BYTES: usize = 64 << 10;
/// How long a deletion is remembered: longer than a change may wait at its host.
const DELETION_KEPT: Duration = Duration::from_secs(60);

/// How long the names of a prefix may be looked for; what is written waits meanwhile.
const PREFIX_TIME_MAX: Duration = Duration::from_secs(10);

/// When a write counts as done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// When the primary has it.
    #[default]
    One,
    /// When most of the servers that are to have it do.
    Quorum,
    /// When all of them do.
    All,
}

/// What is waited where a primary is known to have fewer replicas than it had, or one did not answer a moment ago: others
/// have what was written by then, and who waits for the one is not to be late.
const CRIPPLED_WAIT_MAX: Duration = Duration::from_millis(20);

impl Consistency {
    /// How many of its replicas a primary waits for.
    pub(super) fn replicas(self, replicas: u32) -> u32 {
        match self {
            Self::One => 0,
            Self::Quorum => replicas.div_ceil(2),
            Self::All => replicas,
        }
    }
}

/// A change that is ready to be sent.
pub(super) struct Ready {
    /// Its place in the round.
    pub(super) at: usize,
    told: Instant,
    pub(super) name: Vec<u8>,
    pub(super) body: Vec<u8>,
    px: u64,
    /// For those who share the entry, if anybody does.
    message: Vec<u8>,
    /// Why it is a deletion only, where it was to be more.
    refused: Option<String>,
}

impl Ready {
    /// The deletion in its place, where it was refused.
    pub(super) fn deletion(self, refused: String) -> Self {
        Self {
            px: DELETION_KEPT.as_millis() as u64,
            refused: Some(self.refused.unwrap_or(refused)),
            ..self
        }
    }
}

impl Inner {
    /// Carries out a round.
    pub(super) async fn write(&self, changes: &[Told], now: Millis) -> Vec<Result<(), TierError>> {
        let is_of_key = |told: &Told| {
            !matches!(
                told.change,
                TierChange::Clear(..) | TierChange::ClearPrefix(_) | TierChange::Invalidate(..)
            )
        };
        let mut results = Vec::with_capacity(changes.len());
        for part in changes.chunk_by(|one, next| is_of_key(one) && is_of_key(next)) {
            match (&part[0].change, part) {
                (TierChange::Clear(tenant, db), _) => results.push(self.clear(tenant, *db).await),
                (TierChange::ClearPrefix(prefix), _) => {
                    results.push(self.clear_prefix(prefix).await);
                }
                (TierChange::Invalidate(tenant, tags), _) => {
                    results.push(self.invalidate(tenant, tags.as_ref()).await);
                }
                (_, part) => results.extend(self.write_part(part, now).await),
            }
        }
        results
    }

    pub(super) async fn clear(&self, tenant: &Arc<str>, db: Option<u8>) -> Result<(), TierError> {
        self.generations.raise(&self.asking(), tenant, db).await?;
        self.is_swept.notify_one();
        self.tell_cleared(tenant, db, b"").await;
        Ok(())
    }

    /// Removes what begins so before it answers. Where that fails or takes too long, all of the database goes.
    async fn clear_prefix(&self, prefix: &TierKeyBuf) -> Result<(), TierError> {
        match timeout(PREFIX_TIME_MAX, remove_prefix(self, prefix)).await {
            Ok(Ok(_)) => {
                let TierKeyBuf { tenant, db, bytes } = prefix;
                self.tell_cleared(tenant, Some(*db), bytes).await;
                Ok(())
            }
            Ok(Err(_)) | Err(_) => self.clear(&prefix.tenant, Some(prefix.db)).await,
        }
    }

    /// Carries out what concerns keys: the last change of each alone, so that their order does not matter.
    async fn write_part(&self, changes: &[Told], now: Millis) -> Vec<Result<(), TierError>> {
        let mut names = Vec::with_capacity(changes.len());
        for Told { change, .. } in changes {
            match self.name_of(change).await {
                Ok(name) => names.push(name),
                Err(error) => return vec![Err(error); changes.len()],
            }
        }
        let _telling = self.voice.as_ref().map(Voice::tell);
        let places = names.iter().enumerate().map(|(at, name)| (&**name, at));
        let last: HashMap<&[u8], usize> = places.collect();
        let mut results = vec![Ok(()); changes.len()];
        let (mut ready, mut bytes, mut turn_bytes) = (Vec::new(), 0, 0);
        for (at, told) in changes.iter().enumerate() {
            if last.get(&*names[at]) != Some(&at) {
                continue;
            }
            let one = self.ready(at, names[at].clone(), told, now);
            if one.body.len() >= LARGE_BYTES {
                if let Err(error) = self.send(vec![one], changes, &mut results).await {
                    results[at..].fill(Err(error));
                    break;
                }
                continue;
            }
            bytes += one.body.len();
            turn_bytes += one.body.len();
            ready.push(one);
            if bytes >= MESSAGE_BYTES || ready.len() == MESSAGE_CHANGES {
                let ready = mem::take(&mut ready);
                if let Err(error) = self.send(ready, changes, &mut results).await {
                    // It would go no better with the rest, which is handed in again.
                    results[at..].fill(Err(error));
                    break;
                }
                (bytes, turn_bytes) = (0, 0);
            } else if turn_bytes >= TURN_BYTES {
                turn_bytes = 0;
                yield_now().await;
            }
        }
        // What failed stands among the results.
        let _ = self.send(ready, changes, &mut results).await;
        (0..changes.len())
            .map(|at| results[last[&*names[at]]].clone())
            .collect()
    }

    async fn name_of(&self, change: &TierChange) -> Result<Vec<u8>, TierError> {
        match change {
            TierChange::Put(key, _) | TierChange::Delete(key) => self.name(key).await,
            TierChange::Clear(..) | TierChange::ClearPrefix(_) | TierChange::Invalidate(..) => {
                Ok(Vec::new())
            }
        }
    }

    /// The name of a key in the generation that counts.
    pub(super) async fn name(&self, key: &TierKeyBuf) -> Result<Vec<u8>, TierError> {
        self.know_tags(&key.tenant).await?;
        let generation = self
            .generations
            .of(&self.asking(), &key.tenant, key.db)
            .await?;
        Ok(self.names.entry(key.borrow(), generation))
    }

    fn ready(&self, at: usize, name: Vec<u8>, told: &Told, now: Millis) -> Ready {
        let key = match &told.change {
            TierChange::Put(key, _) | TierChange::Delete(key) => Some(key.borrow()),
            TierChange::Clear(..) | TierChange::ClearPrefix(_) | TierChange::Invalidate(..) => None,
        };
        let message = self.voice.as_ref().zip(key);
        let mut ready = Ready {
            at,
            told: told.at,
            name,
            body: Vec::new(),
            px: DELETION_KEPT.as_millis() as u64,
            message: message.map_or_else(Vec::new, |(voice, key)| voice.changed(key)),
            refused: None,
        };
        let TierChange::Put(key, stored) = &told.change else {
            return ready;
        };
        let px = self.px(stored, now);
        if px == 0 {
            return ready;
        }
        match self.body(key, stored, &ready.name) {
            Ok(body) => (ready.body, ready.px) = (body, px),
            Err(reason) => ready.refused = Some(reason),
        }
        ready
    }

    /// How long an entry is kept, in milliseconds.
    pub(super) fn px(&self, stored: &Stored, now: Millis) -> u64 {
        let ttl_max = self.ttl_max.as_millis() as u64;
        let left = stored.expires_at.map(|expiry| expiry.saturating_sub(now));
        left.map_or(ttl_max, |left| left.min(ttl_max))
    }

    /// What is kept of an entry, but for its version; or why it cannot be.
    pub(super) fn body(
        &self,
        key: &TierKeyBuf,
        stored: &Stored,
        name: &[u8],
    ) -> Result<Vec<u8>, String> {
        let mut body = value::begin();
        self.encoding
            .encode(key.borrow(), stored, Heat::Warm, &mut body)?;
        value::finish(name, &mut body);
        Ok(body)
    }

    /// Sends one message. Those of its changes that Redis refuses for good come back. An error where nothing came back.
    pub(super) async fn try_send(
        &self,
        mut ready: Vec<Ready>,
        results: &mut [Result<(), TierError>],
    ) -> Result<Vec<(Ready, String)>, (Vec<Ready>, Silence)> {
        let channel = self.voice.as_ref().map(|voice| voice.channel.as_bytes());
        let channel = channel.unwrap_or_default();
        let told = ready.iter().filter(|one| !one.message.is_empty()).count();
        self.standing.told.fetch_add(told as u64, Relaxed);
        let calls = ready.iter_mut().map(|one| self.call_of(one, channel));
        let calls: Vec<_> = calls.collect();
        let wait = self.wait();
        let answers = self
            .writer
            .call(&calls, &[], wait.as_ref().map(|(wait, _)| wait))
            .await;
        let mut answers = match answers {
            Ok(answers) => answers,
            Err(silence) => return Err((ready, silence)),
        };
        if let Some((_, wanted)) = wait {
            let reached = answers.pop();
            let written = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
            self.standing.replicated(reached, wanted, written);
        }
        let mut refused = Vec::new();
        for (mut one, answer) in ready.into_iter().zip(answers) {
            results[one.at] = match (answer, one.refused.take()) {
                (Err(error), reason) => {
                    let error = self.standing.refuses(&error);
                    if let TierError::Refused(text) = &error {
                        one.refused = reason;
                        refused.push((one, text.clone()));
                        continue;
                    }
                    Err(error)
                }
                (Ok(_), Some(reason)) => Err(TierError::Refused(reason)),
                (Ok(answer), None) => {
                    if answer == Value::Int(0) {
                        self.standing.overtaken.fetch_add(1, Relaxed);
                        self.hear_of(&one.message);
                    }
                    Ok(())
                }
            };
        }
        Ok(refused)
    }

    /// Something newer is there than what was to be written: whoever has copies has to hear of it.
    fn hear_of(&self, message: &[u8]) {
        if let Some(ear) = self.ear.get()
            && let Some((_, Message::Changed(_, key))) = Message::read(message)
        {
            ear.hear(Heard::Changed(key.to_owned()));
        }
    }

    /// What carries a change out; it has its body from now on.
    fn call_of(&self, one: &mut Ready, channel: &[u8]) -> Call {
        let bytes = (one.name.len() + one.body.len()) as u64;
        self.standing.written_bytes.fetch_add(bytes, Relaxed);
        if !one.body.is_empty() {
            self.standing.put_bytes.fetch_add(bytes, Relaxed);
        }
        let age_us = self.writer.age(one.told).as_micros();
        Call {
            script: &KEEP,
            name: one.name.clone(),
            more: Vec::new(),
            args: vec![
                mem::take(&mut one.body),
                age_us.to_string().into_bytes(),
                one.px.to_string().into_bytes(),
                channel.to_vec(),
                one.message.clone(),
            ],
        }
    }

    /// What waits until replicas have what was written over the same connection, and how many; `None` where none is waited
    /// for.
    pub(super) fn wait(&self) -> Option<(Cmd, i64)> {
        let replicas = self.dialer.replicas();
        let wanted = self.consistency.replicas(replicas.most);
        let is_crippled = replicas.now < wanted || self.standing.falls_short();
        let patience = match is_crippled {
            true => CRIPPLED_WAIT_MAX.min(self.timeout / 2),
            // The rest is for the change itself.
            false => self.timeout / 2,
        };
        let mut wait = cmd("WAIT");
        wait.arg(wanted).arg(patience.as_millis() as u64);
        (wanted > 0).then_some((wait, wanted.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_servers_are_the_primary_and_half_of_the_replicas() {
        let wanted =
            |consistency: Consistency| [0, 1, 2, 3, 4].map(|count| consistency.replicas(count));
        assert_eq!(wanted(Consistency::One), [0; 5]);
        assert_eq!(wanted(Consistency::Quorum), [0, 1, 1, 2, 2]);
        assert_eq!(wanted(Consistency::All), [0, 1, 2, 3, 4]);
    }
}
