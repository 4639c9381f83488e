//! What [`export!`](crate::export) calls: the guest's side of the contract.
//!
//! The instance is called by one thread, one call at a time, and no call leads to another. So each
//! cell is borrowed only once at a time.

mod buffer;

use std::cell::{Cell, RefCell};
use std::panic;

use larder_abi::{
    EVENT_BYTES, Event, EventKind, Foretold, Kind, Question, REQUEST_BYTES, Request, Setup, Slot,
    pack_victims,
};

use crate::{Eviction, Parameters, Policy, Priority, Security, ShouldCache, Ttl, Victims, log};

pub use buffer::buffer;

/// The place of a policy that [`init`] makes if it is to serve its kind.
pub struct Guest<P>(RefCell<Option<P>>);

thread_local! {
    /// Bytes of an event's record, as the host writes it.
    static EVENT_RECORD_BYTES: Cell<usize> = const { Cell::new(EVENT_BYTES) };
    /// Bytes of a request's record, likewise.
    static REQUEST_RECORD_BYTES: Cell<usize> = const { Cell::new(REQUEST_BYTES) };
    /// What lay behind it.
    static FORETOLD: RefCell<Vec<Foretold>> = const { RefCell::new(Vec::new()) };
    /// The answer that the host reads after the call that made it.
    static NAMED: RefCell<Vec<Slot>> = const { RefCell::new(Vec::new()) };
}

impl<P: Policy> Guest<P> {
    /// An empty place.
    #[expect(clippy::new_without_default, reason = "a constant is needed")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Makes the policy if this instance serves `kind`.
    pub fn make(&self, kind: Kind, setup: &Setup<'_>) -> Result<(), String> {
        if setup.kinds().has(kind) {
            let policy = P::new(P::Parameters::read(setup), setup.seed())?;
            *self.0.borrow_mut() = Some(policy);
        }
        Ok(())
    }

    /// # Panics
    /// Where the host asks for what it did not have made.
    fn with<R>(&self, call: impl FnOnce(&mut P) -> R) -> R {
        let mut policy = self.0.borrow_mut();
        call(policy.as_mut().expect("the setup names this kind"))
    }
}

/// Takes the setup. 0, or 1 where the policy cannot work so; why goes to the log.
pub fn init(bytes: u32, make: impl FnOnce(&Setup<'_>) -> Result<(), String>) -> u32 {
    panic::set_hook(Box::new(|panic| log::error(&panic.to_string())));
    buffer::read(bytes, |record| {
        let setup = Setup::new(record);
        EVENT_RECORD_BYTES.set(setup.event_bytes().max(1));
        REQUEST_RECORD_BYTES.set(setup.request_bytes());
        match make(&setup) {
            Ok(()) => 0,
            Err(why) => {
                log::error(&why);
                1
            }
        }
    })
}

/// Takes `count` events. Kinds that are newer than this crate are skipped.
pub fn events<P: Eviction>(guest: &Guest<P>, count: u32) {
    let record_bytes = EVENT_RECORD_BYTES.get();
    let bytes = count.saturating_mul(record_bytes as u32);
    buffer::read(bytes, |records| {
        guest.with(|policy| {
            if record_bytes == EVENT_BYTES {
                return tell(policy, records.as_chunks().0);
            }
            // A newer host's records are longer; what this crate knows comes first in each.
            for record in records.chunks_exact(record_bytes) {
                let (known, _) = record.as_chunks();
                tell(policy, &known[..known.len().min(1)]);
            }
        });
    });
}

/// Hands events on. With a length that is known here, decoding needs no checks. Most are hits: what
/// else there is stays out of their loop, which then fits into registers.
#[inline(never)]
fn tell<P: Eviction>(policy: &mut P, records: &[[u8; EVENT_BYTES]]) {
    for record in records {
        let is_hit = record[0] == EventKind::Hit as u8;
        if is_hit && let Some(event) = Event::from_bytes(record) {
            policy.hit(event.slot, event.hash);
        } else {
            tell_other(policy, record);
        }
    }
}

#[inline(never)]
fn tell_other<P: Eviction>(policy: &mut P, record: &[u8; EVENT_BYTES]) {
    if let Some(event) = Event::from_bytes(record) {
        policy.event(&event);
    }
}

/// Takes a request; the answer stays where it is until the next call.
pub fn victims<P: Eviction>(guest: &Guest<P>, bytes: u32) -> u64 {
    let request = FORETOLD.with_borrow_mut(|foretold| {
        buffer::read(bytes, |record| {
            let behind = record.get(REQUEST_RECORD_BYTES.get()..);
            foretold.clear();
            foretold.extend(Foretold::read(behind.unwrap_or_default()));
            Request::from_bytes(record)
        })
    });
    FORETOLD.with_borrow(|foretold| {
        NAMED.with_borrow_mut(|named| {
            named.clear();
            let mut victims = Victims::new(request.bytes, named).with_foretold(foretold);
            guest.with(|policy| policy.victims(&request, &mut victims));
            let address = named.as_ptr().expose_provenance();
            pack_victims(address as u32, named.len() as u32)
        })
    })
}

/// Takes a question; 1 for yes.
pub fn should_cache<P: ShouldCache>(guest: &Guest<P>, bytes: u32) -> u32 {
    let keep = ask(bytes, |question| {
        guest.with(|policy| policy.should_cache(question))
    });
    u32::from(keep)
}

/// Takes a question; the answer as the contract packs it.
pub fn ttl<P: Ttl>(guest: &Guest<P>, bytes: u32) -> i64 {
    ask(bytes, |question| guest.with(|policy| policy.ttl(question))).to_raw()
}

/// Takes a question; 0 to 255.
pub fn priority<P: Priority>(guest: &Guest<P>, bytes: u32) -> u32 {
    let priority = ask(bytes, |question| {
        guest.with(|policy| policy.priority(question))
    });
    u32::from(priority)
}

/// Takes a question; the answer as the contract has it.
pub fn security<P: Security>(guest: &Guest<P>, bytes: u32) -> u32 {
    let answer = ask(bytes, |question| {
        guest.with(|policy| policy.security(question))
    });
    answer.to_raw()
}

fn ask<R>(bytes: u32, answer: impl FnOnce(&Question<'_>) -> R) -> R {
    buffer::read(bytes, |record| answer(&Question::new(record)))
}
