//! Scripts: those that clients may call by name, those that run, and the Lua states they run in.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larder_lua::{Bounds, Interpreter, Kill, Progress, Script};

use crate::ServerConfig;

/// Scripts of a tenant that can be called by name, and the bytes of them; beyond that those known for
/// longest are forgotten.
const KNOWN_MAX: usize = 10_000;
const KNOWN_BYTES_MAX: usize = 16 << 20;

/// The scripts of one tenant.
#[derive(Default)]
pub(crate) struct Scripts {
    known: Mutex<Known>,
    /// One for each Lua state, which are as many as workers.
    progress: Mutex<Vec<Arc<Progress>>>,
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
