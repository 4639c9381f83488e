//! What is simulated: policies compiled in or from files, as they stand together, or a bound.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use larder_policy_runtime::{Figures, Policy, Sandbox, SandboxConfig, Settings};
use larder_sdk::{Kind, Kinds};
use larder_simulator::bound::{Bound, Rule};
use larder_simulator::replay::{Cell, Judge};
use larder_simulator::run::Footprint;

use super::deciders::{DECIDERS, NativeDecider};
use super::judge::Chain;
use super::spec::{Piece, Spec};
use crate::config::DEFAULT_EVICTION;
use crate::natives::{CellForm, NATIVES, NativePolicy};

/// CPU time of a call: what a server would not wait for is told by `policy check`.
const DEADLINE: Duration = Duration::from_secs(1);
const BOUNDS: [(&str, Rule); 2] = [
    ("belady", Rule::Farthest),
    ("belady-size", Rule::FarthestTimesSize),
];

/// Policies that are ready to be simulated at any size.
pub(super) struct Contender {
    /// As it was given.
    pub(super) name: String,
    evicts: Evicts,
    /// Who decides over newcomers, in order.
    deciders: Vec<(Settings, Decides)>,
}

/// Who says what is evicted.
enum Evicts {
    Native(Settings, &'static NativePolicy),
    Wasm(Arc<Policy>),
    Bound(Rule),
}

/// Who decides over newcomers.
enum Decides {
    Native(&'static NativeDecider),
    Wasm(Arc<Policy>, Kinds),
}

impl Contender {
    /// Finds the policies that a spec names, and checks their parameters.
    ///
    /// # Errors
    /// When there is none of that name, one would not be taken, or they cannot stand together.
    pub(super) fn find(spec: &Spec) -> anyhow::Result<Self> {
        let (mut evicts, mut deciders) = (None, Vec::new());
        let mut is_settled = false;
        for piece in &spec.pieces {
            let (eviction, decides) = find(piece)?;
            if eviction.is_some() {
                ensure!(
                    !is_settled,
                    "{}: only one of them can say what is evicted",
                    spec.text
                );
                // One that decides over values, too, leaves it to a later one.
                is_settled = decides.is_none();
                evicts = eviction;
            }
            let mut settings = Settings::from_texts(&piece.parameters);
            settings.deadline = Some(DEADLINE);
            deciders.extend(decides.map(|decides| (settings, decides)));
        }
        let evicts = match evicts {
            Some(evicts) => evicts,
            None => default_eviction()?,
        };
        if matches!(evicts, Evicts::Bound(_)) && !deciders.is_empty() {
            bail!("{}: a bound knows best what to keep by itself", spec.text);
        }
        let found = Self {
            name: spec.text.clone(),
            evicts,
            deciders,
        };
        // The smallest cache there is tells what is wrong with it.
        found.cell(CellForm {
            capacity_bytes: 1,
            below_bytes: None,
            prewarm: None,
            shards: 1,
            seed: 0,
        })?;
        Ok(found)
    }

    /// What it runs in; `wasm` where any of it does.
    pub(super) fn runtime(&self) -> &'static str {
        let is_wasm = |(_, decides): &_| matches!(decides, Decides::Wasm(..));
        if matches!(self.evicts, Evicts::Wasm(_)) || self.deciders.iter().any(is_wasm) {
            return "wasm";
        }
        "native"
    }

    /// Why it can make nothing of a trace.
    pub(super) fn cannot_run(&self, trace: &Footprint) -> Option<String> {
        if matches!(self.evicts, Evicts::Bound(_)) && !trace.knows_future {
            return Some(
                "has to know when objects are asked for again, which this trace does not say"
                    .to_owned(),
            );
        }
        let backward = trace.backward_time.filter(|_| self.sets_ttls())?;
        Some(format!(
            "says how long entries live, and at request {backward} time goes backwards or begins anew"
        ))
    }

    fn sets_ttls(&self) -> bool {
        self.deciders.iter().any(|(_, decides)| match decides {
            Decides::Native(decider) => decider.kind == Kind::Ttl,
            Decides::Wasm(_, kinds) => kinds.has(Kind::Ttl),
        })
    }

    /// Whether it is a bound that no policy goes beyond, and not a policy.
    pub(super) fn is_bound(&self) -> bool {
        matches!(self.evicts, Evicts::Bound(_))
    }

    /// An empty cache of it.
    ///
    /// # Errors
    /// Why a policy cannot be made.
    pub(super) fn cell(&self, form: CellForm) -> anyhow::Result<Box<dyn Cell>> {
        let cell = self.judge(form.seed).and_then(|judge| match &self.evicts {
            Evicts::Bound(rule) => {
                let bound = Bound::new(*rule, form.capacity_bytes, form.seed);
                Ok(Box::new(bound) as Box<_>)
            }
            Evicts::Native(settings, native) => native.cell(settings, judge, form),
            Evicts::Wasm(policy) => form.port(judge, |seed| policy.evictor(seed, u64::MAX)),
        });
        cell.map_err(|why| anyhow!("{}: {why}", self.name))
    }

    fn judge(&self, seed: u64) -> Result<Option<Box<dyn Judge>>, String> {
        let mut chain = Chain::default();
        for (settings, decides) in &self.deciders {
            match decides {
                Decides::Native(decider) => decider.join(&mut chain, settings, seed)?,
                Decides::Wasm(policy, kinds) => {
                    let decisions = policy.decisions(*kinds, seed).map_err(|unfit| unfit.0)?;
                    chain.add(Box::new(decisions), *kinds);
                }
            }
        }
        Ok(chain.judge())
    }
}

/// What a piece of a spec has to say about evictions, and about newcomers.
fn find(piece: &Piece) -> anyhow::Result<(Option<Evicts>, Option<Decides>)> {
    let mut settings = Settings::from_texts(&piece.parameters);
    settings.deadline = Some(DEADLINE);
    let name = &*piece.policy;
    if name.ends_with(".wasm") {
        let policy = load(name, &settings)?;
        let kinds = policy.kinds();
        let deciding = Kind::ALL.into_iter();
        let deciding = deciding.filter(|kind| *kind != Kind::Eviction && kinds.has(*kind));
        let deciding = deciding.fold(Kinds::NONE, Kinds::with);
        let evicts = kinds.has(Kind::Eviction);
        let evicts = evicts.then(|| Evicts::Wasm(Arc::clone(&policy)));
        let decides = (!deciding.is_empty()).then_some(Decides::Wasm(policy, deciding));
        return Ok((evicts, decides));
    }
    if let Some((_, rule)) = BOUNDS.iter().find(|(bound, _)| *bound == name) {
        ensure!(piece.parameters.is_empty(), "{name} has no parameters");
        return Ok((Some(Evicts::Bound(*rule)), None));
    }
    let evicts = NATIVES.iter().find(|native| native.name == name);
    let decides = DECIDERS.iter().find(|decider| decider.name == name);
    ensure!(evicts.is_some() || decides.is_some(), unknown(name));
    let evicts = evicts.map(|native| Evicts::Native(settings, native));
    Ok((evicts, decides.map(Decides::Native)))
}

/// Who says what is evicted where only newcomers are decided over: who does in a server.
fn default_eviction() -> anyhow::Result<Evicts> {
    let native = NATIVES
        .iter()
        .find(|native| native.name == DEFAULT_EVICTION);
    let native = native.ok_or_else(|| anyhow!(unknown(DEFAULT_EVICTION)))?;
    Ok(Evicts::Native(Settings::default(), native))
}

fn unknown(name: &str) -> String {
    let natives = NATIVES.iter().map(|native| native.name);
    let deciders = DECIDERS.iter().map(|decider| decider.name);
    let deciders = deciders.filter(|name| NATIVES.iter().all(|native| native.name != *name));
    let known = natives.chain(BOUNDS.map(|(name, _)| name)).chain(deciders);
    let known: Vec<_> = known.collect();
    format!(
        "there is no policy '{name}'; there are {}; or name a file: FILE.wasm",
        known.join(", ")
    )
}

fn load(file: &str, settings: &Settings) -> anyhow::Result<Arc<Policy>> {
    let module = fs::read(file).with_context(|| format!("cannot read {file}"))?;
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    sandbox
        .load(file, &module, settings, Arc::<Figures>::default())
        .with_context(|| format!("{file} would be refused"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_not_and_what_cannot_be_is_refused() {
        let find = |text: &str| {
            let found = Contender::find(&text.parse().unwrap());
            found
                .err()
                .map_or(String::new(), |error| format!("{error:#}"))
        };
        assert!(
            find("lur").contains("there are arc, business-priority"),
            "{}",
            find("lur")
        );
        assert!(find("s3-fifo:small=1").contains("there is no parameter 'small'"));
        assert!(find("s3-fifo:small_percent=91").contains("small_percent"));
        assert!(find("belady:x=1").contains("no parameters"));
        assert!(find("/none.wasm").contains("cannot read /none.wasm"));
        assert!(find("lru+fifo").contains("only one"));
        assert!(find("lru+business-priority").contains("only one"));
        assert_eq!(find("business-priority+lru"), "");
        assert!(find("belady+size-gate").contains("knows best"));
        assert!(find("size-gate:max_bytes=1B,min_bytes=2B").contains("nothing would be kept"));
        assert_eq!(
            find("lru") + &find("belady-size") + &find("size-gate+second-hit+lru"),
            ""
        );
    }
}
