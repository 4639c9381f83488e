use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use larder_engine::Millis;
use larder_engine::authority::{Arbiter, Mark, Seen, Swap};
use larder_engine::tier::{
    Answer, Stored, Tier, TierError, TierFigures, TierKey, TierKeyBuf, Told,
};
use larder_tiers::testing::patient;
use larder_tiers::{GuardConfig, LevelConfig, Rules, Stack};

use super::TRIES_MAX;
use crate::fetch::tests::SETTINGS;
use crate::testing::{config, parts_over, serve_with};

/// Somebody else always comes first.
#[derive(Default)]
struct Restless {
    looks: AtomicU32,
}

impl Arbiter for Restless {
    fn look<'a>(
        &'a self,
        keys: &'a [TierKeyBuf],
        _: u64,
        _: Millis,
    ) -> Answer<'a, Result<Vec<Seen>, TierError>> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        let nothing = |_: &TierKeyBuf| Seen {
            stored: None,
            mark: Mark::default(),
        };
        let seen = keys.iter().map(nothing).collect();
        Box::pin(ready(Ok(seen)))
    }

    fn swap<'a>(
        &'a self,
        _: &'a [Swap],
        _: Millis,
        _: std::time::Instant,
    ) -> Answer<'a, Result<bool, TierError>> {
        Box::pin(ready(Ok(false)))
    }
}

impl Tier for Restless {
    fn name(&self) -> &str {
        "restless"
    }

    fn may_hold(&self, _: TierKey<'_>) -> bool {
        true
    }

    fn read<'a>(
        &'a self,
        _: &'a TierKeyBuf,
        _: Millis,
    ) -> Answer<'a, Result<Option<Stored>, TierError>> {
        Box::pin(ready(Ok(None)))
    }

    fn write<'a>(
        &'a self,
        changes: &'a [Told],
        _: Millis,
    ) -> Answer<'a, Vec<Result<(), TierError>>> {
        Box::pin(ready(vec![Ok(()); changes.len()]))
    }

    fn figures(&self) -> TierFigures {
        TierFigures::default()
    }

    fn arbiter(&self) -> Option<&dyn Arbiter> {
        Some(self)
    }

    fn close(&self) -> Answer<'_, ()> {
        Box::pin(ready(()))
    }
}

/// The pauses of all tries alone are longer than this.
#[test]
fn a_command_that_is_in_vain_is_given_up_when_its_time_is_over() {
    let usual = patient(1 << 20);
    let level = LevelConfig {
        guard: GuardConfig {
            deadline: Duration::from_millis(200),
            ..usual.guard
        },
        ..usual
    };
    let tier = Arc::new(Restless::default());
    let tiers: Vec<(Arc<dyn Tier>, _)> = vec![(Arc::<Restless>::clone(&tier), level)];
    let stack = Stack::start(tiers, &SETTINGS, || 1_700_000_000_000).unwrap();
    let rules = Rules {
        authority: vec![Arc::new(|_: &[u8]| true)],
        ..Rules::default()
    };
    let parts = parts_over(&["default"], |name| Some(stack.below(name, rules.clone())));
    let server = serve_with(config(), parts);
    let mut client = server.connect();
    client.send("SET lock mine NX\r\nQUIT\r\n");
    let said = String::from_utf8_lossy(&client.rest()).into_owned();
    assert!(said.starts_with("-TRYAGAIN "), "{said}");
    let looks = tier.looks.load(Ordering::Relaxed);
    assert!((1..=TRIES_MAX).contains(&looks), "{looks}");
}
