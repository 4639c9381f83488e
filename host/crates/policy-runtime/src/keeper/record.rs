//! What outlives the process: who was deployed in which order, what is disabled, what is quarantined.
//!
//! Of a tenant's eviction policies the one deployed last rules, so the order says who rules, and who
//! takes over when that one goes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The version of the format.
const FORMAT: u32 = 1;
/// Names that can be disabled at once: they are kept though their files go.
const DISABLED_MAX: usize = 1024;

/// Why a policy is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Why {
    /// Its file was dropped.
    File,
    /// An operator asked for it.
    Pinned,
}

/// A policy that was put in force. Versions go by their ids.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deployed {
    pub(super) name: String,
    pub(super) why: Why,
    /// The version in force.
    pub(super) version: String,
    /// The one before it.
    #[serde(default)]
    pub(super) previous: Option<String>,
    /// The version in the folder that an operator went back from; not to be taken again.
    #[serde(default)]
    pub(super) rolled_back_from: Option<String>,
    /// Versions that offended too often, and how.
    #[serde(default)]
    pub(super) quarantined: BTreeMap<String, String>,
}

/// The record of one data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    /// In order of deployment.
    deployed: Vec<Deployed>,
    disabled: BTreeSet<String>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            format: FORMAT,
            deployed: Vec::new(),
            disabled: BTreeSet::new(),
        }
    }
}

impl Record {
    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn from_json(json: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if record.format != FORMAT {
            return Err(format!("it has format {}, not {FORMAT}", record.format));
        }
        Ok(record)
    }

    /// Its text.
    pub(super) fn to_json(&self) -> String {
        // Maps have strings for keys, which is all that could go wrong.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// What was deployed, the latest last.
    pub(super) fn deployed(&self) -> &[Deployed] {
        &self.deployed
    }

    /// Of those that pass, the one deployed last: it rules.
    pub(super) fn last(&self, passes: impl Fn(&str) -> bool) -> Option<&str> {
        let mut names = self.deployed.iter().rev().map(|deployed| &*deployed.name);
        names.find(|name| passes(name))
    }

    /// What is in force under that name.
    pub(super) fn get(&self, name: &str) -> Option<&Deployed> {
        self.deployed.iter().find(|deployed| deployed.name == name)
    }

    /// Notes that a version is in force from now on, and is the one deployed last.
    pub(super) fn deploy(&mut self, name: &str, why: Why, version: &str) {
        let mut deployed = self.take(name).unwrap_or_else(|| Deployed {
            name: name.to_owned(),
            why,
            version: version.to_owned(),
            previous: None,
            rolled_back_from: None,
            quarantined: BTreeMap::new(),
        });
        if deployed.version != version {
            let before = std::mem::replace(&mut deployed.version, version.to_owned());
            deployed.previous = Some(before);
        }
        deployed.why = why;
        deployed.rolled_back_from = None;
        let (version, previous) = (&deployed.version, &deployed.previous);
        deployed
            .quarantined
            .retain(|id, _| id == version || Some(id) == previous.as_ref());
        self.deployed.push(deployed);
    }

    /// Notes that the version in force was asked for by an operator, and counts as deployed last.
    pub(super) fn pin(&mut self, name: &str) {
        if let Some(deployed) = self.take(name) {
            let why = Why::Pinned;
            self.deployed.push(Deployed { why, ..deployed });
        }
    }

    /// Notes which version in the folder was gone back from.
    pub(super) fn roll_back_from(&mut self, name: &str, file: &str) {
        if let Some(deployed) = self.get_mut(name) {
            deployed.rolled_back_from = Some(file.to_owned());
        }
    }

    /// Forgets all whose names do not pass.
    pub(super) fn retain(&mut self, is_there: impl Fn(&str) -> bool) {
        self.deployed.retain(|deployed| is_there(&deployed.name));
    }

    /// Notes that the version in force offended too often.
    pub(super) fn quarantine(&mut self, name: &str, why: &str) {
        if let Some(deployed) = self.get_mut(name) {
            let version = deployed.version.clone();
            deployed.quarantined.insert(version, why.to_owned());
        }
    }

    /// How the version in force offended, if it is quarantined.
    pub(super) fn quarantined(&self, name: &str) -> Option<&str> {
        let deployed = self.get(name)?;
        deployed
            .quarantined
            .get(&deployed.version)
            .map(|why| &**why)
    }

    /// Whether an operator disabled that name.
    pub(super) fn is_disabled(&self, name: &str) -> bool {
        self.disabled.contains(name)
    }

    /// Disables a name.
    ///
    /// # Errors
    /// When too many are.
    pub(super) fn disable(&mut self, name: &str) -> Result<(), String> {
        if self.disabled.len() >= DISABLED_MAX && !self.is_disabled(name) {
            return Err(format!(
                "{DISABLED_MAX} policies are disabled, which is the most that is remembered; \
                 remove the file of '{name}' instead"
            ));
        }
        self.disabled.insert(name.to_owned());
        Ok(())
    }

    /// Lifts a disablement and a quarantine.
    pub(super) fn forgive(&mut self, name: &str) {
        self.disabled.remove(name);
        if let Some(deployed) = self.get_mut(name) {
            let version = deployed.version.clone();
            deployed.quarantined.remove(&version);
        }
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Deployed> {
        let mut deployed = self.deployed.iter_mut();
        deployed.find(|deployed| deployed.name == name)
    }

    fn take(&mut self, name: &str) -> Option<Deployed> {
        let at = self
            .deployed
            .iter()
            .position(|deployed| deployed.name == name)?;
        Some(self.deployed.remove(at))
    }
}

#[cfg(test)]
mod tests;
