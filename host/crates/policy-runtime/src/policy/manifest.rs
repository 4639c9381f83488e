//! What a policy says of itself: JSON in a custom section.

mod parameters;

use larder_abi::{Kind, Kinds, VALUE_PREFIX_BYTES_MAX};
use serde::Deserialize;

use crate::sandbox::Refusal;
pub use parameters::Parameter;
pub(crate) use parameters::Parameters;

/// Parameters of a policy.
const PARAMETERS_MAX: usize = 256;

/// What a policy says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its name, 1 to 64 of `a`–`z`, `0`–`9`, `_` and `-`; the stem of its file is what counts.
    pub name: String,
    /// Its version, for people.
    pub version: String,
    /// What it does, one line.
    pub about: String,
    /// What it decides.
    pub kinds: Kinds,
    /// Whether it is to be told of misses.
    pub wants_misses: bool,
    /// Whether it is to be told how soon entries will be asked for again.
    pub wants_reuse: bool,
    /// Bytes of a value that it is to see.
    pub value_prefix_bytes: usize,
    /// What can be set, in the order in which instances are told.
    pub parameters: Vec<Parameter>,
}

/// As it stands in the file. What is not known comes from a newer SDK, and is ignored.
#[derive(Deserialize)]
struct Raw {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    about: String,
    kinds: Vec<String>,
    #[serde(default)]
    wants_misses: bool,
    #[serde(default)]
    wants_reuse: bool,
    #[serde(default)]
    value_prefix_bytes: usize,
    #[serde(default)]
    parameters: Vec<parameters::Raw>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn parse(json: &[u8]) -> Result<Self, Refusal> {
        read(json).map_err(|why| Refusal(format!("its manifest cannot be used: {why}")))
    }
}

fn read(json: &[u8]) -> Result<Manifest, String> {
    let raw: Raw = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if !is_name(
        &raw.name,
        |c| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-'),
    ) {
        return Err(format!(
            "its name {:?} is not 1 to 64 of a-z, 0-9, _ and -",
            raw.name
        ));
    }
    let mut kinds = Kinds::NONE;
    for name in &raw.kinds {
        let kind = Kind::from_name(name).ok_or_else(|| {
            let known = Kind::ALL.map(Kind::name).join(", ");
            format!("there is no kind {name:?}; there are {known}")
        })?;
        kinds = kinds.with(kind);
    }
    if kinds.is_empty() {
        return Err("it names no kind, so it decides nothing".to_owned());
    }
    if raw.value_prefix_bytes > VALUE_PREFIX_BYTES_MAX {
        return Err(format!(
            "it wants {} bytes of each value, and {VALUE_PREFIX_BYTES_MAX} can be had",
            raw.value_prefix_bytes
        ));
    }
    let count = raw.parameters.len();
    if count > PARAMETERS_MAX {
        return Err(format!(
            "it has {count} parameters, and {PARAMETERS_MAX} are allowed"
        ));
    }
    let mut parameters: Vec<Parameter> = Vec::with_capacity(count);
    for raw in raw.parameters {
        let parameter = Parameter::read(raw)?;
        if parameters
            .iter()
            .any(|before| before.name == parameter.name)
        {
            return Err(format!("it has two parameters {}", parameter.name));
        }
        parameters.push(parameter);
    }
    Ok(Manifest {
        name: raw.name,
        version: one_line(&raw.version),
        about: one_line(&raw.about),
        kinds,
        wants_misses: raw.wants_misses,
        wants_reuse: raw.wants_reuse,
        value_prefix_bytes: raw.value_prefix_bytes,
        parameters,
    })
}

fn is_name(name: &str, allowed: impl Fn(char) -> bool) -> bool {
    (1..=64).contains(&name.len()) && name.chars().all(allowed)
}

/// Text as it can stand in a listing.
fn one_line(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(blank).collect()
}

#[cfg(test)]
mod tests;
