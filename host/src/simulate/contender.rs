//! What is simulated: a policy compiled in, one in a file, or a bound.

use std::fs;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use larder_policy_runtime::{Figures, Policy, Sandbox, SandboxConfig, Settings};
use larder_simulator::bound::{Bound, Rule};
use larder_simulator::replay::{Cell, Ported, Replay};

use super::natives::{NATIVES, NativePolicy};

/// CPU time of a call: what a server would not wait for is told by `policy check`.
const DEADLINE: Duration = Duration::from_secs(1);
const BOUNDS: [(&str, Rule); 2] = [
    ("belady", Rule::Farthest),
    ("belady-size", Rule::FarthestTimesSize),
];

/// `NAME` or `FILE.wasm`, and `:param=value,…` behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    /// As it was given.
    pub(super) text: String,
    policy: String,
    parameters: Vec<(String, String)>,
}

impl FromStr for Spec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let end_of_file = text.find(".wasm").map(|at| at + ".wasm".len());
        let from = end_of_file.unwrap_or(0);
        let (policy, parameters) = match text[from..].find(':') {
            Some(at) => (&text[..from + at], &text[from + at + 1..]),
            None => (text, ""),
        };
        let pairs = parameters.split(',').filter(|pair| !pair.is_empty());
        let pair = |pair: &str| match pair.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_owned(), value.trim().to_owned())),
            None => Err(format!("'{pair}' has to be a parameter=value")),
        };
        Ok(Self {
            text: text.to_owned(),
            policy: policy.to_owned(),
            parameters: pairs.map(pair).collect::<Result<_, _>>()?,
        })
    }
}

/// A policy that is ready to be simulated at any size.
pub(super) struct Contender {
    /// As it was given.
    pub(super) name: String,
    settings: Settings,
    kind: Kind,
}

enum Kind {
    Native(&'static NativePolicy),
    Wasm(Arc<Policy>),
    Bound(Rule),
}

impl Contender {
    /// Finds the policy that a spec names, and checks its parameters.
    ///
    /// # Errors
    /// When there is none, or it would not be taken.
    pub(super) fn find(spec: &Spec) -> anyhow::Result<Self> {
        let mut settings = Settings::from_texts(&spec.parameters);
        settings.deadline = Some(DEADLINE);
        let kind = if spec.policy.ends_with(".wasm") {
            Kind::Wasm(load(&spec.policy, &settings)?)
        } else if let Some((_, rule)) = BOUNDS.iter().find(|(name, _)| *name == spec.policy) {
            ensure!(
                spec.parameters.is_empty(),
                "{} has no parameters",
                spec.policy
            );
            Kind::Bound(*rule)
        } else {
            let native = NATIVES.iter().find(|native| native.name == spec.policy);
            Kind::Native(native.ok_or_else(|| unknown(&spec.policy))?)
        };
        let found = Self {
            name: spec.text.clone(),
            settings,
            kind,
        };
        // The smallest cache there is tells what is wrong with it.
        found.cell(1, 1, 0)?;
        Ok(found)
    }

    /// What it runs in.
    pub(super) fn runtime(&self) -> &'static str {
        match self.kind {
            Kind::Wasm(_) => "wasm",
            Kind::Native(_) | Kind::Bound(_) => "native",
        }
    }

    /// Whether it has to know when objects are asked for again.
    pub(super) fn needs_future(&self) -> bool {
        matches!(self.kind, Kind::Bound(_))
    }

    /// An empty cache of it.
    ///
    /// # Errors
    /// Why the policy cannot be made.
    pub(super) fn cell(
        &self,
        capacity_bytes: u64,
        shards: u32,
        seed: u64,
    ) -> anyhow::Result<Box<dyn Cell>> {
        let cell = match &self.kind {
            Kind::Bound(rule) => Ok(Box::new(Bound::new(*rule, capacity_bytes, seed)) as Box<_>),
            Kind::Native(native) => native.cell(&self.settings, capacity_bytes, shards, seed),
            Kind::Wasm(policy) => wasm_cell(policy, capacity_bytes, shards, seed),
        };
        cell.map_err(|why| anyhow!("{}: {why}", self.name))
    }
}

fn unknown(name: &str) -> anyhow::Error {
    let natives = NATIVES.iter().map(|native| native.name);
    let known: Vec<_> = natives.chain(BOUNDS.map(|(name, _)| name)).collect();
    anyhow!(
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

fn wasm_cell(
    policy: &Arc<Policy>,
    capacity_bytes: u64,
    shards: u32,
    seed: u64,
) -> Result<Box<dyn Cell>, String> {
    let driver = |shard| {
        let evictor = policy.evictor(super::shard_seed(seed, shard), u64::MAX);
        evictor.map(Ported::new).map_err(|unfit| unfit.0)
    };
    let drivers: Result<Vec<_>, _> = (0..shards).map(driver).collect();
    let replay = Replay::new(drivers?, capacity_bytes).map_err(|unfit| unfit.0)?;
    Ok(Box::new(replay))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_is_a_name_or_a_file_with_parameters() {
        let read = |text: &str| {
            let spec: Spec = text.parse().unwrap();
            (spec.policy, spec.parameters)
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(read("lru"), ("lru".to_owned(), vec![]));
        assert_eq!(
            read("s3-fifo:small_percent=20,ghost_percent=10"),
            (
                "s3-fifo".to_owned(),
                vec![pair("small_percent", "20"), pair("ghost_percent", "10")]
            )
        );
        let (file, parameters) = read("a:b/c.wasm:x=1");
        assert_eq!(
            (&*file, &parameters[..]),
            ("a:b/c.wasm", &[pair("x", "1")][..])
        );
        assert!("lru:x".parse::<Spec>().unwrap_err().contains("'x'"));
    }

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
        assert_eq!(find("lru") + &find("belady-size"), "");
    }
}
