//! What a shard tells and asks its evictor, recorded once, to be replayed to others.

use std::collections::HashMap;
use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use larder_abi::{EVENTS_MAX, Entry, Event, EventKind, Removal, Request, Slot};
use larder_engine::Evictor;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::Zipf;

const SIZE: u32 = 112;
/// Freed beyond what is needed, as a server does.
const AHEAD_BYTES: u64 = 32 * 1024;

enum Step {
    /// So many of the events.
    Deliver(usize),
    /// A request, and how many of the victims answered it.
    Victims(Request, usize),
}

/// See the module.
pub(super) struct Recording {
    events: Vec<Event>,
    victims: Vec<Slot>,
    steps: Vec<Step>,
    requests: u32,
}

/// A shard with nothing in it but slots.
struct Shard<'e> {
    evictor: &'e mut dyn Evictor,
    recording: Recording,
    slots: HashMap<u32, Slot>,
    keys: Vec<u32>,
    free: Vec<Slot>,
    waiting: Vec<Event>,
    capacity_bytes: u64,
}

impl Recording {
    /// Asks `evictor` while recording.
    pub(super) fn make(evictor: &mut dyn Evictor, keys: u32, requests: u32) -> Result<Self> {
        let mut shard = Shard {
            evictor,
            recording: Self {
                events: Vec::new(),
                victims: Vec::new(),
                steps: Vec::new(),
                requests,
            },
            slots: HashMap::new(),
            keys: Vec::new(),
            free: Vec::new(),
            waiting: Vec::new(),
            capacity_bytes: u64::from(keys / 10) * u64::from(SIZE),
        };
        let mut random = StdRng::seed_from_u64(1);
        let zipf = Zipf::new(f64::from(keys), 0.99)?;
        for _ in 0..requests {
            shard.request(random.sample(zipf) as u32)?;
        }
        Ok(shard.recording)
    }

    /// Nanoseconds a request that `evictor` takes.
    pub(super) fn replay(&self, evictor: &mut dyn Evictor) -> Result<f64> {
        let (mut events, mut expected) = (&self.events[..], &self.victims[..]);
        let mut victims = Vec::new();
        let start = Instant::now();
        for step in &self.steps {
            match step {
                Step::Deliver(count) => {
                    let (now, later) = events.split_at(*count);
                    evictor.deliver(now).map_err(|unfit| anyhow!("{unfit}"))?;
                    events = later;
                }
                Step::Victims(request, count) => {
                    victims.clear();
                    let answered = evictor.victims(request, &[], &mut victims);
                    answered.map_err(|unfit| anyhow!("{unfit}"))?;
                    let (now, later) = expected.split_at(*count);
                    ensure!(victims == now, "the victims are not those of the recording");
                    expected = later;
                }
            }
        }
        Ok(start.elapsed().as_nanos() as f64 / f64::from(self.requests))
    }
}

impl Shard<'_> {
    fn request(&mut self, key: u32) -> Result<()> {
        let hash = key.wrapping_mul(0x9e37_79b1);
        if let Some(slot) = self.slots.get(&key) {
            return self.note(Event::new(EventKind::Hit, *slot, hash));
        }
        let newcomer = Entry {
            hash,
            size: SIZE,
            priority: 0,
        };
        if (self.slots.len() as u64 + 1) * u64::from(SIZE) > self.capacity_bytes {
            self.make_room(newcomer)?;
        }
        let slot = self.free.pop().unwrap_or(self.keys.len() as Slot);
        if slot as usize == self.keys.len() {
            self.keys.push(key);
        }
        self.keys[slot as usize] = key;
        self.slots.insert(key, slot);
        self.note(Event {
            size: SIZE,
            ..Event::new(EventKind::Insert, slot, hash)
        })
    }

    fn note(&mut self, event: Event) -> Result<()> {
        self.waiting.push(event);
        if self.waiting.len() >= EVENTS_MAX {
            self.deliver()?;
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<()> {
        let told = self.evictor.deliver(&self.waiting);
        told.map_err(|unfit| anyhow!("{unfit}"))?;
        self.recording.steps.push(Step::Deliver(self.waiting.len()));
        self.recording.events.append(&mut self.waiting);
        Ok(())
    }

    fn make_room(&mut self, newcomer: Entry) -> Result<()> {
        self.deliver()?;
        let request = Request {
            bytes: u64::from(SIZE) + AHEAD_BYTES.min(self.capacity_bytes / 8),
            capacity_bytes: self.capacity_bytes,
            newcomer: Some(newcomer),
        };
        let mut victims = Vec::new();
        let answered = self.evictor.victims(&request, &[], &mut victims);
        answered.map_err(|unfit| anyhow!("{unfit}"))?;
        self.recording
            .steps
            .push(Step::Victims(request, victims.len()));
        for slot in &victims {
            let key = self.keys[*slot as usize];
            self.slots.remove(&key);
            self.free.push(*slot);
            self.waiting.push(Event {
                removal: Removal::Evicted,
                ..Event::new(EventKind::Remove, *slot, key.wrapping_mul(0x9e37_79b1))
            });
        }
        self.recording.victims.append(&mut victims);
        Ok(())
    }
}

/// Fills an evictor with so many entries, and replaces each twice.
pub(super) fn churn(evictor: &mut dyn Evictor, entries: u32) -> Result<()> {
    let capacity_bytes = u64::from(entries) * u64::from(SIZE);
    let mut victims = Vec::new();
    let mut free: Vec<Slot> = (0..entries).rev().collect();
    for hash in 0..3 * entries {
        if free.is_empty() {
            let request = Request {
                bytes: AHEAD_BYTES.min(capacity_bytes / 8),
                capacity_bytes,
                newcomer: None,
            };
            victims.clear();
            let answered = evictor.victims(&request, &[], &mut victims);
            answered.map_err(|unfit| anyhow!("{unfit}"))?;
            let gone: Vec<_> = victims
                .iter()
                .map(|slot| Event {
                    removal: Removal::Evicted,
                    ..Event::new(EventKind::Remove, *slot, hash.wrapping_sub(*slot))
                })
                .collect();
            evictor.deliver(&gone).map_err(|unfit| anyhow!("{unfit}"))?;
            free.append(&mut victims);
        }
        let Some(slot) = free.pop() else {
            return Err(anyhow!("nothing was named"));
        };
        let insert = Event {
            size: SIZE,
            ..Event::new(EventKind::Insert, slot, hash.wrapping_mul(0x9e37_79b1))
        };
        evictor
            .deliver(&[insert])
            .map_err(|unfit| anyhow!("{unfit}"))?;
    }
    Ok(())
}
