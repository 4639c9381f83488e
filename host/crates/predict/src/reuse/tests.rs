use super::*;

const ENTRIES: u32 = 1_000;

/// A shard of `ENTRIES` where a tenth of all is asked for again and again, and the rest once.
struct Shard {
    foreteller: Foreteller,
    random: u64,
    next: u32,
}

impl Shard {
    fn new(lessons: &Arc<Lessons>) -> Self {
        let mut foreteller = Foreteller::new(Arc::clone(lessons), 7);
        (0..ENTRIES).for_each(|slot| foreteller.insert(slot, slot, 100));
        Self {
            foreteller,
            random: 1,
            next: ENTRIES,
        }
    }

    fn turn(&mut self) {
        self.random = mix(self.random.wrapping_add(1));
        let favourite = (self.random % u64::from(ENTRIES / 10)) as u32;
        self.foreteller.hit(favourite);
        let slot = ENTRIES / 10 + self.next % (ENTRIES - ENTRIES / 10);
        self.foreteller.remove(slot, true);
        self.foreteller.insert(slot, self.next, 100);
        self.next += 1;
    }

    fn rated(&mut self, bytes: u64) -> Vec<Rated> {
        let mut rated = Vec::new();
        self.foreteller.rate(bytes, 256, &mut rated);
        rated
    }
}

#[test]
fn what_is_asked_for_again_and_again_is_told_from_what_is_not() {
    let lessons = Lessons::new(7, 20_000);
    let mut shard = Shard::new(&lessons);
    assert_eq!(shard.rated(100), [], "nothing was learnt");
    for _ in 0..20_000 {
        shard.turn();
        if let Some(lesson) = shard.foreteller.lesson() {
            lesson.learn();
        }
    }
    assert_eq!(shard.rated(100).len(), 32);
    assert_eq!(shard.rated(350).len(), 128);
    let rated = shard.rated(u64::MAX);
    assert_eq!(rated.len(), 256);
    let (favourites, others): (Vec<_>, Vec<_>) =
        rated.iter().partition(|rated| rated.slot < ENTRIES / 10);
    assert!(favourites.len() > 5 && others.len() > 100);
    let mean = |rated: &[&Rated]| {
        let sum: u64 = rated.iter().map(|rated| u64::from(rated.reuse)).sum();
        sum / rated.len() as u64
    };
    let (soon, late) = (mean(&favourites), mean(&others));
    assert!(soon < 1_000 && late > 4_000, "{soon} {late}");
}

#[test]
fn the_same_seed_and_requests_rate_alike_and_shards_learn_together() {
    let run = || {
        let lessons = Lessons::new(7, 20_000);
        let (mut one, mut other) = (Shard::new(&lessons), Shard::new(&lessons));
        for _ in 0..20_000 {
            one.turn();
            if let Some(lesson) = one.foreteller.lesson() {
                lesson.learn();
            }
        }
        assert_eq!(other.rated(100).len(), 32, "what the other has learnt");
        one.rated(1_000)
    };
    assert_eq!(run(), run());
}

#[test]
fn entries_that_went_are_forgotten_and_bytes_are_bounded() {
    let lessons = Lessons::new(7, 2_000);
    let mut shard = Shard::new(&lessons);
    for _ in 0..50_000 {
        shard.turn();
        drop(shard.foreteller.lesson());
    }
    let bytes = shard.foreteller.memory_bytes();
    assert!(bytes < 300_000, "{bytes} for {ENTRIES} entries");
    for slot in 0..ENTRIES {
        shard.foreteller.remove(slot, false);
        shard.foreteller.remove(slot, false);
    }
    shard.foreteller.hit(3);
    shard.foreteller.update(3, 5);
    assert_eq!(shard.foreteller.bytes, 0);
    assert!(shard.foreteller.here.is_empty());
}
