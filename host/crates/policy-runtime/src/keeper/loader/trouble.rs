//! Minds policies that break rules while they are in force.

use std::sync::Arc;

use tracing::{error, warn};

use super::super::offences::Consequence;
use super::super::version::Version;
use super::Loader;

impl Loader {
    /// Looks for policies that failed, and tries again those whose time has come.
    pub(super) fn mind(&mut self) {
        let mut failed: Vec<(Arc<Version>, String)> = Vec::new();
        for (tenant, installed) in self.engine.tenants().iter().zip(&self.installed) {
            if let Some(version) = installed
                && tenant.unfit_shards() > 0
            {
                let why = tenant.unfit_reason().unwrap_or_default();
                failed.push((Arc::clone(version), why));
            }
        }
        let failures = self.desks.take_failures().into_iter();
        failed.extend(failures.map(|(version, unfit)| (version, unfit.0)));
        let now_ms = self.now_ms;
        let due = self.members.iter_mut().filter_map(|(name, member)| {
            let is_due = member.offences.take_due(now_ms);
            is_due.then(|| name.clone())
        });
        let due: Vec<String> = due.collect();
        let is_any = !due.is_empty() || !failed.is_empty();
        for name in &due {
            self.repair(name);
        }
        for (version, why) in failed {
            // Failures of one policy that come together are one offence; those of a version that is
            // on its way out, and those that were just mended, are none.
            let is_news = !self.waits(&version.name) && !due.contains(&version.name);
            if is_news && self.is_current(&version) {
                self.offend(&version.name, why);
            }
        }
        if is_any {
            let _ = self.enforce(None);
        }
    }

    /// Notes an offence, and what follows from it.
    pub(super) fn offend(&mut self, name: &str, why: String) {
        let Some(member) = self.members.get_mut(name) else {
            return;
        };
        match member.offences.commit(self.now_ms, why.clone()) {
            Consequence::Retry { in_ms } => {
                warn!(policy = name, why, in_ms, "failed: it is tried again");
            }
            Consequence::Quarantine => {
                error!(policy = name, why, "failed too often: it is quarantined");
                self.record.quarantine(name, &why);
            }
        }
    }

    /// Whether a policy failed and waits to be tried again.
    pub(super) fn waits(&self, name: &str) -> bool {
        let member = self.members.get(name);
        member.is_some_and(|member| member.offences.waits_for().is_some())
    }

    /// Makes new evictors where a ruler's failed.
    pub(super) fn repair(&mut self, name: &str) {
        for tenant in 0..self.installed.len() {
            let installed = self.installed[tenant].as_ref();
            let tenant = &self.engine.tenants()[tenant];
            if installed.is_some_and(|version| version.name == name)
                && tenant.unfit_shards() > 0
                && let Err(unfit) = tenant.repair((self.clock)())
            {
                return self.offend(name, unfit.0);
            }
        }
    }

    fn is_current(&self, version: &Arc<Version>) -> bool {
        let member = self.members.get(&version.name);
        let current = member.and_then(|member| member.current.as_ref());
        current.is_some_and(|current| Arc::ptr_eq(current, version))
    }
}
