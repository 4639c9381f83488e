//! Scripts: those that clients may call by name, those that run, and the Lua states they run in.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_engine::Millis;
use larder_lua::{Bounds, Interpreter, Kill, Progress, Script};

use crate::ServerConfig;
use crate::stats::bump;

/// Scripts of a tenant that can be called by name, and the bytes of them; beyond that those known for
/// longest are forgotten.
const KNOWN_MAX: usize = 10_000;
const KNOWN_BYTES_MAX: usize = 16 << 20;
/// Lines that the scripts of a tenant may log in a second, and the bits to count them in.
const LINES_MAX: u64 = 100;
const LINES_BITS: u32 = 16;

/// The scripts of one tenant.
#[derive(Default)]
pub(crate) struct Scripts {
    known: Mutex<Known>,
    /// The second in which a script logged last, and in the lowest bits how many lines.
    logged: AtomicU64,
    /// One for each Lua state, which are as many as workers.
    progress: Mutex<Vec<Arc<Progress>>>,
    runs: AtomicU64,
    failed: AtomicU64,
    ns: AtomicU64,
}

/// What was counted of the scripts of a tenant, and what they hold now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScriptFigures {
    /// Runs that came to their end.
    pub runs: u64,
    /// Of them, those that were answered with an error.
    pub failed: u64,
    /// What they took together, in nanoseconds.
    pub ns: u64,
    /// Memory of the Lua states.
    pub memory_bytes: u64,
    /// Scripts that can be called by name, and the bytes of their code.
    pub known: u64,
    /// See [`Self::known`].
    pub known_bytes: u64,
}

#[derive(Default)]
struct Known {
    by_name: HashMap<String, Arc<KnownScript>>,
    /// Names, known for longest first.
    order: VecDeque<String>,
    bytes: usize,
}

/// A script that can be called by name.
pub(crate) struct KnownScript {
    pub(crate) script: Script,
    /// It has touched a key that it had not declared.
    is_boundless: AtomicBool,
}

impl KnownScript {
    /// Whether a run has to hold all shards from its beginning.
    pub(crate) fn is_boundless(&self) -> bool {
        self.is_boundless.load(Ordering::Relaxed)
    }

    pub(crate) fn set_boundless(&self) {
        self.is_boundless.store(true, Ordering::Relaxed);
    }
}

impl Scripts {
    /// Whether one more line may be logged in this second.
    pub(crate) fn may_log(&self, now: Millis) -> bool {
        let second = now / 1000;
        let next = |logged: u64| {
            let lines = if logged >> LINES_BITS == second {
                logged & ((1 << LINES_BITS) - 1)
            } else {
                0
            };
            (lines < LINES_MAX).then_some(second << LINES_BITS | (lines + 1))
        };
        let (set, get) = (Ordering::Relaxed, Ordering::Relaxed);
        self.logged.fetch_update(set, get, next).is_ok()
    }

    /// The script of that name, which has small letters.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<KnownScript>> {
        lock(&self.known).by_name.get(name).cloned()
    }

    /// Lets a script be called by name from now on.
    pub(crate) fn keep(&self, script: Script) -> Arc<KnownScript> {
        let mut known = lock(&self.known);
        let (name, bytes) = (script.sha().to_owned(), script.bytes());
        if let Some(known) = known.by_name.get(&name) {
            return Arc::clone(known);
        }
        let script = Arc::new(KnownScript {
            script,
            is_boundless: AtomicBool::new(false),
        });
        if bytes > KNOWN_BYTES_MAX {
            return script;
        }
        known.bytes += bytes;
        known.order.push_back(name.clone());
        known.by_name.insert(name, Arc::clone(&script));
        while known.order.len() > KNOWN_MAX || known.bytes > KNOWN_BYTES_MAX {
            let Some(oldest) = known.order.pop_front() else {
                break;
            };
            let forgotten = known.by_name.remove(&oldest);
            known.bytes -= forgotten.map_or(0, |known| known.script.bytes());
        }
        script
    }

    /// Counts a run that took so long.
    pub(crate) fn ran(&self, ns: u64, has_failed: bool) {
        bump(&self.runs);
        self.failed
            .fetch_add(u64::from(has_failed), Ordering::Relaxed);
        self.ns.fetch_add(ns, Ordering::Relaxed);
    }

    pub(crate) fn figures(&self) -> ScriptFigures {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let known = lock(&self.known);
        ScriptFigures {
            runs: load(&self.runs),
            failed: load(&self.failed),
            ns: load(&self.ns),
            memory_bytes: self.memory_bytes(),
            known: known.order.len() as u64,
            known_bytes: known.bytes as u64,
        }
    }

    /// Memory of the Lua states.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let states = lock(&self.progress);
        states.iter().map(|one| one.memory_bytes() as u64).sum()
    }

    /// SCRIPT FLUSH.
    pub(crate) fn forget_all(&self) {
        *lock(&self.known) = Known::default();
    }

    /// SCRIPT KILL: ends the scripts that run and wrote nothing. Of several workers' outcomes the one that
    /// did most.
    pub(crate) fn kill(&self) -> Kill {
        let kills: Vec<Kill> = lock(&self.progress).iter().map(|one| one.kill()).collect();
        let most = [Kill::Done, Kill::Unkillable];
        let found = most.into_iter().find(|kill| kills.contains(kill));
        found.unwrap_or(Kill::NotBusy)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What it guards is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

thread_local! {
    /// The Lua states of this worker, one a tenant: they cannot leave their thread.
    static STATES: RefCell<Vec<(Arc<Scripts>, Interpreter)>> = const { RefCell::new(Vec::new()) };
}

/// Does something with this worker's Lua state for a tenant's scripts.
///
/// # Errors
/// When there is none and none can be made.
pub(crate) fn with_interpreter<R>(
    scripts: &Arc<Scripts>,
    config: &ServerConfig,
    body: impl FnOnce(&mut Interpreter) -> R,
) -> Result<R, String> {
    STATES.with_borrow_mut(|states| {
        let found = states.iter().position(|(of, _)| Arc::ptr_eq(of, scripts));
        let at = match found {
            Some(at) => at,
            None => {
                let interpreter = Interpreter::new(Bounds {
                    memory_bytes_max: config.lua_memory_bytes_max,
                    time_max: config.lua_time_max,
                    reply_bytes_max: config.output_bytes_max,
                })?;
                lock(&scripts.progress).push(Arc::clone(interpreter.progress()));
                states.push((Arc::clone(scripts), interpreter));
                states.len() - 1
            }
        };
        Ok(body(&mut states[at].1))
    })
}
