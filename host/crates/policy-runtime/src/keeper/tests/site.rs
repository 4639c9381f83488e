//! A data folder, a folder of policies and an engine to try things in, with a clock of its own.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use larder_engine::policies::{PolicyRow, PolicyState};
use larder_engine::{
    Access, Edit, Engine, EngineConfig, EvictorFactory, Expiry, Key, Millis, SizeClasses,
    TenantConfig, native,
};
use larder_policy_lru::Lru;

use super::super::board::Board;
use super::super::deciders::Desks;
use super::super::loader::{Loader, Order};
use super::super::{Keeper, KeeperConfig};
use crate::sandbox::{Sandbox, SandboxConfig};

pub(crate) const NOW: Millis = 1_700_000_000_000;

pub(crate) struct Site {
    dir: tempfile::TempDir,
    sandbox: Arc<Sandbox>,
}

/// One life of a keeper, without its thread.
pub(crate) struct Run {
    pub(crate) engine: Arc<Engine>,
    pub(crate) loader: Loader,
    pub(crate) desks: Arc<Desks>,
    board: Arc<Board>,
    now_ms: u64,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policies.d")).unwrap();
        let sandbox = Sandbox::new(SandboxConfig {
            cache_dir: Some(dir.path().join("code")),
            ..SandboxConfig::default()
        });
        Self {
            sandbox: sandbox.unwrap(),
            dir,
        }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.dir.path().join("policies.d")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        // As tools do it, so that each is a new file.
        let temporary = self.folder().join(".tmp");
        fs::write(&temporary, content).unwrap();
        fs::rename(temporary, self.folder().join(name)).unwrap();
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.folder().join(name)).unwrap();
    }

    fn config(&self, engine: &Arc<Engine>) -> KeeperConfig {
        KeeperConfig {
            folder: self.folder(),
            data: self.data(),
            sandbox: Arc::clone(&self.sandbox),
            engine: Arc::clone(engine),
            natives: vec![lru(), lru()],
            threads: 2,
            clock: || NOW,
            seed: 7,
            poll: Duration::ZERO,
        }
    }

    /// Starts, and takes what lies in the folder.
    pub(crate) fn start(&self) -> Run {
        let engine = engine();
        let config = self.config(&engine);
        let desks = Arc::new(Desks::new(config.threads, 2, config.seed));
        let board = Arc::new(Board::default());
        let mut run = Run {
            loader: Loader::new(config, Arc::clone(&desks), Arc::clone(&board)),
            engine,
            desks,
            board,
            now_ms: 0,
        };
        run.settle();
        assert!(run.loader.is_ready());
        run
    }

    pub(crate) fn start_keeper(&self) -> Arc<Keeper> {
        Keeper::start(self.config(&engine())).unwrap()
    }
}

impl Run {
    /// Lets `ms` go by, and does what is due then.
    pub(crate) fn pass(&mut self, ms: u64) {
        self.now_ms += ms;
        self.loader.step(self.now_ms);
    }

    /// Takes what changed in the folder.
    pub(crate) fn settle(&mut self) {
        (0..3).for_each(|_| self.pass(50));
    }

    pub(crate) fn order(&mut self, order: Order) -> Result<(), String> {
        let (reply, outcome) = mpsc::sync_channel(1);
        self.loader.obey(order, reply);
        outcome.try_recv().expect("an outcome at once")
    }

    pub(crate) fn rows(&self) -> Vec<PolicyRow> {
        self.board.read()
    }

    /// The row of a policy of the folder.
    pub(crate) fn row(&self, name: &str) -> PolicyRow {
        let mut rows = self.rows().into_iter();
        let row = rows.find(|row| row.name == name && !row.file.is_empty());
        row.unwrap_or_else(|| panic!("no row of {name}"))
    }

    pub(crate) fn state(&self, name: &str) -> PolicyState {
        self.row(name).state
    }

    /// Who rules the tenants' evictions, as the engine says.
    pub(crate) fn rulers(&self) -> Vec<String> {
        let tenants = self.engine.tenants().iter();
        tenants.map(|tenant| tenant.eviction()).collect()
    }

    /// Who rules the default tenant's.
    pub(crate) fn ruler(&self) -> String {
        self.rulers().swap_remove(0)
    }

    /// Writes an entry of the default tenant, and lets its evictor know.
    pub(crate) fn put(&self, key: &str, bytes: usize) {
        let value = vec![0; bytes];
        let tenant = self.engine.default_tenant();
        let written = tenant.update(
            Key::new(0, key.as_bytes()),
            NOW,
            Access::Write,
            bytes,
            |_| (Edit::put(&value[..], Expiry::Never), ()),
        );
        written.unwrap();
        while self.engine.maintain(NOW) {}
    }
}

fn lru() -> Arc<dyn EvictorFactory> {
    native("lru", Lru::default)
}

fn engine() -> Arc<Engine> {
    let tenant = |name: &str| TenantConfig {
        name: name.to_owned(),
        memory_bytes: 4 << 20,
        evictor: lru(),
        reuse: None,
        below: None,
        vault: None,
    };
    let engine = Engine::new(EngineConfig {
        memory_bytes: 8 << 20,
        threads: 1,
        seed: 7,
        size_classes: SizeClasses::Sixteen,
        start_ms: NOW,
        volatile_only: false,
        tenants: vec![tenant("default"), tenant("shop")],
    });
    Arc::new(engine.unwrap())
}
