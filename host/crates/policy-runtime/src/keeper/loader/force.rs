//! Brings the engine and the threads' chains in line with what should be in force.

use std::sync::Arc;

use larder_engine::EvictorFactory;
use tracing::{error, info};

use super::super::version::{Version, VersionFactory};
use super::Loader;

/// What could not be put in force, and why.
struct Failure {
    name: String,
    why: String,
}

impl Loader {
    /// Puts in force what should be. What fails has offended, and the next in line is tried.
    ///
    /// # Errors
    /// When the policy on `trial` fails, and why; whoever tries it puts things back then.
    pub(super) fn enforce(&mut self, trial: Option<&str>) -> Result<(), String> {
        self.is_changed = true;
        self.must_enforce = false;
        // Who failed is no longer in line, so this ends.
        while let Err(Failure { name, why }) = self.try_enforce() {
            if trial == Some(&*name) {
                return Err(why);
            }
            self.offend(&name, why);
        }
        Ok(())
    }

    fn try_enforce(&mut self) -> Result<(), Failure> {
        for tenant in 0..self.installed.len() {
            let ruler = self.ruler(tenant);
            if same(self.installed[tenant].as_ref(), ruler.as_ref()) {
                continue;
            }
            let factory: Arc<dyn EvictorFactory> = match &ruler {
                Some(version) => Arc::new(VersionFactory(Arc::clone(version))),
                None => Arc::clone(&self.natives[tenant]),
            };
            let name = factory.name().to_owned();
            let outcome = self.engine.tenants()[tenant].install(factory, (self.clock)());
            let tenant_name = &self.tenants[tenant];
            match (outcome, &ruler) {
                (Ok(()), _) => {
                    info!(tenant = %tenant_name, policy = %name, "rules evictions");
                    self.installed[tenant] = ruler;
                }
                (Err(unfit), Some(_)) => return Err(Failure { name, why: unfit.0 }),
                (Err(unfit), None) => {
                    error!(tenant = %tenant_name, policy = %name, why = %unfit.0, "cannot rule evictions");
                    self.must_enforce = true;
                }
            }
        }
        let chain = self.chain();
        let waits = |version: &Version| self.waits(&version.name);
        self.desks
            .seat(&chain, waits)
            .map_err(|(version, unfit)| Failure {
                name: version.name.clone(),
                why: unfit.0,
            })
    }

    /// Of the eviction policies of a tenant that may rule, the one deployed last.
    fn ruler(&self, tenant: usize) -> Option<Arc<Version>> {
        let may_rule = |name: &str| {
            self.fit(name).is_some_and(|version| {
                // One that rules and failed is about to be tried again; another one would be no
                // better before that.
                let rules = same(self.installed[tenant].as_ref(), Some(version));
                version.evicts() && version.covers(tenant) && (rules || !self.waits(name))
            })
        };
        let name = self.record.last(may_rule)?;
        self.fit(name).cloned()
    }

    /// The policies that decide over values, in file order.
    fn chain(&self) -> Vec<Arc<Version>> {
        let fit = self.members.keys().filter_map(|name| self.fit(name));
        fit.filter(|version| !version.decisions().is_empty())
            .cloned()
            .collect()
    }

    /// The current version of a policy that nobody and nothing keeps out of force.
    fn fit(&self, name: &str) -> Option<&Arc<Version>> {
        let version = self.members.get(name)?.current.as_ref()?;
        let is_fit = version.side_car.enabled
            && !self.record.is_disabled(name)
            && self.record.quarantined(name).is_none();
        is_fit.then_some(version)
    }
}

fn same(one: Option<&Arc<Version>>, other: Option<&Arc<Version>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}
