//! The program: what it runs on, and nothing else. See [`larder::cli`].

use std::process::ExitCode;

/// Its size classes are those that the engine counts with, see [`larder::SizeClasses`].
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What jemalloc reads before the first allocation; the variable `_RJEM_MALLOC_CONF` of the
/// environment overrides it.
///
/// - `background_thread`, `dirty_decay_ms`: what was freed goes back to the system after a second
///   and also while nobody calls, so that resident memory follows the budget, as the governor
///   expects. `muzzy_decay_ms:0` gives it back for good at once, not lazily.
/// - `narenas`: an arena holds on to pages of its own; few workers need few.
/// - `cache_oblivious`: would put every block of more than 14 KiB at a random place in one page
///   more than it needs, which the budget does not count.
// SAFETY: the attribute is unsafe because the name could collide with another symbol of the
// program. This one exists to be defined by programs: jemalloc declares it weak, as a pointer to a
// string that ends in zero, which a reference to an array of bytes is.
#[allow(unsafe_code)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static MALLOC_CONF: &[u8; 92] =
    b"background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,narenas:4,cache_oblivious:false\0";

fn main() -> ExitCode {
    larder::cli::run()
}

#[cfg(test)]
mod tests {
    use larder::{
        Access, Edit, Engine, EngineConfig, Expiry, Key, S3Fifo, SizeClasses, TenantConfig, native,
    };
    use larder_engine::recording::{Plan, Salt, Threshold};
    use tikv_jemalloc_ctl::{background_thread, opt, stats, thread};

    #[test]
    fn jemalloc_runs_as_it_was_told() {
        assert!(background_thread::read().unwrap());
        assert_eq!(opt::narenas::read().unwrap(), 4);
        assert!(stats::allocated::read().unwrap() > 0);
    }

    #[test]
    fn a_read_allocates_nothing_whether_it_is_recorded_or_not() {
        const ROUNDS: usize = 200_000;
        let engine = Engine::new(EngineConfig {
            memory_bytes: 8 << 20,
            threads: 1,
            seed: 1,
            size_classes: SizeClasses::Jemalloc,
            start_ms: 1,
            volatile_only: false,
            tenants: vec![TenantConfig {
                name: "default".to_owned(),
                memory_bytes: 8 << 20,
                evictor: native("s3-fifo", S3Fifo::default),
                reuse: None,
                below: None,
                vault: None,
            }],
        })
        .unwrap();
        let tenant = engine.default_tenant();
        let (there, absent) = (Key::new(0, b"there"), Key::new(0, b"absent"));
        let put = Edit::put(&b"v"[..], Expiry::Never);
        let stored = tenant.update(there, 1, Access::Write, 1, |_| (put.clone(), ()));
        stored.unwrap();
        let allocated_bytes = || {
            let counter = thread::allocatedp::read().unwrap();
            let before = counter.get();
            let hits = (0..ROUNDS).filter(|_| tenant.get(there, 2, |_| ()).is_some());
            assert_eq!(hits.count(), ROUNDS);
            assert!((0..ROUNDS).all(|_| tenant.get(absent, 2, |_| ()).is_none()));
            counter.get() - before
        };
        // What is noted for the evictor grows to its size.
        allocated_bytes();
        assert_eq!(allocated_bytes(), 0);
        let plan = Plan {
            db: 0,
            salt: Salt([0; 16]),
            threshold: Threshold::ALL,
            rate_max: u64::MAX,
        };
        let recording = tenant.record(&plan).unwrap();
        assert_eq!(allocated_bytes(), 0);
        // Twice as much as there is room for, and some more.
        assert!(recording.take(0, &mut Vec::new()).lost > ROUNDS as u64);
    }

    /// Above 32 KiB jemalloc gives whole pages; the classes that the engine counts with are up to a
    /// quarter above that, which keeps to the safe side.
    #[test]
    fn the_engine_counts_what_jemalloc_hands_out() {
        let large = (32_769..300_000)
            .step_by(1_021)
            .chain([1 << 20, (4 << 20) + 1]);
        for size in (9..=32_768).chain(large) {
            let block = vec![0u8; size];
            // SAFETY: the block is alive, and came from jemalloc, the allocator of this program.
            #[allow(unsafe_code)]
            let usable = unsafe { tikv_jemallocator::usable_size(block.as_ptr()) };
            let counted = SizeClasses::Jemalloc.usable(size);
            let most = if size > 32_768 {
                usable / 4 * 5
            } else {
                usable
            };
            assert!(
                (usable..=most).contains(&counted),
                "{size}: {counted}, not {usable}"
            );
        }
    }
}
