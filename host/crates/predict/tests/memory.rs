//! What prediction takes of memory, counted by the allocator.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use larder_predict::{
    Access, Cache, Config, FEATURES, Kind, Place, Predictor, Sample, Training, View,
};

static BYTES: AtomicUsize = AtomicUsize::new(0);
static BYTES_PEAK: AtomicUsize = AtomicUsize::new(0);

/// The system's, which counts what it gives out.
struct Counting;

// SAFETY: whatever is asked for is asked of the system's allocator, as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let bytes = BYTES.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        BYTES_PEAK.fetch_max(bytes, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promises; it came from there.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is taken at most while something is done, beyond what was taken before.
fn peak_bytes<T>(doing: impl FnOnce() -> T) -> (usize, T) {
    let before = BYTES.load(Ordering::Relaxed);
    BYTES_PEAK.store(before, Ordering::Relaxed);
    let done = doing();
    (BYTES_PEAK.load(Ordering::Relaxed) - before, done)
}

fn mixed(number: u64) -> u64 {
    number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 7
}

/// Nothing is in memory.
struct Nothing;

impl Cache for Nothing {
    fn key_at(&self, place: Place) -> Option<u64> {
        Some(mixed(place.family ^ mixed(place.number)))
    }

    fn is_absent(&self, _: u64) -> bool {
        true
    }
}

/// Samples that trees grow large of.
fn samples(count: u64) -> Vec<Sample> {
    let sample = |number: u64| {
        let mut row = [0.0; FEATURES];
        for (at, feature) in (0..).zip(&mut row) {
            *feature = (mixed(number * 100 + at) % 1_000) as f32;
        }
        Sample {
            row,
            is_asked: row.iter().sum::<f32>() > 6_000.0,
            is_drawn: number.is_multiple_of(8),
        }
    };
    (0..count).map(sample).collect()
}

/// Has a predictor wait for as many candidates as it may, and learn from as many as it may.
fn fill(predictor: &mut Predictor) {
    for number in 0..60_000_u64 {
        let place = Place {
            family: number % 500,
            number: number / 500,
        };
        let access = Access {
            key: mixed(place.family ^ mixed(place.number)),
            place: Some(place),
            size_bytes: 100,
            at_ms: number,
            kind: Kind::Miss,
        };
        predictor.observe(&[access], &Nothing);
        if number.is_multiple_of(5) {
            let view = View {
                now_ms: number,
                lifetime_ms: 60_000,
                room_bytes: 1 << 20,
            };
            predictor.tick(&view, &Nothing);
        }
    }
}

/// One test, as all threads are counted.
#[test]
fn what_prediction_takes_and_a_training_of_its_is_within_what_it_says() {
    let config = Config {
        accesses_per_second_max: u32::MAX,
        interval_ms: 0,
        samples_min: 0,
        ..Config::default()
    };
    let (filled_bytes, mut predictor) = peak_bytes(|| {
        let mut predictor = Predictor::new(config);
        fill(&mut predictor);
        predictor
    });
    assert_eq!(predictor.samples().len(), config.samples_max);
    let samples = samples(config.samples_max as u64);
    let training = predictor.training().unwrap().joined(vec![samples]);
    let (fit_bytes, trained) = peak_bytes(|| training.run());
    trained.unwrap();
    let fit_bytes_max = Training::bytes_max(config.samples_max);
    assert!(fit_bytes <= fit_bytes_max, "{fit_bytes} of {fit_bytes_max}");
    assert!(
        fit_bytes > fit_bytes_max / 2,
        "{fit_bytes} of {fit_bytes_max}"
    );
    let (bytes, bytes_max) = (filled_bytes + fit_bytes, predictor.bytes());
    eprintln!("filled {filled_bytes} fit {fit_bytes} of {fit_bytes_max}; said {bytes_max}");
    assert!(bytes <= bytes_max, "{bytes} of {bytes_max}");
    assert!(bytes_max <= config.memory_bytes_max);
}
