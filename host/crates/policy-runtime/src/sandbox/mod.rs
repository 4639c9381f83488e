//! Where policies run: one engine, its limits, and the way of a file until it may run.
//!
//! 1. It is looked through without compiling: size, sections, marker, imports, memory.
//! 2. Its manifest is read, and its parameters are set.
//! 3. It is compiled, or taken from the cache of compiled code; its functions must have the
//!    types of the contract.
//! 4. It is tried, everything under a deadline.

mod account;
mod beat;
mod code_cache;
mod inspect;
mod signatures;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use wasmtime::{Config, Engine, Linker, Module};

use crate::policy::{self, Checked, Figures, Guest, Manifest, Policy};
pub(crate) use account::{Account, thread_clock};
pub(crate) use beat::{Beat, TICK};
use code_cache::CodeCache;

/// Why a policy is not taken, or no sandbox can be made: for people, what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// What policies may use up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// CPU time of a request: of the events and the demand for room that belong together, or of a
    /// decision. It is looked at when the clock ticks, each millisecond, so that a guest gets up to a
    /// tick more; and a decision may get a tick less. An instruction that copies or fills memory is
    /// never interrupted.
    pub deadline: Duration,
    /// Bytes of a file.
    pub module_bytes_max: usize,
    /// Bytes of all custom sections of a file, which are names, debugging information and the
    /// manifest.
    pub custom_section_bytes_max: usize,
    /// Bytes of linear memory that any instance may have.
    pub memory_bytes_max: usize,
    /// Bytes that an instance for eviction may have beyond that for each slot of its shard.
    pub memory_bytes_a_slot: usize,
    /// Lines that all instances of a policy together may log in a second.
    pub log_lines_max_a_second: u32,
    /// Bytes of stack that a call may use.
    pub stack_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_millis(2),
            module_bytes_max: 16 << 20,
            custom_section_bytes_max: 1 << 20,
            memory_bytes_max: 16 << 20,
            memory_bytes_a_slot: 128,
            log_lines_max_a_second: 20,
            stack_bytes_max: 256 << 10,
        }
    }
}

/// How a sandbox is made.
#[derive(Debug, Clone, Default)]
pub struct SandboxConfig {
    /// Where compiled code is kept for the next start; `None` for nowhere. It is made if need be,
    /// and must belong to this user alone, as what is in it is run.
    pub cache_dir: Option<PathBuf>,
    /// What policies may use up.
    pub limits: Limits,
}

/// What the file beside a policy says of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// Its parameters by name; those that are not here have the defaults of the manifest.
    pub parameters: BTreeMap<String, Given>,
    /// In place of [`Limits::deadline`].
    pub deadline: Option<Duration>,
    /// In place of [`Limits::memory_bytes_max`].
    pub memory_bytes_max: Option<usize>,
}

/// A parameter as it was given. Durations and sizes are texts.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
    /// A text.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

/// An engine with its limits, and the thread that gives it its time; that ends when the sandbox and
/// all its policies are gone.
pub struct Sandbox {
    engine: Engine,
    linker: Linker<Guest>,
    beat: Arc<Beat>,
    cache: Option<CodeCache>,
    limits: Limits,
}

impl Sandbox {
    /// # Errors
    /// When the folder for compiled code is not safe, or the machine does not allow what is needed.
    pub fn new(config: SandboxConfig) -> Result<Arc<Self>, Refusal> {
        let cannot = |error: wasmtime::Error| {
            Refusal(format!(
                "WebAssembly cannot be run on this machine: {error:#}"
            ))
        };
        let engine = Engine::new(&engine_config(&config.limits)).map_err(cannot)?;
        let mut linker = Linker::new(&engine);
        policy::link(&mut linker).map_err(cannot)?;
        let beat = Beat::start(engine.clone()).map_err(|error| {
            Refusal(format!(
                "the thread that times policies cannot be started: {error}"
            ))
        })?;
        let cache = config
            .cache_dir
            .map(|folder| CodeCache::new(folder, &engine))
            .transpose()?;
        Ok(Arc::new(Self {
            engine,
            linker,
            beat,
            cache,
            limits: config.limits,
        }))
    }

    /// What policies may use up.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks, compiles and tries a policy. Takes from milliseconds to seconds, on this thread.
    /// `figures` is where its deeds are counted: those of the version before, if there was one.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn load(
        self: &Arc<Self>,
        name: &str,
        module: &[u8],
        settings: &Settings,
        figures: Arc<Figures>,
    ) -> Result<Arc<Policy>, Refusal> {
        let policy = self.load_untried(name, module, settings, figures)?;
        policy::try_out(&policy)?;
        Ok(policy)
    }

    /// All of [`Self::load`] but the trial: for tests of the border, with guests that fail it.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn load_untried(
        self: &Arc<Self>,
        name: &str,
        module: &[u8],
        settings: &Settings,
        figures: Arc<Figures>,
    ) -> Result<Arc<Policy>, Refusal> {
        let limits = Limits {
            deadline: settings.deadline.unwrap_or(self.limits.deadline),
            memory_bytes_max: settings
                .memory_bytes_max
                .unwrap_or(self.limits.memory_bytes_max),
            ..self.limits
        };
        let manifest = Manifest::parse(inspect::inspect(module, &limits)?)?;
        let parameters = manifest.set(&settings.parameters)?;
        let digest: [u8; 32] = Sha256::digest(module).into();
        let compiled = self.compile(&digest, module)?;
        signatures::check(&compiled, manifest.kinds)?;
        let linked = self.linker.instantiate_pre(&compiled).map_err(|error| {
            Refusal(format!("its imports are not those of a policy: {error:#}"))
        })?;
        let checked = Checked {
            manifest,
            digest: hex(&digest),
            parameters,
            linked,
            limits,
            beat: Arc::clone(&self.beat),
        };
        Ok(Arc::new(Policy::new(name, checked, figures)))
    }

    fn compile(&self, digest: &[u8; 32], module: &[u8]) -> Result<Module, Refusal> {
        let compile = || {
            Module::from_binary(&self.engine, module).map_err(|error| {
                Refusal(format!(
                    "it is not valid WebAssembly: {}",
                    error.root_cause()
                ))
            })
        };
        match &self.cache {
            Some(cache) => cache.get_or_compile(&self.engine, digest, compile),
            None => compile(),
        }
    }
}

/// Everything that could make two machines differ is off, as is everything that policies do not need.
fn engine_config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .cranelift_nan_canonicalization(true)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes_max)
        .wasm_backtrace_max_frames(None)
        // Reading them from the environment is for debugging wasmtime.
        .wasm_backtrace_details(wasmtime::WasmBacktraceDetails::Disable)
        .wasm_relaxed_simd(false)
        .relaxed_simd_deterministic(true)
        .wasm_multi_memory(false)
        .wasm_memory64(false)
        // An instance's first memory is small, and an image of it would cost a file handle a module.
        .memory_init_cow(false);
    config
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
