//! The parameters of a policy: what its manifest declares, and what the file beside it sets.

use std::cmp::Ordering;

use larder_abi::{Value, units};
use serde::Deserialize;
use serde_json::Value as Json;

use super::{Manifest, is_name};
use crate::sandbox::{Given, Refusal, Settings};

/// A parameter that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Its name, 1 to 64 of `a`–`z`, `0`–`9` and `_`.
    pub name: String,
    /// What it is for, one line.
    pub about: String,
    kind: Type,
    default: Value,
    min: Option<Value>,
    max: Option<Value>,
}

/// What an instance is told, and what people are.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameters {
    /// In the order of the manifest.
    pub(crate) values: Vec<Value>,
    /// Names and values.
    pub(crate) shown: Vec<(String, String)>,
}

/// What a parameter can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Type {
    Int,
    Float,
    Bool,
    Text,
    List,
    /// Milliseconds.
    Duration,
    /// Bytes.
    Size,
}

/// As it stands in the manifest.
#[derive(Deserialize)]
pub(super) struct Raw {
    name: String,
    #[serde(rename = "type")]
    kind: Type,
    default: Json,
    min: Option<Json>,
    max: Option<Json>,
    #[serde(default)]
    about: String,
}

/// Problems named; more would help nobody.
const PROBLEMS_MAX: usize = 10;

impl Manifest {
    /// What the parameters are, where some are given.
    ///
    /// # Errors
    /// All that was given wrongly, and where.
    pub(crate) fn set(&self, settings: &Settings) -> Result<Parameters, Refusal> {
        let given = &settings.parameters;
        let mut problems = Vec::new();
        let mut problem = |name: &str, why: String| {
            problems.push(match settings.places.get(name) {
                Some(place) => format!("{place}: {why}"),
                None => why,
            });
        };
        for name in given.keys() {
            if !self.parameters.iter().any(|known| known.name == *name) {
                let known = self.known();
                problem(
                    name,
                    format!("there is no parameter '{name}'; there {known}"),
                );
            }
        }
        let mut set = Parameters {
            values: Vec::new(),
            shown: Vec::new(),
        };
        for parameter in &self.parameters {
            let value = match given.get(&parameter.name) {
                None => Ok(parameter.default.clone()),
                Some(given) => parameter.take(given),
            };
            match value {
                Ok(value) => {
                    let shown = parameter.kind.show(&value);
                    set.shown.push((parameter.name.clone(), shown));
                    set.values.push(value);
                }
                Err(why) => problem(&parameter.name, why),
            }
        }
        if problems.is_empty() {
            return Ok(set);
        }
        let more = problems.len().saturating_sub(PROBLEMS_MAX);
        problems.truncate(PROBLEMS_MAX);
        if more > 0 {
            problems.push(format!("and {more} more"));
        }
        Err(Refusal(problems.join("; ")))
    }

    fn known(&self) -> String {
        let names: Vec<_> = self.parameters.iter().map(|p| p.name.as_str()).collect();
        match names.is_empty() {
            true => "are none".to_owned(),
            false => format!("are {}", names.join(", ")),
        }
    }
}

impl Parameter {
    pub(super) fn read(raw: Raw) -> Result<Self, String> {
        let Raw { name, kind, .. } = raw;
        if !is_name(&name, |c| matches!(c, 'a'..='z' | '0'..='9' | '_')) {
            return Err(format!(
                "the name {name:?} of a parameter is not 1 to 64 of a-z, 0-9 and _"
            ));
        }
        let bound = |bound: Option<Json>, what: &str| -> Result<Option<Value>, String> {
            let Some(bound) = bound else {
                return Ok(None);
            };
            let value = kind.number(&bound);
            let unusable = || format!("the {what} of its parameter {name} is {bound}");
            value.map(Some).ok_or_else(unusable)
        };
        let (min, max) = (bound(raw.min, "min")?, bound(raw.max, "max")?);
        let default = kind
            .default(&raw.default)
            .ok_or_else(|| format!("the default of its parameter {name} is {}", raw.default))?;
        let parameter = Self {
            about: super::one_line(&raw.about),
            name,
            kind,
            default,
            min,
            max,
        };
        if parameter.is_in_range(&parameter.default) {
            return Ok(parameter);
        }
        Err(format!(
            "the default of its parameter {} is {}, which is not {}",
            parameter.name,
            kind.show(&parameter.default),
            parameter.wanted()
        ))
    }

    fn take(&self, given: &Given) -> Result<Value, String> {
        self.kind
            .take(given)
            .filter(|value| self.is_in_range(value))
            .ok_or_else(|| {
                let (name, given, wanted) = (&self.name, show(given), self.wanted());
                format!("parameter '{name}' is {given}, and has to be {wanted}")
            })
    }

    fn is_in_range(&self, value: &Value) -> bool {
        let is_below = |a: &Value, b: &Value| compare(a, b) == Some(Ordering::Less);
        let is_low = self.min.as_ref().is_some_and(|min| is_below(value, min));
        let is_high = self.max.as_ref().is_some_and(|max| is_below(max, value));
        !is_low && !is_high
    }

    /// What is allowed, for people.
    fn wanted(&self) -> String {
        let bound = |word: &str, bound: &Option<Value>| match bound {
            Some(bound) => format!(" {word} {}", self.kind.show(bound)),
            None => String::new(),
        };
        let bounds = match (&self.min, &self.max) {
            (Some(_), Some(_)) => bound("from", &self.min) + &bound("to", &self.max),
            _ => bound("of at least", &self.min) + &bound("of at most", &self.max),
        };
        format!("{}{bounds}", self.kind.wanted())
    }
}

impl Type {
    fn wanted(self) -> &'static str {
        match self {
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Bool => "true or false",
            Self::Text => "a text in quotes",
            Self::List => "a list of texts",
            Self::Duration => "a duration such as \"30s\"",
            Self::Size => "a size such as \"4KiB\"",
        }
    }

    /// A bound or a default that is a number; a bound beyond 64 bits is as good as the last number.
    fn number(self, json: &Json) -> Option<Value> {
        let whole = json
            .as_i64()
            .or_else(|| json.as_u64().map(|_| i64::MAX))
            .map(Value::Int);
        match self {
            Self::Int => whole,
            Self::Duration | Self::Size => {
                whole.filter(|whole| compare(whole, &Value::Int(0)) != Some(Ordering::Less))
            }
            Self::Float => json.as_f64().filter(|f| f.is_finite()).map(Value::Float),
            Self::Bool | Self::Text | Self::List => None,
        }
    }

    fn default(self, json: &Json) -> Option<Value> {
        match self {
            Self::Bool => json.as_bool().map(Value::Bool),
            Self::Text => json.as_str().map(|text| Value::Text(text.to_owned())),
            Self::List => {
                let text = |item: &Json| item.as_str().map(str::to_owned);
                let items = json.as_array()?.iter().map(text).collect::<Option<_>>();
                items.map(Value::List)
            }
            _ => self.number(json),
        }
    }

    fn take(self, given: &Given) -> Option<Value> {
        let whole = |quantity: u64| i64::try_from(quantity).ok().map(Value::Int);
        match (self, given) {
            (Self::Int, Given::Int(int)) => Some(Value::Int(*int)),
            (Self::Float, Given::Int(int)) => Some(Value::Float(*int as f64)),
            (Self::Float, Given::Float(float)) if float.is_finite() => Some(Value::Float(*float)),
            (Self::Bool, Given::Bool(flag)) => Some(Value::Bool(*flag)),
            (Self::Text, Given::Text(text)) => Some(Value::Text(text.clone())),
            (Self::List, Given::List(items)) => Some(Value::List(items.clone())),
            (Self::Duration, Given::Text(text)) => units::duration_ms(text).and_then(whole),
            (Self::Size, Given::Text(text)) => units::size_bytes(text).and_then(whole),
            (Self::Size, Given::Int(bytes)) => u64::try_from(*bytes).ok().and_then(whole),
            _ => None,
        }
    }

    fn show(self, value: &Value) -> String {
        match (self, value) {
            (_, Value::Int(int)) => match (self, u64::try_from(*int)) {
                (Self::Duration, Ok(ms)) => units::duration(ms),
                (Self::Size, Ok(bytes)) => units::size(bytes),
                _ => int.to_string(),
            },
            (_, Value::Float(float)) => float.to_string(),
            (_, Value::Bool(flag)) => flag.to_string(),
            (_, Value::Text(text)) => text.clone(),
            (_, Value::List(items)) => items.join(", "),
        }
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        _ => None,
    }
}

fn show(given: &Given) -> String {
    match given {
        Given::Int(int) => int.to_string(),
        Given::Float(float) => float.to_string(),
        Given::Bool(flag) => flag.to_string(),
        Given::Text(text) => format!("{text:?}"),
        Given::List(items) => format!("{items:?}"),
    }
}
