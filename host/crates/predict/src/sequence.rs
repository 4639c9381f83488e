//! Families whose keys are asked for one after another: `track:41`, `track:42`, …

use std::collections::VecDeque;

use crate::access::Place;
use crate::keyed::{KeyMap, mix};

/// Numbers of a family among which a new sequence is looked for.
const RECENT: usize = 64;
/// Steps of a sequence at most.
const STRIDE_MAX: u64 = 1 << 12;
/// Steps ahead that are proposed at most.
const AHEAD_MAX: u32 = 8;
/// Sequences under way, and families, that are remembered; beyond, the older half is forgotten.
const STREAMS_MAX: usize = 1 << 13;
const FAMILIES_MAX: usize = 1 << 10;

#[derive(Debug, Clone, Copy)]
struct Stream {
    stride: i64,
    run: u32,
    seen: u64,
}

#[derive(Debug, Default)]
struct Family {
    recent: VecDeque<u64>,
    /// The step of the sequence found last.
    stride: i64,
    /// Share of the steps foretold of late that came.
    success: f32,
    seen: u64,
}

/// The next step of a sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) place: Place,
    /// Steps that it went on so far.
    pub(crate) run: u32,
    /// How many steps ahead this one is, from 1.
    pub(crate) ahead: u32,
    /// Share of the family's steps that came of late.
    pub(crate) success: f32,
}

/// The sequences under way, by the key of the place where each goes on.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    expected: KeyMap<Stream>,
    families: KeyMap<Family>,
    seen: u64,
}

impl Streams {
    /// The most that they ever take.
    pub(crate) const BYTES_MAX: usize = 2 * STREAMS_MAX * (size_of::<Stream>() + 8)
        + 2 * FAMILIES_MAX * (size_of::<Family>() + 8)
        + FAMILIES_MAX * RECENT * 8;

    /// Notes a request, and tells how the sequence that it belongs to goes on.
    pub(crate) fn see(&mut self, place: Place, out: &mut Vec<Step>) {
        self.seen += 1;
        self.forget();
        let seen = self.seen;
        let family = self.families.entry(mix(place.family)).or_default();
        family.seen = seen;
        if family.recent.back() == Some(&place.number) {
            return;
        }
        let stream = match self.expected.remove(&stream_key(place)) {
            Some(stream) => {
                family.success += (1.0 - family.success) / 64.0;
                Some(Stream {
                    run: stream.run.saturating_add(1),
                    ..stream
                })
            }
            None => begin(family, place.number),
        };
        if family.recent.len() == RECENT {
            family.recent.pop_front();
        }
        family.recent.push_back(place.number);
        let Some(stream) = stream else {
            family.success -= family.success / 64.0;
            return;
        };
        family.stride = stream.stride;
        let success = family.success;
        let places = (1..=AHEAD_MAX).map_while(|ahead| {
            let number = place
                .number
                .checked_add_signed(stream.stride * i64::from(ahead))?;
            Some((ahead, Place { number, ..place }))
        });
        for (ahead, place) in places {
            if ahead == 1 {
                let stream = Stream { seen, ..stream };
                self.expected.insert(stream_key(place), stream);
            }
            out.push(Step {
                place,
                run: stream.run,
                ahead,
                success,
            });
        }
    }

    fn forget(&mut self) {
        if self.expected.len() >= STREAMS_MAX {
            let mut seen: Vec<u64> = self.expected.values().map(|stream| stream.seen).collect();
            let (_, &mut median, _) = seen.select_nth_unstable(STREAMS_MAX / 2);
            self.expected.retain(|_, stream| stream.seen > median);
        }
        if self.families.len() >= FAMILIES_MAX {
            let mut seen: Vec<u64> = self.families.values().map(|family| family.seen).collect();
            let (_, &mut median, _) = seen.select_nth_unstable(FAMILIES_MAX / 2);
            self.families.retain(|_, family| family.seen > median);
        }
    }
}

/// A sequence that a number is the third of, or the second of with the family's usual step.
fn begin(family: &Family, number: u64) -> Option<Stream> {
    let step = |earlier: u64| number.wrapping_sub(earlier).cast_signed();
    let is_step = |stride: i64| stride != 0 && stride.unsigned_abs() <= STRIDE_MAX;
    let steps = || {
        family
            .recent
            .iter()
            .rev()
            .map(|&earlier| (earlier, step(earlier)))
    };
    let third = steps().find(|&(earlier, stride)| {
        is_step(stride)
            && earlier
                .checked_add_signed(-stride)
                .is_some_and(|before| family.recent.contains(&before))
    });
    let second = || steps().find(|&(_, stride)| is_step(stride) && stride == family.stride);
    let begun = |run| {
        move |(_, stride)| Stream {
            stride,
            run,
            seen: 0,
        }
    };
    third.map(begun(2)).or_else(|| second().map(begun(1)))
}

fn stream_key(place: Place) -> u64 {
    mix(place.family ^ mix(place.number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(number: u64) -> Place {
        Place { family: 9, number }
    }

    fn steps(streams: &mut Streams, numbers: &[u64]) -> Vec<Step> {
        let mut out = Vec::new();
        for &number in numbers {
            out.clear();
            streams.see(place(number), &mut out);
        }
        out
    }

    #[test]
    fn a_sequence_is_known_by_its_third_number_whatever_comes_between() {
        let mut streams = Streams::default();
        assert!(steps(&mut streams, &[100, 7_000, 228, 90_000]).is_empty());
        let found = steps(&mut streams, &[356]);
        let numbers: Vec<u64> = found.iter().map(|step| step.place.number).collect();
        assert_eq!(numbers[..3], [484, 612, 740]);
        assert_eq!((found[0].run, found[0].ahead), (2, 1));
        assert_eq!(steps(&mut streams, &[5, 484])[0].run, 3);
    }

    #[test]
    fn it_goes_down_too_and_ends_at_zero() {
        let mut streams = Streams::default();
        let found = steps(&mut streams, &[30, 20, 10]);
        let numbers: Vec<u64> = found.iter().map(|step| step.place.number).collect();
        assert_eq!(numbers, [0]);
        assert!(steps(&mut streams, &[0]).is_empty());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut streams = Streams::default();
        let mut out = Vec::new();
        for number in 0..400_000_u64 {
            let family = number / 3;
            streams.see(Place { family, number }, &mut out);
        }
        assert!(streams.expected.len() <= STREAMS_MAX);
        assert!(streams.families.len() <= FAMILIES_MAX);
    }
}
