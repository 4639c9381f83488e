//! From a file that settled to a policy in force, or a refusal that says why.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tracing::{info, warn};

use super::super::disk::version_id;
use super::super::record::Why;
use super::super::version::Version;
use super::{Loader, Member};
use crate::folder::{Change, Dropped, ReadError, Seen, SideCar};
use crate::policy::Figures;

impl Loader {
    /// Takes up, from the data folder, what was in force when the process ended, of those policies
    /// whose files are seen for the first time: so whoever ruled rules, before anything that changed
    /// meanwhile is looked at.
    pub(super) fn recall(&mut self, changes: &[Change]) {
        let mut any = false;
        for change in changes {
            let Change::Settled(seen) = change else {
                continue;
            };
            let name = &*seen.stem;
            let Some(deployed) = self.record.get(name).cloned() else {
                continue;
            };
            if self.members.contains_key(name) {
                continue;
            }
            let mut member = Member::new(seen.clone());
            match self.load_kept(name, &deployed.version) {
                Ok(version) => member.current = Some(version),
                Err(why) => member.complaint = Some(why),
            }
            if let Some(previous) = &deployed.previous {
                // Without it there is nothing to go back to, which is told when somebody wants to.
                member.previous = self.load_kept(name, previous).ok();
            }
            self.members.insert(name.to_owned(), member);
            any = true;
        }
        if any {
            // Nothing is on trial, so there is no error.
            let _ = self.enforce(None);
        }
    }

    /// A policy's files are new or changed, and complete.
    pub(super) fn settled(&mut self, seen: Seen) {
        let dropped = match self.folder.read(&seen) {
            Ok(dropped) => dropped,
            // It settles again.
            Err(ReadError::Changed) => return,
            Err(ReadError::Refused(why)) => return self.refuse(seen, String::new(), why),
        };
        let id = version_id(&dropped);
        let name = &*seen.stem;
        let member = self.members.get_mut(name);
        let is_rewritten = member
            .as_ref()
            .is_some_and(|member| member.seen.is_rewritten(&seen));
        let deployed = self.record.get(name).filter(|_| !is_rewritten);
        let is_in_force = deployed.is_some_and(|deployed| deployed.version == id);
        let is_rolled_back =
            deployed.is_some_and(|deployed| deployed.rolled_back_from.as_ref() == Some(&id));
        if let Some(member) = member.filter(|member| member.current.is_some())
            && (is_in_force || is_rolled_back)
        {
            member.seen = seen;
            member.file_id = id;
            member.complaint = None;
            return;
        }
        match self.version(name, &id, &dropped) {
            Ok(version) => self.deploy(seen, version, &dropped, is_in_force),
            Err(why) => self.refuse(seen, id, why),
        }
    }

    /// A policy's file is gone.
    pub(super) fn gone(&mut self, name: &str) {
        info!(policy = name, "its file is gone: it is taken out of force");
        self.members.remove(name);
        self.record.retain(|deployed| deployed != name);
        let _ = self.enforce(None);
    }

    /// Forgets what was deployed before the process began and is not in the folder any more.
    pub(super) fn forget_absent(&mut self) {
        let members = &self.members;
        self.record.retain(|name| members.contains_key(name));
    }

    /// Puts a version in force. Where that fails, everything is as it was before.
    fn deploy(&mut self, seen: Seen, version: Arc<Version>, dropped: &Dropped, keeps_place: bool) {
        let name = seen.stem.clone();
        let (record_before, member_before) =
            (self.record.clone(), self.members.get(&name).cloned());
        if !keeps_place {
            self.record.deploy(&name, Why::File, &version.id);
        }
        let mut member = member_before
            .clone()
            .unwrap_or_else(|| Member::new(seen.clone()));
        member.seen = seen.clone();
        member.file_id.clone_from(&version.id);
        member.complaint = None;
        member.take(Arc::clone(&version));
        self.members.insert(name.clone(), member);
        match self.enforce(Some(&name)) {
            Ok(()) => {
                self.disk.keep(&name, &version.id, dropped);
                info!(
                    policy = %name, file = %seen.file, digest = version.policy.digest(), "deployed"
                );
            }
            Err(why) => {
                self.record = record_before;
                match member_before {
                    Some(member) => self.members.insert(name, member),
                    None => self.members.remove(&name),
                };
                self.refuse(seen, version.id.clone(), why);
                let _ = self.enforce(None);
            }
        }
    }

    fn refuse(&mut self, seen: Seen, id: String, why: String) {
        warn!(policy = %seen.stem, file = %seen.file, why, "refused");
        let member = self
            .members
            .entry(seen.stem.clone())
            .or_insert_with(|| Member::new(seen.clone()));
        member.seen = seen;
        member.file_id = id;
        member.complaint = Some(why);
    }

    /// The version with that id: one that is loaded, or else loaded now.
    fn version(&self, name: &str, id: &str, dropped: &Dropped) -> Result<Arc<Version>, String> {
        let loaded = self.members.get(name).and_then(|member| {
            let mut versions = [&member.current, &member.previous].into_iter().flatten();
            versions.find(|version| version.id == id)
        });
        match loaded {
            Some(version) => Ok(Arc::clone(version)),
            None => self.load(name, id, dropped),
        }
    }

    /// Loads a version kept in the data folder.
    fn load_kept(&self, name: &str, id: &str) -> Result<Arc<Version>, String> {
        let dropped = self.disk.recall(name, id)?;
        self.load(name, id, &dropped)
    }

    fn load(&self, name: &str, id: &str, dropped: &Dropped) -> Result<Arc<Version>, String> {
        let side_car_name = format!("{name}.toml");
        let side_car = SideCar::parse(&side_car_name, &dropped.side_car, &self.tenants)?;
        let load = || {
            let figures = self.figures(name);
            self.sandbox
                .load(name, &dropped.module, &side_car.settings, figures)
        };
        // A compiler is a large program, and this module may be the one that nobody thought of.
        let policy = catch_unwind(AssertUnwindSafe(load))
            .map_err(|_| "it could not be compiled: the compiler panicked over it".to_owned())?
            .map_err(|refusal| refusal.0)?;
        side_car.check_kinds(&side_car_name, policy.kinds())?;
        Ok(Arc::new(Version {
            name: name.to_owned(),
            id: id.to_owned(),
            policy,
            side_car,
            loaded_ms: (self.clock)(),
        }))
    }

    /// Where the deeds of that name are counted, whatever its version.
    fn figures(&self, name: &str) -> Arc<Figures> {
        let member = self.members.get(name);
        let version = member.and_then(|member| member.current.as_ref());
        version.map_or_else(Arc::default, |version| Arc::clone(version.policy.figures()))
    }
}
