//! Changes of keys that are as they were seen.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use larder_engine::Millis;
use larder_engine::authority::{Becomes, Swap};
use larder_engine::tier::TierError;
use rand::TryRng;
use rand::rngs::SysRng;
use redis::Value;
use tokio::time::{Instant, timeout_at};

use super::super::script::{Call, SWAP};
use super::{Inner, MadeIn};

/// A version that is further ahead of the clock is no version.
const DAY_US: u64 = 86_400_000_000;
/// What a swap has for each key beside the key: its state, what becomes of it, its body and the message to others.
const ARGS_A_KEY: usize = 4;
const ARGS_BEFORE: usize = 2;

impl Inner {
    pub(super) async fn swap(
        &self,
        swaps: &[Swap],
        now: Millis,
        until: Instant,
    ) -> Result<bool, TierError> {
        let late = |_| TierError::Unavailable(self.dialer.is_late().to_string());
        let named = async {
            // At least as old as those that the names have.
            let made_in = self.generations_of(swaps).await?;
            let names = self.names_of(swaps.iter().map(|swap| &swap.key)).await?;
            Ok::<_, TierError>((made_in, names))
        };
        let (made_in, names) = timeout_at(until, named).await.map_err(late)??;
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
        let swapped = self.ask(call, (told, made_in), Some(until)).await?;
        Ok(swapped == Value::Int(1))
    }

    async fn generations_of(&self, swaps: &[Swap]) -> Result<Vec<MadeIn>, TierError> {
        let mut made_in: Vec<MadeIn> = Vec::new();
        for Swap { key, .. } in swaps {
            let is_there = |place: &MadeIn| (&place.tenant, place.db) == (&key.tenant, key.db);
            if made_in.iter().any(is_there) {
                continue;
            }
            let generation = self
                .generations
                .of(&self.asking(), &key.tenant, key.db)
                .await?;
            made_in.push(MadeIn {
                tenant: Arc::clone(&key.tenant),
                db: key.db,
                generation,
            });
        }
        Ok(made_in)
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

#[cfg(test)]
mod tests {
    use larder_engine::authority::Mark;

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
