use std::sync::atomic::AtomicU64;

use super::*;
use crate::conformance::{Subject, check, key, put, tell};
use crate::testing::MemoryTier;

const NOW: Millis = 1_700_000_000_000;
const CONFIG: GuardConfig = GuardConfig {
    deadline: Duration::from_secs(3600),
    retries: 3,
    breaker: BreakerConfig {
        failure_threshold: 5,
        recovery_timeout: Duration::from_secs(30),
        success_threshold: 2,
    },
};

struct Bench {
    tier: Arc<MemoryTier>,
    guarded: Guarded,
    clock: Arc<AtomicU64>,
}

impl Bench {
    /// Over a tier that holds a value under `k`.
    async fn new(config: GuardConfig) -> Self {
        let tier = Arc::new(MemoryTier::new(1 << 20));
        assert_eq!(tell(&*tier, &[put("k", "v")], NOW).await, [Ok(())]);
        let clock = Arc::new(AtomicU64::new(NOW));
        let told = Arc::clone(&clock);
        let own: Arc<dyn Tier> = Arc::<MemoryTier>::clone(&tier);
        let clocked: Clock = Arc::new(move || told.load(Ordering::Relaxed));
        Self {
            guarded: Guarded::new(own, config, 7, clocked),
            tier,
            clock,
        }
    }

    async fn read(&self) -> Result<Option<Stored>, TierError> {
        self.guarded.read(&key("k"), NOW).await
    }

    fn asked(&self) -> u64 {
        // One batch made it.
        self.tier.asked() - 1
    }

    fn circuit(&self) -> Circuit {
        self.guarded.level_figures().reads.circuit
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_what_every_tier_does() {
    struct Memory(Arc<Guarded>);

    impl Subject for Memory {
        fn open(&self) -> Arc<dyn Tier> {
            self.0.clone()
        }

        fn open_bounded(&self) -> Option<Arc<dyn Tier>> {
            None
        }
    }

    check(|| {
        let tier = Arc::new(MemoryTier::new(1 << 30));
        Memory(Arc::new(Guarded::new(tier, CONFIG, 7, Arc::new(|| NOW))))
    })
    .await;
}

#[tokio::test]
async fn a_read_that_fails_is_tried_again_so_often() {
    let bench = Bench::new(CONFIG).await;
    bench.tier.lose_with(Some("away"));
    let read = bench.read();
    assert_eq!(
        read.await.unwrap_err(),
        TierError::Unavailable("away".into())
    );
    assert_eq!(bench.asked(), 4);
    assert_eq!(bench.guarded.level_figures().reads.retries, 3);
    // Once is enough when it goes well.
    bench.tier.lose_with(None);
    assert!(bench.read().await.unwrap().is_some());
    assert_eq!(bench.asked(), 5);
    assert_eq!(bench.circuit(), Circuit::Closed);
}

#[tokio::test]
async fn a_read_takes_no_longer_than_the_deadline_and_is_not_begun_again_then() {
    let config = GuardConfig {
        deadline: Duration::from_millis(5),
        ..CONFIG
    };
    let bench = Bench::new(config).await;
    bench.tier.hang(true);
    let error = bench.read().await.unwrap_err().to_string();
    // Two are for looking at all.
    assert!(error.contains("not answered within 7ms"), "{error}");
    assert_eq!(bench.asked(), 1);
}

#[tokio::test]
async fn a_read_may_take_longer_the_more_bytes_are_read_with_it() {
    let config = GuardConfig {
        deadline: Duration::from_millis(5),
        retries: 0,
        ..CONFIG
    };
    let bench = Bench::new(config).await;
    let large = put("large", vec![0; 256 << 10]);
    assert_eq!(tell(&bench.guarded, &[large], NOW).await, [Ok(())]);
    bench.tier.hang(true);
    let large = key("large");
    let read = || async {
        bench
            .guarded
            .read(&large, NOW)
            .await
            .unwrap_err()
            .to_string()
    };
    let (one, two) = tokio::join!(read(), read());
    let again = read().await;
    for (error, patience) in [(one, "21ms"), (two, "37ms"), (again, "21ms")] {
        let expected = format!("not answered within {patience}");
        assert!(error.contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn those_who_wait_are_told_when_others_have_found_that_nothing_goes_well() {
    let bench = Arc::new(Bench::new(CONFIG).await);
    bench.tier.hang(true);
    let waiting = Arc::clone(&bench);
    let waiting = tokio::spawn(async move { waiting.read().await });
    while bench.asked() == 0 {
        tokio::task::yield_now().await;
    }
    let (guarded, fault) = (&bench.guarded, TierError::Unavailable("away".into()));
    for _ in 0..5 {
        let turn = guarded.reads.breaker.failed(NOW);
        guarded.say(&guarded.reads, turn, Some(&fault));
    }
    let error = waiting.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("are not tried"), "{error}");
    assert_eq!(guarded.level_figures().passed_over, 1);
}

#[tokio::test]
async fn one_that_fails_again_and_again_is_not_asked_until_a_few_have_tried() {
    let bench = Bench::new(CONFIG).await;
    bench.tier.lose_with(Some("away"));
    for _ in 0..10 {
        bench.read().await.unwrap_err();
    }
    assert_eq!((bench.asked(), bench.circuit()), (5, Circuit::Open));
    let error = bench.read().await.unwrap_err();
    assert!(error.to_string().contains("are not tried"), "{error}");
    let at_once = bench.guarded.read_now(key("k").borrow(), NOW);
    assert_eq!(at_once, Some(Err(error)));
    // It may hold what it did.
    assert!(bench.guarded.may_hold(key("k").borrow()));
    assert!(bench.guarded.level_figures().passed_over > 8);
    // Writes are another matter.
    assert_eq!(
        bench.guarded.level_figures().writes_to.circuit,
        Circuit::Closed
    );

    bench.clock.store(NOW + 30_000, Ordering::Relaxed);
    bench.read().await.unwrap_err();
    assert_eq!((bench.asked(), bench.circuit()), (6, Circuit::Open));
    bench.tier.lose_with(None);
    bench.read().await.unwrap_err();
    bench.clock.store(NOW + 60_000, Ordering::Relaxed);
    for circuit in [Circuit::HalfOpen, Circuit::Closed] {
        assert!(bench.read().await.unwrap().is_some());
        assert_eq!(bench.circuit(), circuit);
    }
    assert_eq!(bench.guarded.level_figures().reads.opened, 2);
}

#[tokio::test]
async fn one_that_has_come_back_is_tried_at_once() {
    let bench = Bench::new(CONFIG).await;
    bench.tier.lose_with(Some("away"));
    for _ in 0..10 {
        bench.read().await.unwrap_err();
        tell(&bench.guarded, &[put("k", "v")], NOW).await;
    }
    assert_eq!(bench.circuit(), Circuit::Open);
    assert!(bench.guarded.takes_nothing());
    bench.tier.come_back();
    assert!(!bench.guarded.takes_nothing());
    for circuit in [Circuit::HalfOpen, Circuit::Closed] {
        assert!(bench.read().await.unwrap().is_some());
        assert_eq!(bench.circuit(), circuit);
    }
    // What comes after has to come back itself.
    bench.tier.lose_with(Some("away"));
    for _ in 0..10 {
        bench.read().await.unwrap_err();
    }
    bench.tier.lose_with(None);
    bench.read().await.unwrap_err();
    assert_eq!(bench.circuit(), Circuit::Open);
}

#[tokio::test]
async fn what_is_no_trouble_is_none() {
    let bench = Bench::new(CONFIG).await;
    let large = put("large", vec![0; 2 << 20]);
    for _ in 0..10 {
        let results = tell(&bench.guarded, std::slice::from_ref(&large), NOW).await;
        assert!(
            matches!(&results[..], [Err(TierError::Refused(_))]),
            "{results:?}"
        );
    }
    assert_eq!(
        bench.guarded.level_figures().writes_to.circuit,
        Circuit::Closed
    );
    assert_eq!(bench.asked(), 10);
}

#[tokio::test]
async fn writes_are_not_tried_either_but_at_the_end() {
    let bench = Bench::new(CONFIG).await;
    bench.tier.lose_with(Some("away"));
    for _ in 0..10 {
        assert!(tell(&bench.guarded, &[put("k", "w")], NOW).await[0].is_err());
    }
    assert!(bench.guarded.takes_nothing());
    assert_eq!(bench.asked(), 5);
    bench.tier.lose_with(None);
    bench.guarded.end();
    bench.guarded.writable().await;
    assert_eq!(tell(&bench.guarded, &[put("k", "w")], NOW).await, [Ok(())]);
}

#[tokio::test]
async fn a_bounded_number_waits_for_it() {
    let bench = Arc::new(Bench::new(CONFIG).await);
    bench.tier.hang(true);
    let reads: Vec<_> = (0..READS_MAX)
        .map(|_| {
            let bench = Arc::clone(&bench);
            tokio::spawn(async move { bench.read().await })
        })
        .collect();
    while bench.asked() < READS_MAX as u64 {
        tokio::task::yield_now().await;
    }
    let error = bench.read().await.unwrap_err().to_string();
    assert!(error.contains("1024 reads wait"), "{error}");
    assert_eq!(bench.guarded.level_figures().crowded_out, 1);
    bench.tier.hang(false);
    for read in reads {
        assert!(read.await.unwrap().unwrap().is_some());
    }
    assert!(bench.read().await.unwrap().is_some());
}
