//! How each policy stands, and why, in words.

use larder_abi::Kinds;
use larder_engine::policies::{PolicyFigures, PolicyRow, PolicyRuntime, PolicyState};

use super::record::Why;
use super::version::Version;

/// Stands in a policy's reason before why what lies in the folder was refused, where an earlier
/// version stays in force.
pub const REFUSED_AND_STAYS: &str =
    "what lies in the folder was refused, and an earlier version stays: ";
/// Characters of a digest that tell one version from another.
const DIGEST_CHARS: usize = 12;

/// What is known of a policy of the folder when its row is written.
#[derive(Debug, Default)]
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    /// Whether a version of it is loaded.
    pub(super) is_loaded: bool,
    /// Why what lies in the folder was not taken.
    pub(super) complaint: Option<&'a str>,
    /// The digest of what lies in the folder, where an operator went back from that.
    pub(super) went_back_from: Option<&'a str>,
    /// Whether an operator disabled it.
    pub(super) is_disabled: bool,
    /// Whether its side-car enables it.
    pub(super) is_enabled: bool,
    /// How it offended, if it is quarantined.
    pub(super) quarantined: Option<&'a str>,
    /// How it offended, while it waits to be tried again.
    pub(super) waits_for: Option<&'a str>,
    /// Why it is in force.
    pub(super) why: Option<Why>,
    /// Whether it decides over evictions.
    pub(super) evicts: bool,
    /// Whether it decides over values.
    pub(super) decides: bool,
    /// The tenants whose evictions it rules.
    pub(super) rules: Vec<&'a str>,
    /// Who else rules tenants that it is for.
    pub(super) other_rulers: Vec<String>,
}

impl Facts<'_> {
    /// The state and the reason for it.
    pub(super) fn judge(&self) -> (PolicyState, String) {
        let complaint = self.complaint.unwrap_or_default();
        if !self.is_loaded {
            return (PolicyState::Refused, complaint.to_owned());
        }
        let (state, mut why) = self.judge_loaded();
        if !complaint.is_empty() {
            why = format!("{why}; {REFUSED_AND_STAYS}{complaint}");
        } else if let Some(digest) = self.went_back_from {
            let digest: String = digest.chars().take(DIGEST_CHARS).collect();
            why += &format!(
                "; rolled back: the folder holds another version (digest {digest}…), deploy it \
                 again to put it in force"
            );
        }
        (state, why)
    }

    fn judge_loaded(&self) -> (PolicyState, String) {
        let name = self.name;
        if self.is_disabled {
            let why = format!("an operator disabled it; POLICY ENABLE {name} puts it in force");
            return (PolicyState::Disabled, why);
        }
        if !self.is_enabled {
            let why =
                format!("its side-car says enabled = false; set enabled = true in {name}.toml");
            return (PolicyState::Disabled, why);
        }
        if let Some(offence) = self.quarantined {
            let why = format!(
                "it broke rules too often, the last time: {offence}; drop another version, or \
                 POLICY ENABLE {name}"
            );
            return (PolicyState::Quarantined, why);
        }
        if let Some(offence) = self.waits_for {
            let why = format!("{offence}; it is tried again shortly");
            return (PolicyState::Failing, why);
        }
        let mut parts = Vec::new();
        if !self.rules.is_empty() {
            let cause = match self.why {
                Some(Why::Pinned) => "an operator put it in charge",
                _ => "it was deployed last",
            };
            let tenants = self.rules.join(", ");
            parts.push(format!("rules the evictions of {tenants}: {cause}"));
        } else if self.evicts {
            let rulers = self.other_rulers.join(", ");
            parts.push(format!("stands by for evictions: {rulers} rules"));
        }
        if self.decides {
            parts.push("decides over values, in file order".to_owned());
        }
        let state = if self.decides || !self.rules.is_empty() {
            PolicyState::Active
        } else {
            PolicyState::Candidate
        };
        (state, parts.join("; "))
    }
}

/// The row of a policy of the folder.
pub(super) fn row(
    facts: &Facts<'_>,
    file: &str,
    version: Option<&Version>,
    tenants: &[String],
    has_previous: bool,
) -> PolicyRow {
    let (state, why) = facts.judge();
    let mut row = bare(facts.name, file, state, why);
    row.has_previous = has_previous;
    if let Some(version) = version {
        let keys = version.side_car.keys.as_ref();
        version
            .side_car
            .scope
            .name(tenants)
            .clone_into(&mut row.tenant);
        keys.map_or("*", |keys| keys.text())
            .clone_into(&mut row.keys);
        row.kinds = version.policy.kinds();
        row.version.clone_from(&version.policy.manifest().version);
        version.policy.digest().clone_into(&mut row.digest);
        row.loaded_ms = version.loaded_ms;
        row.parameters = version.policy.parameters().to_vec();
    }
    row
}

/// The row of a file that is not complete yet.
pub(super) fn loading_row(name: &str, file: &str) -> PolicyRow {
    let why = "its file has just appeared, or is being written".to_owned();
    bare(name, file, PolicyState::Loading, why)
}

/// The row of the policy that a tenant's configuration names; `ruler` rules in its place.
pub(super) fn native_row(name: &str, tenant: &str, ruler: Option<&str>) -> PolicyRow {
    let (state, why) = match ruler {
        None => (
            PolicyState::Active,
            "configured, and no policy of the folder rules".to_owned(),
        ),
        Some(ruler) => (PolicyState::Candidate, format!("stands by: {ruler} rules")),
    };
    PolicyRow {
        runtime: PolicyRuntime::Native,
        kinds: Kinds::NONE.with(larder_abi::Kind::Eviction),
        tenant: tenant.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..bare(name, "", state, why)
    }
}

fn bare(name: &str, file: &str, state: PolicyState, why: String) -> PolicyRow {
    PolicyRow {
        name: name.to_owned(),
        file: file.to_owned(),
        runtime: PolicyRuntime::Wasm,
        kinds: Kinds::NONE,
        tenant: "*".to_owned(),
        keys: "*".to_owned(),
        state,
        why,
        version: String::new(),
        digest: String::new(),
        loaded_ms: 0,
        parameters: Vec::new(),
        has_previous: false,
        figures: PolicyFigures::default(),
    }
}

#[cfg(test)]
mod tests;
