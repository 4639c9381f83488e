//! What is known of ages: when entries are hit, and when they leave.

/// Kinds of entries that are told apart: those never hit, and the others by the ages at their last
/// two hits, a class for each doubling.
pub(crate) const CLASSES: usize = 16;
/// Ages are told apart by an eighth: up to eight exactly, then eight steps for each doubling.
const STEPS_LOG2: u32 = 3;
const STEPS: u32 = 1 << STEPS_LOG2;
pub(crate) const AGES: usize = ((u32::BITS - STEPS_LOG2 + 1) * STEPS) as usize;
/// What is learned counts for so much less at each renewal.
const DECAY: f32 = 0.9;

/// An age in accesses, rounded down to one of [`AGES`] steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Age(u8);

impl Age {
    pub(crate) fn new(accesses: u32) -> Self {
        let doublings = (accesses | (STEPS - 1)).ilog2() + 1 - STEPS_LOG2;
        let step = match doublings {
            0 => accesses,
            _ => accesses >> (doublings - 1) & (STEPS - 1),
        };
        Self((doublings * STEPS + step) as u8)
    }

    /// The lowest number of accesses that is rounded to it.
    pub(crate) fn accesses(self) -> u64 {
        Self::from(usize::from(self.0))
    }

    fn from(index: usize) -> u64 {
        let (doublings, step) = (
            index as u64 / u64::from(STEPS),
            index as u64 % u64::from(STEPS),
        );
        match doublings {
            0 => step,
            _ => (u64::from(STEPS) + step) << (doublings - 1),
        }
    }
}

/// Hits and departures by class and age, and what follows from them.
#[derive(Debug)]
pub(crate) struct Density {
    classes: Vec<Class>,
}

#[derive(Debug, Clone)]
struct Class {
    hits: [f32; AGES],
    departures: [f32; AGES],
    densities: [f32; AGES],
}

impl Default for Density {
    fn default() -> Self {
        let class = Class {
            hits: [0.0; AGES],
            departures: [0.0; AGES],
            densities: [0.0; AGES],
        };
        let mut density = Self {
            classes: vec![class; CLASSES],
        };
        density.renew();
        density
    }
}

impl Density {
    pub(crate) fn hit(&mut self, class: usize, age: Age) {
        self.classes[class].hits[usize::from(age.0)] += 1.0;
    }

    pub(crate) fn departure(&mut self, class: usize, age: Age) {
        self.classes[class].departures[usize::from(age.0)] += 1.0;
    }

    /// Hits to come for each access that the entry will be here, as it was for its like.
    pub(crate) fn of(&self, class: usize, age: Age) -> f32 {
        self.classes[class].densities[usize::from(age.0)]
    }

    /// Computes densities from what was learned: of those that reached an age, how many were hit
    /// later, by how long they stayed from then on until they were hit or left.
    ///
    /// Each class and age begins with half a hit that takes as long again as the age it reached:
    /// what nobody has seen is worth the less the older it is.
    pub(crate) fn renew(&mut self) {
        for (number, class) in self.classes.iter_mut().enumerate() {
            let presumed = (number + 1) as f64 / CLASSES as f64;
            let (mut hits, mut reached, mut stay) = (0.0, 0.0, 0.0);
            for age in (0..AGES).rev() {
                hits += f64::from(class.hits[age]);
                let here = f64::from(class.hits[age]) + f64::from(class.departures[age]);
                let width = (Age::from(age + 1) - Age::from(age)) as f64;
                // Those that reach a later age stay for this one's width, those that end in it half of it.
                stay += (reached + here / 2.0) * width;
                reached += here;
                let lowest = Age::from(age) as f64 + 1.0;
                class.densities[age] = ((hits + presumed) / (stay + lowest)) as f32;
                class.hits[age] *= DECAY;
                class.departures[age] *= DECAY;
            }
        }
    }

    /// Bytes held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.classes.capacity() * size_of::<Class>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_rounded_down_by_an_eighth_at_most() {
        let mut last = Age::new(0);
        for accesses in (0..100_000).chain([u32::MAX / 2, u32::MAX]) {
            let age = Age::new(accesses);
            let rounded = age.accesses();
            assert!(last <= age && usize::from(age.0) < AGES);
            assert!(rounded <= u64::from(accesses), "{accesses}");
            assert!(u64::from(accesses - accesses / 8) <= rounded, "{accesses}");
            last = age;
        }
    }

    #[test]
    fn an_age_that_many_are_hit_soon_after_is_dense() {
        let mut density = Density::default();
        for _ in 0..1000 {
            density.hit(3, Age::new(100));
            density.departure(3, Age::new(1000));
        }
        density.renew();
        let [young, near, past] = [1, 90, 200].map(|age| density.of(3, Age::new(age)));
        assert!(near > young && young > 10.0 * past, "{young} {near} {past}");
    }
}
