//! What is under keys, and how it is told whether that has changed.

use larder_engine::Millis;
use larder_engine::authority::{Mark, Seen};
use larder_engine::tier::{Stored, TierError, TierKeyBuf};
use redis::Value;

use super::super::script::{Call, LOOK};
use super::super::value::{self, Found};
use super::Inner;

/// Values that are brought to whoever looks without having been asked how many bytes there are.
const UNASKED_BYTES_MAX: u64 = 256 << 10;

impl Inner {
    /// What is under names; `None` where that has more bytes.
    async fn held(
        &self,
        names: &[Vec<u8>],
        bytes_max: u64,
    ) -> Result<Option<Vec<Value>>, TierError> {
        let args = vec![bytes_max.to_string().into_bytes()];
        let call = Call::of_keys(&LOOK, names.to_vec(), args);
        match self.ask(call, (Vec::new(), Vec::new()), None).await? {
            Value::Array(came) => Ok(Some(came)),
            Value::Int(_) => Ok(None),
            _ => Err(self.is_strange()),
        }
    }

    fn is_strange(&self) -> TierError {
        TierError::Unavailable(format!("{} answers a script strangely", self.dialer.place))
    }

    pub(super) async fn look(
        &self,
        keys: &[TierKeyBuf],
        bytes_max: u64,
        now: Millis,
    ) -> Result<Vec<Seen>, TierError> {
        let too_much = || {
            TierError::Refused(format!(
                "{} has more than {bytes_max} bytes under these keys, half of the memory: ask for fewer keys at once",
                self.dialer.place
            ))
        };
        let names = self.names_of(keys.iter()).await?;
        let unasked_bytes_max = bytes_max.min(UNASKED_BYTES_MAX);
        let (came, _large) = match self.held(&names, unasked_bytes_max).await? {
            Some(came) => (came, None),
            None => {
                let large = self.requests.large.lock().await;
                let came = self.held(&names, bytes_max).await?;
                (came.ok_or_else(too_much)?, Some(large))
            }
        };
        let strange = || self.is_strange();
        let mut came = came.into_iter();
        let at_us = came.next().and_then(number).ok_or_else(strange)?;
        let (mut seen, mut left_bytes) = (Vec::with_capacity(keys.len()), bytes_max);
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
                let bytes = stored.value.len() as u64;
                left_bytes = left_bytes.checked_sub(bytes).ok_or_else(too_much)?;
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
}

fn number(value: Value) -> Option<u64> {
    match value {
        Value::BulkString(text) => str::from_utf8(&text).ok()?.parse().ok(),
        _ => None,
    }
}
