//! What the keeper's thread does: looks, loads, puts in force, minds what fails, obeys.
//!
//! Everything here happens on one thread and one step at a time. Time comes in as milliseconds of a
//! clock that never goes back; the wall clock is only asked for what people and the engine see.

mod deploy;
mod force;
mod operator;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use larder_engine::{Engine, EvictorFactory, Millis};

use super::KeeperConfig;
use super::board::{Board, Row};
use super::deciders::Desks;
use super::disk::Disk;
use super::offences::Offences;
use super::record::Record;
use super::rows::{self, Facts};
use super::version::Version;
use crate::folder::{Change, Folder, Seen};
use crate::sandbox::Sandbox;

/// How long the first pass waits for files that are being written, in milliseconds.
const FIRST_PASS_MS_MAX: u64 = 2_000;
/// How long a reload waits for them, in milliseconds.
const RELOAD_MS_MAX: u64 = 5_000;

/// Where the outcome of an order goes.
pub(super) type Reply = SyncSender<Result<(), String>>;

/// What an operator wants.
pub(super) enum Order {
    Enable(String),
    Disable(String),
    Rollback(String),
    Reload,
}

/// See the module.
pub(super) struct Loader {
    engine: Arc<Engine>,
    sandbox: Arc<Sandbox>,
    natives: Vec<Arc<dyn EvictorFactory>>,
    clock: fn() -> Millis,
    tenants: Vec<String>,
    folder: Folder,
    disk: Disk,
    record: Record,
    members: BTreeMap<String, Member>,
    /// By tenant: what was installed last; `None` for the native one.
    installed: Vec<Option<Arc<Version>>>,
    desks: Arc<Desks>,
    board: Arc<Board>,
    reloads: Vec<Reload>,
    now_ms: u64,
    is_ready: bool,
    /// Whether the record was compared with what lies in the folder.
    has_compared: bool,
    is_changed: bool,
    /// A native policy could not take over; it is tried again with the next step.
    must_enforce: bool,
}

struct Reload {
    reply: Reply,
    until_ms: u64,
    has_looked: bool,
}

/// A policy of the folder.
#[derive(Clone)]
struct Member {
    seen: Seen,
    /// The id of what lies in the folder; empty where that cannot be read.
    file_id: String,
    current: Option<Arc<Version>>,
    previous: Option<Arc<Version>>,
    /// Why what lies in the folder was not taken.
    complaint: Option<String>,
    offences: Offences,
}

impl Member {
    fn new(seen: Seen) -> Self {
        Self {
            seen,
            file_id: String::new(),
            current: None,
            previous: None,
            complaint: None,
            offences: Offences::default(),
        }
    }

    /// Makes a version the current one.
    fn take(&mut self, version: Arc<Version>) {
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.id == version.id)
        {
            return;
        }
        self.offences = Offences::default();
        if let Some(before) = self.current.replace(version) {
            self.previous = Some(before);
        }
    }
}

impl Loader {
    pub(super) fn new(config: KeeperConfig, desks: Arc<Desks>, board: Arc<Board>) -> Self {
        let tenants: Vec<String> = config
            .engine
            .tenants()
            .iter()
            .map(|tenant| tenant.name().to_owned())
            .collect();
        let (disk, record) = Disk::open(config.data);
        let poll_ms = u64::try_from(config.poll.as_millis()).unwrap_or(u64::MAX);
        let module_bytes_max = config.sandbox.limits().module_bytes_max;
        Self {
            folder: Folder::new(config.folder, poll_ms, module_bytes_max),
            installed: vec![None; tenants.len()],
            engine: config.engine,
            sandbox: config.sandbox,
            natives: config.natives,
            clock: config.clock,
            tenants,
            disk,
            record,
            members: BTreeMap::new(),
            desks,
            board,
            reloads: Vec::new(),
            now_ms: 0,
            is_ready: false,
            has_compared: false,
            is_changed: true,
            must_enforce: false,
        }
    }

    /// Does what is to be done now; to be called every [`super::TICK`] or so.
    pub(super) fn step(&mut self, now_ms: u64) {
        self.now_ms = now_ms;
        self.mind();
        if self.must_enforce {
            // Nothing is on trial.
            let _ = self.enforce(None);
        }
        if self.folder.is_due(now_ms, !self.reloads.is_empty()) {
            self.look();
        }
        // What cannot be written was complained of, and is tried again with the next step.
        let _ = self.disk.save(&self.record);
        if std::mem::take(&mut self.is_changed) {
            self.board.write(self.rows());
        }
        self.answer_reloads();
    }

    /// Obeys an order; the outcome is in force, recorded and listed when it is answered. One that cannot be
    /// recorded is in force all the same, and answered with why.
    pub(super) fn obey(&mut self, order: Order, reply: Reply) {
        let outcome = match order {
            Order::Enable(name) => self.enable(&name),
            Order::Disable(name) => self.disable(&name),
            Order::Rollback(name) => self.roll_back(&name),
            Order::Reload => {
                let until_ms = self.now_ms + RELOAD_MS_MAX;
                self.reloads.push(Reload {
                    reply,
                    until_ms,
                    has_looked: false,
                });
                return;
            }
        };
        let saved = self.disk.save(&self.record);
        self.board.write(self.rows());
        let outcome = outcome.and_then(|()| {
            saved.map_err(|why| {
                format!("the order is in force, but a restart would undo it: {why}; mend that, it is tried again all the time")
            })
        });
        // Whoever asked may have given up waiting.
        let _ = reply.try_send(outcome);
    }

    /// Whether the first pass is over: all that lay in the folder is in force or refused.
    pub(super) fn is_ready(&self) -> bool {
        self.is_ready
    }

    fn look(&mut self) {
        self.is_changed = true;
        let changes = match self.folder.look(self.now_ms) {
            Ok(changes) => changes,
            Err(why) => {
                self.is_ready = true;
                for reload in self.reloads.drain(..) {
                    let _ = reload.reply.try_send(Err(why.clone()));
                }
                return;
            }
        };
        self.recall(&changes);
        for change in changes {
            match change {
                Change::Settled(seen) => self.settled(seen),
                Change::Gone(name) => self.gone(&name),
            }
            // Loading many files takes a while; who fails meanwhile is not left waiting.
            self.mind();
        }
        self.reloads
            .iter_mut()
            .for_each(|reload| reload.has_looked = true);
        let is_settled = self.folder.is_settled();
        self.is_ready |= is_settled || self.now_ms >= FIRST_PASS_MS_MAX;
        if is_settled && !self.has_compared {
            self.has_compared = true;
            self.forget_absent();
        }
    }

    fn answer_reloads(&mut self) {
        let is_settled = self.folder.is_settled();
        let now_ms = self.now_ms;
        let unsettled = self.folder.unsettled().next().map(|seen| seen.file.clone());
        self.reloads.retain(|reload| {
            let outcome = if reload.has_looked && is_settled {
                Ok(())
            } else if now_ms >= reload.until_ms {
                let file = unsettled.as_deref().unwrap_or("the folder");
                Err(format!("{file} keeps changing: it is taken when it rests"))
            } else {
                return true;
            };
            let _ = reload.reply.try_send(outcome);
            false
        });
    }

    fn rows(&self) -> Vec<Row> {
        let natives = self.natives.iter().zip(&self.tenants).zip(&self.installed);
        let natives = natives.map(|((native, tenant), installed)| {
            let ruler = installed.as_ref().map(|version| &*version.name);
            Row::plain(rows::native_row(native.name(), tenant, ruler))
        });
        let mut in_order: BTreeMap<&str, Row> = BTreeMap::new();
        for seen in self.folder.unsettled() {
            let row = Row::plain(rows::loading_row(&seen.stem, &seen.file));
            in_order.insert(&seen.stem, row);
        }
        for (name, member) in &self.members {
            in_order.insert(name, self.row(name, member));
        }
        natives.chain(in_order.into_values()).collect()
    }

    fn row(&self, name: &str, member: &Member) -> Row {
        let current = member.current.as_ref();
        let evicts = current.is_some_and(|version| version.evicts());
        let is_it = |installed: &&Arc<Version>| {
            current.is_some_and(|version| Arc::ptr_eq(installed, version))
        };
        let mut rules = Vec::new();
        let mut other_rulers = Vec::new();
        for (tenant, installed) in self.installed.iter().enumerate() {
            if !current.is_some_and(|version| evicts && version.covers(tenant)) {
                continue;
            }
            match installed {
                Some(installed) if is_it(&installed) => rules.push(&*self.tenants[tenant]),
                Some(installed) => other_rulers.push(installed.name.clone()),
                None => other_rulers.push(self.natives[tenant].name().to_owned()),
            }
        }
        other_rulers.dedup();
        let facts = Facts {
            name,
            is_loaded: current.is_some(),
            complaint: member.complaint.as_deref(),
            went_back_from: self.went_back_from(name, member),
            is_disabled: self.record.is_disabled(name),
            is_enabled: current.is_some_and(|version| version.side_car.enabled),
            quarantined: self.record.quarantined(name),
            waits_for: member.offences.waits_for(),
            why: self.record.get(name).map(|deployed| deployed.why),
            evicts,
            decides: current.is_some_and(|version| !version.decisions().is_empty()),
            rules,
            other_rulers,
        };
        let has_previous = member.previous.is_some();
        let version = current.map(|version| &**version);
        Row {
            row: rows::row(
                &facts,
                &member.seen.file,
                version,
                &self.tenants,
                has_previous,
            ),
            figures: current.map(|version| Arc::clone(version.policy.figures())),
        }
    }

    /// The digest of what lies in the folder, where an operator went back from that.
    fn went_back_from<'a>(&self, name: &str, member: &'a Member) -> Option<&'a str> {
        let from = self.record.get(name)?.rolled_back_from.as_ref()?;
        // Going back makes it the previous one.
        let previous = member.previous.as_ref()?;
        let is_it = member.file_id == *from && previous.id == *from;
        is_it.then(|| previous.policy.digest())
    }
}

#[cfg(test)]
mod tests;
