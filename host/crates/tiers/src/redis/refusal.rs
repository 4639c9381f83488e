//! Changes that Redis refuses for good: nothing behind them waits for them, and nothing that they were to replace comes back.
//!
//! What is refused is removed instead. Where even that is refused, and something is there, all of its database goes.

use larder_engine::tier::{TierChange, TierError, TierKeyBuf, Told};
use parking_lot::Mutex;
use redis::{Value, cmd};

use super::Inner;
use super::value;
use super::writes::Ready;

/// A value of so many bytes goes in a message of its own: Redis ends the connection over one that is longer than its
/// `proto-max-bulk-len`, a mebibyte at least, and says nothing of which.
pub(super) const LARGE_BYTES: usize = 1 << 20;
/// So often in a row, each time over a new connection, has it to break off over a value before that counts as refused.
const BREAKS_MAX: u32 = 3;
/// Of a name so much is told.
const NAME_CHARS_MAX: usize = 80;

/// Over which name the connection broke off last, and how often in a row.
#[derive(Default)]
pub(super) struct Breaks(Mutex<(Vec<u8>, u32)>);

impl Breaks {
    /// It broke off over that one. Whether it does so always.
    fn add(&self, name: &[u8]) -> bool {
        let (last, count) = &mut *self.0.lock();
        if *last != name {
            (*last, *count) = (name.to_vec(), 0);
        }
        *count += 1;
        *count >= BREAKS_MAX
    }

    /// Such a value was answered.
    fn forget(&self) {
        self.0.lock().1 = 0;
    }
}

impl Inner {
    /// Sends one message, and what has to follow where some of it is refused for good. An error where nothing came back.
    pub(super) async fn send(
        &self,
        ready: Vec<Ready>,
        changes: &[Told],
        results: &mut [Result<(), TierError>],
    ) -> Result<(), TierError> {
        if ready.is_empty() {
            return Ok(());
        }
        let bytes: usize = ready.iter().map(|one| one.body.len()).sum();
        let is_large = ready.len() == 1 && bytes >= LARGE_BYTES;
        let refused = match self.try_send(ready, results).await {
            Ok(refused) => {
                if is_large {
                    self.breaks.forget();
                }
                refused
            }
            Err((ready, silence)) => {
                let is_broken = silence.is_broken && is_large;
                if !(is_broken && ready.iter().all(|one| self.breaks.add(&one.name))) {
                    ready
                        .iter()
                        .for_each(|one| results[one.at] = Err(silence.error.clone()));
                    return Err(silence.error);
                }
                let text = format!(
                    "over its {bytes} bytes (see proto-max-bulk-len there) {}",
                    silence.error
                );
                ready.into_iter().map(|one| (one, text.clone())).collect()
            }
        };
        let deletions = refused.into_iter().map(|(one, text)| {
            let name = String::from_utf8_lossy(&one.name);
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            one.deletion(format!("{} is not kept: {text}", name.escape_debug()))
        });
        let deletions: Vec<_> = deletions.collect();
        if deletions.is_empty() {
            return Ok(());
        }
        let places: Vec<_> = deletions.iter().map(|one| one.at).collect();
        let left = self.try_send(deletions, results).await;
        let left = left.map_err(|(_, silence)| {
            places
                .iter()
                .for_each(|at| results[*at] = Err(silence.error.clone()));
            silence.error
        })?;
        for (one, text) in left {
            if let TierChange::Put(key, _) | TierChange::Delete(key) = &changes[one.at].change {
                let buried = self.bury(key, one.name).await;
                results[one.at] = buried.and(Err(TierError::Refused(text)));
            }
        }
        Ok(())
    }

    /// What a name holds is not to be found any more, and cannot be removed. Where it cannot be read either nobody finds it.
    async fn bury(&self, key: &TierKeyBuf, name: Vec<u8>) -> Result<(), TierError> {
        let mut get = cmd("GET");
        get.arg(&name);
        let held = self.aside.send(&[get], 0).await?.into_iter().next();
        match held {
            Some(Ok(Value::BulkString(held)))
                if value::read(&name, &held) != value::Found::Deleted =>
            {
                self.clear(&key.tenant, Some(key.db)).await
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_refused_once_it_alone_has_broken_the_connection_again_and_again() {
        let breaks = Breaks::default();
        let broke = |name: &str| breaks.add(name.as_bytes());
        assert_eq!([broke("a"), broke("a"), broke("b"), broke("a")], [false; 4]);
        assert_eq!([broke("a"), broke("a")], [false, true]);
    }
}
