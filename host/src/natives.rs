//! The eviction policies that are compiled in: a server can be set to them, and they are simulated.

use std::sync::Arc;

use larder_engine::{Evictor, EvictorFactory, Unfit, foreseeing, native_seeded, ported};
use larder_policy_runtime::{Settings, native_setup};
use larder_sdk::{Eviction, Parameters, Policy, Setup};
use larder_simulator::replay::{Below, Cell, Driver, Judge, Native, Ported, Replay};

use crate::reuse::{Learning, reuse};
use crate::simulate::{Prewarm, shard_seed};

/// Makes a cache: of a setup, who decides over newcomers, and its form.
type MakeCell = fn(&[u8], Option<Box<dyn Judge>>, CellForm) -> Result<Box<dyn Cell>, String>;

/// What a simulated cache is like, whatever its policy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellForm {
    pub(crate) capacity_bytes: u64,
    /// Of a second level, if there is one.
    pub(crate) below_bytes: Option<u64>,
    /// What is fetched ahead, if anything is.
    pub(crate) prewarm: Option<Prewarm>,
    pub(crate) shards: u32,
    pub(crate) seed: u64,
}

impl CellForm {
    /// A cache of drivers, each made for a shard.
    ///
    /// # Errors
    /// Why one could not be made.
    pub(crate) fn fill<D: Driver + 'static>(
        self,
        judge: Option<Box<dyn Judge>>,
        driver: impl FnMut(u32) -> Result<D, String>,
    ) -> Result<Box<dyn Cell>, String> {
        let drivers: Result<Vec<_>, _> = (0..self.shards).map(driver).collect();
        let replay = Replay::new(drivers?, self.capacity_bytes).map_err(|unfit| unfit.0)?;
        let ahead = self.prewarm.map(Prewarm::ahead);
        let replay = replay.judged_by(judge).ahead(ahead);
        Ok(Box::new(replay.above(self.below_bytes.map(Below::new))))
    }

    /// A cache of evictors, each made for a shard from its seed, that are told what they want to know.
    ///
    /// # Errors
    /// Why one could not be made.
    pub(crate) fn port(
        self,
        judge: Option<Box<dyn Judge>>,
        evictor: impl Fn(u64) -> Result<Box<dyn Evictor>, Unfit>,
    ) -> Result<Box<dyn Cell>, String> {
        let reuse = reuse(self.seed, u64::MAX, Learning::AtOnce);
        self.fill(judge, |shard| {
            let seed = shard_seed(self.seed, shard);
            let evictor = evictor(seed).map_err(|unfit| unfit.0)?;
            Ok(Ported::new(foreseeing(evictor, Some(&reuse), seed)))
        })
    }
}

/// A policy by name.
pub(crate) struct NativePolicy {
    pub(crate) name: &'static str,
    manifest: &'static str,
    cell: MakeCell,
    evictor: fn(&'static Self) -> Arc<dyn EvictorFactory>,
}

macro_rules! natives {
    ($($name:literal: $module:ident::$policy:ident),* $(,)?) => {
        /// All of them.
        pub(crate) static NATIVES: &[NativePolicy] = &[$(NativePolicy {
            name: $name,
            manifest: $module::MANIFEST,
            cell: cell::<$module::$policy>,
            evictor: evictor::<$module::$policy>,
        }),*];
    };
}

natives! {
    "arc": larder_policy_arc::Arc,
    "business-priority": larder_policy_business_priority::ByValue,
    "clock": larder_policy_clock::Clock,
    "clock2q-plus": larder_policy_clock2q_plus::Clock2QPlus,
    "fifo": larder_policy_fifo::Fifo,
    "gdsf": larder_policy_gdsf::Gdsf,
    "lfu": larder_policy_lfu::Lfu,
    "lhd": larder_policy_lhd::Lhd,
    "lirs": larder_policy_lirs::Lirs,
    "lru": larder_policy_lru::Lru,
    "predicted-reuse": larder_policy_predicted_reuse::PredictedReuse,
    "s3-fifo": larder_policy_s3_fifo::S3Fifo,
    "sieve": larder_policy_sieve::Sieve,
    "slru": larder_policy_slru::Slru,
    "two-q": larder_policy_two_q::TwoQ,
    "w-tinylfu": larder_policy_w_tinylfu::WTinyLfu,
}

impl NativePolicy {
    /// What makes evictors of it, with its defaults.
    pub(crate) fn evictor(&'static self) -> Arc<dyn EvictorFactory> {
        (self.evictor)(self)
    }

    /// An empty cache of it.
    ///
    /// # Errors
    /// What of its settings cannot be.
    pub(crate) fn cell(
        &self,
        settings: &Settings,
        judge: Option<Box<dyn Judge>>,
        form: CellForm,
    ) -> Result<Box<dyn Cell>, String> {
        let setup = native_setup(self.manifest, settings, form.seed);
        (self.cell)(&setup.map_err(|refusal| refusal.0)?, judge, form)
    }
}

fn evictor<P: Eviction + Policy + Send + 'static>(
    native: &'static NativePolicy,
) -> Arc<dyn EvictorFactory> {
    native_seeded(native.name, move |seed| {
        let setup = native_setup(native.manifest, &Settings::default(), seed);
        let setup = setup.map_err(|refusal| Unfit(refusal.0))?;
        P::new(P::Parameters::read(&Setup::new(&setup)), seed).map_err(Unfit)
    })
}

fn cell<P: Eviction + Policy + Send + 'static>(
    setup: &[u8],
    judge: Option<Box<dyn Judge>>,
    form: CellForm,
) -> Result<Box<dyn Cell>, String> {
    let make = |seed| P::new(P::Parameters::read(&Setup::new(setup)), seed);
    if !P::WANTS_REUSE {
        return form.fill(judge, |shard| {
            make(shard_seed(form.seed, shard)).map(Native)
        });
    }
    form.port(judge, |seed| make(seed).map_err(Unfit).map(ported))
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_sdk::{Event, EventKind};
    use larder_simulator::Request;

    #[test]
    fn policies_that_count_reads_tell_them_and_the_others_none() {
        for native in NATIVES {
            let mut evictor = native.evictor().build(7, 1 << 20).unwrap();
            let hash = |slot: u32| slot.wrapping_mul(0x9e37_79b1);
            let event = |kind, slot| Event::new(kind, slot, hash(slot));
            let inserts = (0..64).map(|slot| Event {
                size: 64,
                ..event(EventKind::Insert, slot)
            });
            let hits = [1, 2, 1, 1, 2, 1, 1].map(|slot| event(EventKind::Hit, slot));
            let events: Vec<_> = inserts.chain(hits).collect();
            evictor.deliver(&events).unwrap();
            let told = [1, 2, 0, 1 << 20].map(|slot| evictor.reads(slot));
            match native.name {
                "gdsf" | "lfu" | "s3-fifo" | "w-tinylfu" => assert!(
                    told[0] > told[1] && told[1] > told[2] && told[3] == 0,
                    "{}: {told:?}",
                    native.name
                ),
                name => assert_eq!(told, [0; 4], "{name}"),
            }
        }
    }

    #[test]
    fn what_is_foretold_keeps_what_comes_back_where_recency_keeps_nothing() {
        const HOT: u32 = 240;
        let mut random = 1_u64;
        // One request for what is asked for all the time, four for what is not asked for again.
        let object = |n: u32| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            match n % 5 {
                0 => (random >> 33) as u32 % HOT,
                _ => HOT + n,
            }
        };
        let request = |object: u32| Request {
            object,
            id: u64::from(object),
            hash: object.wrapping_mul(0x9e37_79b1),
            size_bytes: 1,
            time_seconds: 0,
            ttl_seconds: 0,
            next_access: u64::MAX,
        };
        let requests: Vec<_> = (0..20_000).map(object).map(request).collect();
        let form = CellForm {
            capacity_bytes: 300,
            below_bytes: None,
            prewarm: None,
            shards: 1,
            seed: 7,
        };
        let misses = |name: &str| {
            let mut natives = NATIVES.iter();
            let native = natives.find(|native| native.name == name).unwrap();
            let mut cell = native.cell(&Settings::default(), None, form).unwrap();
            cell.run(&requests).unwrap();
            cell.tally().misses
        };
        let (foretold, recent) = (misses("predicted-reuse"), misses("lru"));
        assert!(recent > 19_000, "{recent}");
        assert!(
            foretold < 90_000,
            "{foretold}: 80,000 are not asked for again"
        );
        assert_eq!(foretold, misses("predicted-reuse"));
    }
}
