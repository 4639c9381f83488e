//! An instance of a policy: its memory, its calls, and what becomes of it when it breaks a rule.

use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_abi::{EVENT_BYTES, EVENTS_MAX, Kinds, export, write_setup};
use larder_engine::Unfit;
use wasmtime::{Memory, Store, TypedFunc, WasmParams, WasmResults};

use super::Policy;
use super::figures::{Figures, Tally};
use super::guest::Guest;
use super::offence::{Circumstances, Offence};
use crate::sandbox::{Account, thread_clock};

/// CPU time that an instance may take until it is ready; while it is tried, for all that is asked of
/// it.
const LOAD_TIME: Duration = Duration::from_secs(1);
/// Twice this part of its shard's share of the memory an instance may have, so that what it does with
/// it leaves room for entries.
const MEMORY_PART: u64 = 4;
/// One call in so many is timed; a prime, as calls of several kinds come in turn.
const TIMED_CALLS: u64 = 61;
/// What the contract asks of the buffer's address.
const BUFFER_ALIGNMENT: u32 = 8;

/// Whether an instance serves, or is tried before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Serve,
    /// It logs and counts nothing, and its calls share one account.
    Trial,
}

/// A function of the contract.
#[derive(Clone)]
pub(super) struct Export<Parameters, Results> {
    name: &'static str,
    function: TypedFunc<Parameters, Results>,
}

pub(super) struct Instance {
    policy: Arc<Policy>,
    purpose: Purpose,
    /// Bytes that it may have as it is, and as many again for the slots.
    share_part: usize,
    store: Store<Guest>,
    raw: wasmtime::Instance,
    memory: Memory,
    ask_buffer: Export<u32, u32>,
    /// Where the host writes. It was found to be within the memory, which never shrinks.
    buffer: Range<usize>,
    unfit: Option<Unfit>,
}

impl Instance {
    /// Makes an instance for these kinds.
    ///
    /// # Errors
    /// When it breaks a rule or says that it cannot work so.
    pub(super) fn new(
        policy: &Arc<Policy>,
        kinds: Kinds,
        seed: u64,
        share_bytes: u64,
        purpose: Purpose,
    ) -> Result<Self, Unfit> {
        let share_part = usize::try_from(share_bytes / MEMORY_PART).unwrap_or(usize::MAX);
        let mut store = store(policy, share_part, purpose);
        let started = run(&mut store, |store| policy.linked.instantiate(store));
        let raw = started.map_err(|o| offend(policy, purpose, &store, "its start", &o))?;
        let Some(memory) = raw.get_memory(&mut store, export::MEMORY) else {
            return Err(Unfit("it exports no memory".to_owned()));
        };
        let ask_buffer = find(&mut store, &raw, export::BUFFER)?;
        let mut instance = Self {
            policy: Arc::clone(policy),
            purpose,
            share_part,
            store,
            raw,
            memory,
            ask_buffer,
            buffer: 0..0,
            unfit: None,
        };
        instance.init(kinds, seed)?;
        Ok(instance)
    }

    fn init(&mut self, kinds: Kinds, seed: u64) -> Result<(), Unfit> {
        let setup = write_setup(kinds, seed, &self.policy.parameters.values);
        let init: Export<u32, u32> = self.export(export::INIT)?;
        self.write(&setup)?;
        if self.call(&init, setup.len() as u32)? != 0 {
            let complaint = self.store.data_mut().complaint.take();
            let why = complaint.unwrap_or_else(|| "it does not say why".to_owned());
            let why = format!("says that it cannot work so: {why}");
            return Err(self.offend(export::INIT, &Offence::Wrong(why)));
        }
        self.make_room(EVENTS_MAX * EVENT_BYTES)?;
        self.open_account(None);
        Ok(())
    }

    /// The function of that name.
    ///
    /// # Errors
    /// When there is none of these types, which a policy that was checked has.
    pub(super) fn export<P: WasmParams, R: WasmResults>(
        &mut self,
        name: &'static str,
    ) -> Result<Export<P, R>, Unfit> {
        find(&mut self.store, &self.raw, name)
    }

    /// Begins to count the CPU time of a request; all calls until the next time share it. Not to say
    /// when it was opened saves a look at the clock and costs the guest up to a tick.
    #[inline]
    pub(super) fn open_account(&mut self, opened: Option<Instant>) {
        if self.purpose == Purpose::Serve {
            let guest = self.store.data_mut();
            let now = guest.beat.ticks();
            guest.account = Account::open(self.policy.limits.deadline, now, opened);
        }
    }

    /// Allows an instance as much memory as its shard's highest slot makes necessary, as far as its
    /// shard can afford that.
    #[inline]
    pub(super) fn allow_slots(&mut self, slots: usize) {
        let limits = &self.policy.limits;
        let for_slots = slots.saturating_mul(limits.memory_bytes_a_slot);
        let base = limits.memory_bytes_max.min(self.share_part);
        let bytes = base.saturating_add(for_slots.min(self.share_part));
        let guest = self.store.data_mut();
        guest.memory_bytes_max = guest.memory_bytes_max.max(bytes);
    }

    /// # Errors
    /// When it breaks a rule, or did before.
    #[inline]
    pub(super) fn call<P: WasmParams, R: WasmResults>(
        &mut self,
        export: &Export<P, R>,
        parameters: P,
    ) -> Result<R, Unfit> {
        self.check_fit()?;
        let tally = self.tally();
        let before = tally.calls.get();
        tally.calls.set(before + 1);
        let began = (before % TIMED_CALLS == TIMED_CALLS - 1).then(Instant::now);
        let outcome = run(&mut self.store, |store| {
            export.function.call(store, parameters)
        });
        let tally = self.tally();
        if let Some(began) = began {
            let ns = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
            tally.add_call_time(ns, TIMED_CALLS);
        }
        outcome.map_err(|offence| self.offend(export.name, &offence))
    }

    /// # Errors
    /// When it broke a rule before.
    #[inline]
    pub(super) fn check_fit(&self) -> Result<(), Unfit> {
        match &self.unfit {
            None => Ok(()),
            Some(unfit) => Err(unfit.clone()),
        }
    }

    /// Where the host may write `bytes`.
    ///
    /// # Errors
    /// When there is no such place, or it broke a rule before.
    #[inline]
    pub(super) fn room(&mut self, bytes: usize) -> Result<&mut [u8], Unfit> {
        if bytes > self.buffer.len() {
            self.make_room(bytes)?;
        }
        let place = self.buffer.start..self.buffer.start + bytes;
        // No longer than the buffer, which is within the memory for good.
        Ok(&mut self.memory.data_mut(&mut self.store)[place])
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) -> Result<(), Unfit> {
        let ask = self.ask_buffer.clone();
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX);
        let address = self.call(&ask, wanted)?;
        let place = address as usize..(address as usize).saturating_add(bytes);
        let why = if address == 0 {
            format!("has no room for {bytes} bytes")
        } else if address % BUFFER_ALIGNMENT != 0 {
            format!("answered {address}, which is no multiple of {BUFFER_ALIGNMENT}")
        } else if place.end > self.memory_bytes() {
            format!(
                "answered {address}, where there are no {bytes} bytes: its memory has {}",
                self.memory_bytes()
            )
        } else {
            self.buffer = place;
            return Ok(());
        };
        Err(self.wrong_buffer(why))
    }

    #[cold]
    fn wrong_buffer(&mut self, why: String) -> Unfit {
        self.offend(export::BUFFER, &Offence::Wrong(why))
    }

    /// Writes a record into the buffer.
    ///
    /// # Errors
    /// As [`Self::room`].
    #[inline]
    pub(super) fn write(&mut self, record: &[u8]) -> Result<(), Unfit> {
        self.room(record.len())?.copy_from_slice(record);
        Ok(())
    }

    /// What is at an address of the guest's; `None` where it has no such memory.
    #[inline]
    pub(super) fn read(&self, address: u32, bytes: usize) -> Option<&[u8]> {
        let end = (address as usize).checked_add(bytes)?;
        self.memory.data(&self.store).get(address as usize..end)
    }

    /// Bytes of its linear memory.
    #[inline]
    pub(super) fn memory_bytes(&self) -> usize {
        self.memory.data_size(&self.store)
    }

    #[inline]
    pub(super) fn tally(&self) -> &Tally {
        &self.store.data().tally
    }

    /// Notes that the function called `name` broke a rule; nothing is asked of the instance from now
    /// on.
    #[cold]
    pub(super) fn offend(&mut self, name: &str, offence: &Offence) -> Unfit {
        let unfit = offend(&self.policy, self.purpose, &self.store, name, offence);
        self.unfit = Some(unfit.clone());
        unfit
    }
}

fn store(policy: &Arc<Policy>, share_part: usize, purpose: Purpose) -> Store<Guest> {
    let (figures, log) = match purpose {
        Purpose::Serve => (Arc::clone(&policy.figures), Some(Arc::clone(&policy.log))),
        Purpose::Trial => (Arc::<Figures>::default(), None),
    };
    let guest = Guest {
        account: Account::open(LOAD_TIME, policy.beat.ticks(), None),
        beat: Arc::clone(&policy.beat),
        tally: figures.open(),
        memory_bytes_max: policy.limits.memory_bytes_max.min(share_part),
        denied_bytes: None,
        log,
        complaint: None,
    };
    let mut store = Store::new(policy.linked.module().engine(), guest);
    store.limiter(|guest| guest);
    store.epoch_deadline_callback(|mut context| context.data_mut().tick());
    store
}

fn find<P: WasmParams, R: WasmResults>(
    store: &mut Store<Guest>,
    raw: &wasmtime::Instance,
    name: &'static str,
) -> Result<Export<P, R>, Unfit> {
    match raw.get_typed_func(&mut *store, name) {
        Ok(function) => Ok(Export { name, function }),
        Err(error) => Err(Unfit(format!(
            "it has no {name} of the right type: {error:#}"
        ))),
    }
}

/// Calls into the guest, under its account.
#[inline]
fn run<R>(
    store: &mut Store<Guest>,
    call: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<R>,
) -> Result<R, Offence> {
    let guest = store.data_mut();
    guest.denied_bytes = None;
    guest.complaint = None;
    guest.account.begin(guest.beat.ticks(), thread_clock);
    store.set_epoch_deadline(1);
    let outcome = call(store);
    let guest = store.data_mut();
    guest.account.end(thread_clock);
    outcome.map_err(|error| {
        let circumstances = Circumstances {
            allowance: guest.account.allowance(),
            denied: guest
                .denied_bytes
                .map(|bytes| (bytes, guest.memory_bytes_max)),
            complaint: guest.complaint.take(),
        };
        Offence::of(&error, &circumstances)
    })
}

/// Counts and logs an offence.
fn offend(
    policy: &Policy,
    purpose: Purpose,
    store: &Store<Guest>,
    what: &str,
    offence: &Offence,
) -> Unfit {
    let guest = store.data();
    let counter = match offence {
        Offence::Deadline(_) => &guest.tally.deadlines_missed,
        Offence::Trap(_) | Offence::Memory { .. } => &guest.tally.traps,
        Offence::Wrong(_) => &guest.tally.wrong_answers,
    };
    counter.add(1);
    let why = format!("{what} {offence}");
    if purpose == Purpose::Serve && policy.offences.admits(guest.beat.ticks()) {
        tracing::warn!(policy = policy.name, why, "a policy broke a rule");
    }
    Unfit(why)
}
