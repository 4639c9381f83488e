//! `larder serve`: starts everything, says so, and runs until a signal.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::mpsc::Sender;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use std::{env, panic, thread};

use anyhow::{Context, bail};
use larder_engine::foresight::Foresight;
use larder_engine::tier::Levels;
use larder_engine::{Engine, Millis, SizeClasses};
use larder_observe::{Filter, logging};
use larder_policy_runtime::Keeper;

use larder_server::{Health, Hook, LogControl, Parts, Running, Shared};
use larder_tiers::Stack;
use larder_tiers::codec::{Codec, KeyRing};
use rand::TryRng;
use rand::rngs::SysRng;
use rustix::process::{Resource, Rlimit, Signal as SystemSignal, getrlimit, setrlimit};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{error, info, warn};

use crate::assemble::Lower;
use crate::config::{Config, Folders, Loaded};
use crate::hooks::Webhooks;
use crate::hot_set::HotSets;
use crate::keys::{self, RingFile};
use crate::notify::Supervisor;
use crate::predict::{self, Predicting};
use crate::upkeep::Upkeep;
use crate::{assemble, hooks, memory, metrics};

/// Serves until SIGTERM or SIGINT, then drains. `unknown_variables` are warned of.
///
/// The exit code is 0 when every client could finish what it had begun, 1 when some were cut off
/// at `drain_timeout` or by a second signal.
///
/// # Errors
/// When the server cannot start, in one sentence; nobody has been served then.
pub fn run(loaded: &Loaded, unknown_variables: &[String]) -> anyhow::Result<ExitCode> {
    let config = &loaded.config;
    logging::start(config.log.filter.parse()?, config.log.format)?;
    log_panics();
    for variable in unknown_variables {
        warn!(
            variable,
            "unknown variable in the environment, without effect"
        );
    }
    let ring = ring(config)?;
    prepare(&config.folders)?;
    let lock = lock(&config.folders.data)?;
    raise_descriptors(config);
    let seed = seed(config)?;
    let (ring_file, ring) = ring.unzip();
    let codec = assemble::codec(config, ring, seed)?;
    let lower = assemble::lower(config, &codec, seed, now)?;
    let (hooks, webhooks) = hooks::hooks(config, |name| env::var_os(name), now)?;
    let (shared, predicting) = shared(loaded, seed, &codec, lower.as_ref(), hooks)?;
    let shared = Arc::new(shared);
    let upkeep = Upkeep::new(codec);
    let disk = lower.as_ref().and_then(|lower| lower.disk.clone());
    let working = upkeep
        .start(ring_file, disk, now)
        .context("the system gives no thread for the codec")?;
    let code = Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the system gives no event queue")?
        .block_on(serve(shared, upkeep, webhooks, config, lock));
    drop(predicting);
    drop(working);
    if let Some(lower) = lower {
        lower.stack.stop();
    }
    code
}

/// The log of this process.
pub(crate) const LOG: LogControl = LogControl {
    read: logging::filter,
    check: check_log_filter,
    change: |text| {
        if let Ok(filter) = text.parse() {
            logging::change(filter);
        }
    },
};

/// A word alone would be the name of a module whose whole log is wanted, and nothing else.
fn check_log_filter(text: &str) -> Result<(), String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    if !text.contains('=') && !LEVELS.contains(&text) {
        return Err(format!(
            "argument must be one of {}, or levels by module such as larder_server=debug,warn",
            LEVELS.join(", ")
        ));
    }
    let parsed = text.parse::<Filter>().map(|_| ());
    parsed.map_err(|error| error.to_string())
}

/// The process's clock, in Unix milliseconds.
fn now() -> Millis {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    since.as_millis() as Millis
}

/// What nobody can guess, from the system.
fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    SysRng.try_fill_bytes(bytes).map_err(io::Error::other)
}

/// Nanoseconds since this was asked first.
fn monotonic_ns() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_nanos() as u64
}

/// The key ring that the settings name. From now on nobody sees what is in memory.
fn ring(config: &Config) -> anyhow::Result<Option<(RingFile, KeyRing)>> {
    let Some(path) = &config.codec.key_ring else {
        return Ok(None);
    };
    keys::forbid_dumps()
        .context("the system lets others look into the memory, where keys are to be")?;
    Ok(Some(RingFile::open(path)?))
}

/// What hashes are seeded with.
fn seed(config: &Config) -> anyhow::Result<u64> {
    let mut drawn = [0; 8];
    fill_random(&mut drawn).context("the system gives no random numbers")?;
    Ok(config.store.seed.unwrap_or(u64::from_ne_bytes(drawn)))
}

fn shared(
    loaded: &Loaded,
    seed: u64,
    codec: &Arc<Codec>,
    lower: Option<&Lower>,
    hooks: Vec<Hook>,
) -> anyhow::Result<(Shared, Option<Predicting>)> {
    let mut run_id = [0; 20];
    fill_random(&mut run_id).context("the system gives no random numbers")?;
    let config = &loaded.config;
    let engine = assemble::engine_config(
        config,
        SizeClasses::Jemalloc,
        seed,
        now(),
        Some(codec),
        lower,
    );
    let engine = Arc::new(Engine::new(engine)?);
    if let Some(lower) = lower {
        lower.stack.serve(engine.tenants());
    }
    let (foresight, predicting) = foresight(config, &engine, seed)?.unzip();
    let keeper = assemble::keeper_config(config, Arc::clone(&engine), seed, now)?;
    let keeper = Keeper::start(keeper).context("the policies cannot be kept")?;
    let parts = Parts {
        engine,
        deciders: keeper.clone(),
        policies: keeper,
        levels: lower.map(|lower| Arc::<Stack>::clone(&lower.stack) as Arc<dyn Levels>),
        codec: assemble::codec_figures(codec),
        foresight,
        hooks,
        clock: now,
        monotonic_ns,
        resident: memory::resident,
        release_memory: memory::release,
        random: fill_random,
        run_id: run_id.iter().map(|byte| format!("{byte:02x}")).collect(),
        log: LOG,
    };
    let shared = Shared::new(assemble::server_config(loaded), parts);
    Ok((shared, predicting))
}

/// Whoever foretells, where that is wanted.
fn foresight(
    config: &Config,
    engine: &Engine,
    seed: u64,
) -> anyhow::Result<Option<(Arc<dyn Foresight>, Predicting)>> {
    let settings = &config.predict;
    let start = || predict::start(settings, engine.tenants(), &config.folders.data, seed, now);
    let started = settings.enabled.then(start).transpose();
    started.context("the system gives no thread for prediction")
}

async fn serve(
    shared: Arc<Shared>,
    upkeep: Arc<Upkeep>,
    webhooks: Webhooks,
    config: &Config,
    lock: File,
) -> anyhow::Result<ExitCode> {
    // Before anybody can know that the server runs: a signal must find its handler.
    let mut signals = Signals::new().context("the system lets no signals be handled")?;
    let supervisor = Supervisor::find(|name| env::var_os(name), process::id())?;
    let counted = shared.clone();
    let running = larder_server::start(
        shared.clone(),
        Arc::new(move || metrics::render(&counted, &upkeep, &webhooks)),
    )?;
    let hot_sets = HotSets::new(config);
    let early = tokio::select! {
        () = hot_sets.restore(&shared) => None,
        signal = signals.next() => Some(signal),
    };
    let (signal, _watchdog) = match early {
        Some(signal) => (signal, None),
        None => {
            let watchdog = announce(&running, &shared, supervisor.as_ref(), config)?;
            (signals.next().await, watchdog)
        }
    };
    info!(signal, "draining");
    tell(supervisor.as_ref(), "STOPPING=1\nSTATUS=draining");
    // A successor may start while the last clients are served, unless it needs the second level that they use.
    let has_levels = !shared.levels().is_empty();
    let (_lock, lock) = if has_levels {
        (Some(lock), None)
    } else {
        (None, Some(lock))
    };
    let saving = tokio::task::spawn_blocking(move || {
        // What has not all come back is not what was hot.
        if early.is_none() {
            hot_sets.save(&shared);
        }
        drop(lock);
    });
    let drained = tokio::select! {
        (drained, _) = async { tokio::join!(running.drain(), saving) } => drained,
        signal = signals.next() => {
            error!(signal, "second signal while draining: clients are cut off");
            return Ok(ExitCode::FAILURE);
        }
    };
    if drained.cut_off > 0 {
        error!(
            cut_off = drained.cut_off,
            "drain_timeout has passed: clients are cut off"
        );
        return Ok(ExitCode::FAILURE);
    }
    info!("drained in time");
    Ok(ExitCode::SUCCESS)
}

/// Says that the server is ready, to whoever wants to know; what is returned goes on saying so to the supervisor.
fn announce(
    running: &Running,
    shared: &Arc<Shared>,
    supervisor: Option<&Supervisor>,
    config: &Config,
) -> anyhow::Result<Option<Sender<()>>> {
    running.open();
    let ready = ready_line(running);
    info!(policies = %config.folders.policies.display(), "{ready}");
    if let Err(error) = writeln!(io::stdout(), "{ready}").and_then(|()| io::stdout().flush()) {
        warn!(%error, "nobody reads standard output");
    }
    tell(supervisor, &format!("READY=1\nSTATUS={ready}"));
    let watched = shared.clone();
    let watchdog = supervisor.map(|supervisor| supervisor.watch(move || lives(&watched)));
    Ok(watchdog.transpose()?.flatten())
}

/// Whether the server does what it should, or is on its way to or from there.
fn lives(shared: &Shared) -> bool {
    match shared.health() {
        Health::Failed => false,
        Health::Ready => shared.silence().is_none(),
        Health::Starting | Health::Draining => true,
    }
}

/// Tells the supervisor, if there is one; the server runs without one that does not listen.
fn tell(supervisor: Option<&Supervisor>, state: &str) {
    if let Some(Err(error)) = supervisor.map(|supervisor| supervisor.tell(state)) {
        warn!(%error, state, "the supervisor at NOTIFY_SOCKET cannot be told");
    }
}

/// The one line on standard output, for whoever started the server with port 0 or waits for it.
fn ready_line(running: &Running) -> String {
    let told =
        |addr: Option<SocketAddr>| addr.map_or_else(|| "none".to_owned(), |addr| addr.to_string());
    let (http, tls) = (told(running.http_addr()), told(running.tls_addr()));
    format!(
        "larder ready resp={} http={http} tls={tls}",
        told(running.resp_addr())
    )
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// A file that would grow beyond what `ulimit -f` allows is an error of who writes it, and not the end.
    _file_too_large: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self {
            terminate,
            interrupt: signal(SignalKind::interrupt())?,
            _file_too_large: signal(SignalKind::from_raw(SystemSignal::XFSZ.as_raw()))?,
        })
    }

    /// The name of the next signal to stop.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Descriptors for everything that is no client and no file of the second level.
const OWN_DESCRIPTORS: u64 = 256;

/// Descriptors that a server may have open at once.
pub(crate) fn descriptors(config: &Config) -> u64 {
    let clients_max = config.limits.clients_max as u64;
    clients_max + assemble::files_below_max(config) + OWN_DESCRIPTORS
}

/// Allows as many open descriptors as clients and second level may need, as far as the system lets us.
fn raise_descriptors(config: &Config) {
    let (wanted, clients_max) = (descriptors(config), config.limits.clients_max);
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < wanted) else {
        return;
    };
    let raised = limit
        .maximum
        .map_or(wanted, |maximum| maximum.min(wanted))
        .max(current);
    let allowed = Rlimit {
        current: Some(raised),
        ..limit
    };
    let descriptors = setrlimit(Resource::Nofile, allowed).map_or(current, |()| raised);
    if descriptors < wanted {
        warn!(
            descriptors,
            clients_max, "fewer clients than clients_max can be served; raise `ulimit -n`"
        );
    }
}

/// Makes the folders, and finds out now whether they can be written, not when it matters.
fn prepare(folders: &Folders) -> anyhow::Result<()> {
    let Folders { data, policies } = folders;
    let in_vain = |folder: &Path, key| {
        format!(
            "the {key} folder {} cannot be written; choose another with --{key}",
            folder.display()
        )
    };
    fs::create_dir_all(data).with_context(|| in_vain(data, "data"))?;
    let probe = data.join(".writable");
    // A full disk takes an empty file.
    let written = fs::write(&probe, [0; 4096]);
    // It may not be there.
    let _ = fs::remove_file(&probe);
    written.with_context(|| in_vain(data, "data"))?;
    fs::create_dir_all(policies).with_context(|| in_vain(policies, "policies"))
}

/// Takes the data folder for this server alone, as two would write over what the other keeps there. It
/// is another's to take once the handle is closed, however the process ends.
fn lock(data: &Path) -> anyhow::Result<File> {
    let folder = File::open(data).with_context(|| format!("cannot open {}", data.display()))?;
    match folder.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => bail!(
            "the data folder {} is in use by another server; choose another with --data",
            data.display()
        ),
        // Some file systems know no locks; the server runs there as well.
        Err(TryLockError::Error(error)) => {
            warn!(folder = %data.display(), %error, "a second server on the data folder goes unnoticed");
        }
    }
    Ok(folder)
}

/// Panics go to the log like everything else, so that they are found where people look.
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let thread = thread::current();
        let thread = thread.name().unwrap_or("unnamed");
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic
            .location()
            .map(ToString::to_string)
            .unwrap_or_default();
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            error!(thread, place, %backtrace, "panic: {message}");
        } else {
            error!(thread, place, "panic: {message}");
        }
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_the_log_is_a_word_or_words_by_module() {
        for text in ["info", "off", "larder_server=debug,warn"] {
            assert_eq!(check_log_filter(text), Ok(()), "{text}");
        }
        for text in ["loud", "", "larder=loud", "INFO "] {
            assert!(check_log_filter(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folders_are_made_or_refused_in_one_sentence() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("some/data");
        let policies = data.join("policies.d");
        let folders = Folders {
            data: data.clone(),
            policies: policies.clone(),
        };
        prepare(&folders).unwrap();
        prepare(&folders).unwrap();
        assert!(policies.is_dir());
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "the probe is gone");

        let file = root.path().join("file");
        fs::write(&file, "").unwrap();
        for (key, folders) in [
            (
                "data",
                Folders {
                    data: file.clone(),
                    policies,
                },
            ),
            (
                "policies",
                Folders {
                    data,
                    policies: file.clone(),
                },
            ),
        ] {
            let error = format!("{:#}", prepare(&folders).unwrap_err());
            let expected = format!(
                "the {key} folder {} cannot be written; choose another with --{key}: ",
                file.display()
            );
            assert!(error.starts_with(&expected), "{error}");
        }
    }
}
