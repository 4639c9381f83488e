//! The file beside a policy that says whom it is for and how it is set.
//!
//! ```toml
//! tenant = "default"        # a tenant's name, or "*" for all
//! keys = "user:*"           # which keys it decides over; for kinds other than eviction
//! enabled = true
//! may_extend = false        # whether it may lengthen a TTL that stands
//! [parameters]
//! small_percent = 10
//! [limits]
//! deadline = "2ms"          # CPU time of a call
//! memory = "16MiB"          # linear memory of an instance, beside what it gets for each slot
//! ```

use std::ops::RangeInclusive;
use std::time::Duration;

use larder_abi::{Kind, Kinds, units};
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::pattern::Pattern;
use crate::sandbox::{Given, Settings};

/// What `limits.deadline` may be, in milliseconds.
const DEADLINE_MS: RangeInclusive<u64> = 1..=1_000;
/// What `limits.memory` may be, in bytes.
const MEMORY_BYTES: RangeInclusive<u64> = 64 * 1024..=1 << 30;
/// Problems named; more would help nobody.
const PROBLEMS_MAX: usize = 10;

/// Whom a policy is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Every tenant.
    All,
    /// The tenant in that place among the engine's.
    One(usize),
}

impl Scope {
    /// Whether the tenant in that place is meant.
    #[inline]
    pub(crate) fn covers(self, tenant: usize) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == tenant,
        }
    }

    /// Its name among these.
    pub(crate) fn name(self, tenants: &[String]) -> &str {
        match self {
            Self::All => "*",
            Self::One(tenant) => &tenants[tenant],
        }
    }
}

/// What a side-car says.
#[derive(Debug, Clone)]
pub(crate) struct SideCar {
    pub(crate) scope: Scope,
    /// `None` where nothing was said, which means all keys.
    pub(crate) keys: Option<Pattern>,
    pub(crate) enabled: bool,
    pub(crate) may_extend: bool,
    pub(crate) settings: Settings,
}

impl SideCar {
    /// Reads the side-car of a server with these tenants, the default one first; an empty text says
    /// nothing, and the defaults hold.
    ///
    /// # Errors
    /// All that is wrong with it, with lines.
    pub(crate) fn parse(name: &str, text: &str, tenants: &[String]) -> Result<Self, String> {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut reader = Reader {
            name,
            text,
            tenants,
            problems: Vec::new(),
            found: Self {
                scope: Scope::One(0),
                keys: None,
                enabled: true,
                may_extend: false,
                settings: Settings::default(),
            },
        };
        for error in errors {
            let start = error.span().unwrap_or_default().start;
            reader.problem(start, &format!("not TOML: {}", error.message()));
        }
        if reader.problems.is_empty() {
            reader.read(document.get_ref());
        }
        reader.finish()
    }

    /// Whether what it says makes sense for a policy of these kinds.
    ///
    /// # Errors
    /// What does not.
    pub(crate) fn check_kinds(&self, name: &str, kinds: Kinds) -> Result<(), String> {
        let decides_over_values = kinds.iter().any(|kind| kind != Kind::Eviction);
        match &self.keys {
            Some(_) if !decides_over_values => Err(format!(
                "{name}: keys has no meaning for a policy that only decides over eviction, as that \
                 sees no keys; take it out"
            )),
            _ => Ok(()),
        }
    }
}

struct Reader<'a> {
    /// The file's, for people.
    name: &'a str,
    text: &'a str,
    tenants: &'a [String],
    problems: Vec<(usize, String)>,
    found: SideCar,
}

impl Reader<'_> {
    fn read(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match &**key.get_ref() {
                "tenant" => self.tenant(value),
                "keys" => self.keys(value),
                "enabled" => self.found.enabled = self.flag("enabled", value),
                "may_extend" => self.found.may_extend = self.flag("may_extend", value),
                "parameters" => self.table("parameters", value, Self::parameter),
                "limits" => self.table("limits", value, Self::limit),
                other => self.problem(
                    key.span().start,
                    &format!(
                        "unknown key '{other}'; allowed: tenant, keys, enabled, may_extend, \
                         [parameters], [limits]"
                    ),
                ),
            }
        }
    }

    fn tenant(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(name) = self.string("tenant", value) else {
            return;
        };
        if name == "*" {
            self.found.scope = Scope::All;
        } else if let Some(place) = self.tenants.iter().position(|tenant| *tenant == name) {
            self.found.scope = Scope::One(place);
        } else {
            let tenants = self.tenants.join(", ");
            self.problem(
                value.span().start,
                &format!("there is no tenant '{name}'; there are: {tenants}, and * for all"),
            );
        }
    }

    fn keys(&mut self, value: &Spanned<DeValue<'_>>) {
        let Some(text) = self.string("keys", value) else {
            return;
        };
        match Pattern::new(&text) {
            Ok(pattern) => self.found.keys = Some(pattern),
            Err(why) => self.problem(value.span().start, &format!("keys {why}")),
        }
    }

    fn parameter(&mut self, key: &str, value: &Spanned<DeValue<'_>>) {
        let given = match value.get_ref() {
            DeValue::Boolean(given) => Ok(Given::Bool(*given)),
            DeValue::String(given) => Ok(Given::Text(given.to_string())),
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .map(Given::Int)
                .map_err(|_| "is beyond 64 bits".to_owned()),
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Given::Float(number)),
                _ => Err("is no finite number".to_owned()),
            },
            DeValue::Array(items) => texts(items)
                .map(Given::List)
                .ok_or_else(|| "is an array of other things than strings".to_owned()),
            DeValue::Datetime(_) | DeValue::Table(_) => {
                Err("is no number, string, true, false, or array of strings".to_owned())
            }
        };
        match given {
            Ok(given) => {
                let place = format!("{}:{}", self.name, self.line(value.span().start));
                let settings = &mut self.found.settings;
                settings.parameters.insert(key.to_owned(), given);
                settings.places.insert(key.to_owned(), place);
            }
            Err(why) => self.problem(value.span().start, &format!("parameters.{key} {why}")),
        }
    }

    fn limit(&mut self, key: &str, value: &Spanned<DeValue<'_>>) {
        match key {
            "deadline" => {
                let ms = self.within(
                    ("limits.deadline", "1ms to 1s"),
                    value,
                    units::duration_ms,
                    DEADLINE_MS,
                );
                self.found.settings.deadline = ms.map(Duration::from_millis);
            }
            "memory" => {
                let bytes = self.within(
                    ("limits.memory", "64KiB to 1GiB"),
                    value,
                    units::size_bytes,
                    MEMORY_BYTES,
                );
                self.found.settings.memory_bytes_max = bytes.map(|bytes| bytes as usize);
            }
            other => self.problem(
                value.span().start,
                &format!("unknown key 'limits.{other}'; allowed: deadline, memory"),
            ),
        }
    }

    fn within(
        &mut self,
        (name, allowed): (&str, &str),
        value: &Spanned<DeValue<'_>>,
        parse: fn(&str) -> Option<u64>,
        range: RangeInclusive<u64>,
    ) -> Option<u64> {
        let text = self.string(name, value)?;
        let quantity = parse(&text).filter(|quantity| range.contains(quantity));
        if quantity.is_none() {
            self.problem(
                value.span().start,
                &format!("{name} is '{text}'; allowed: {allowed}"),
            );
        }
        quantity
    }

    fn flag(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> bool {
        let DeValue::Boolean(flag) = value.get_ref() else {
            self.problem(
                value.span().start,
                &format!("{key} is neither true nor false"),
            );
            return false;
        };
        *flag
    }

    fn string(&mut self, key: &str, value: &Spanned<DeValue<'_>>) -> Option<String> {
        let DeValue::String(text) = value.get_ref() else {
            self.problem(value.span().start, &format!("{key} is no string in quotes"));
            return None;
        };
        Some(text.to_string())
    }

    fn table(
        &mut self,
        name: &str,
        value: &Spanned<DeValue<'_>>,
        read: fn(&mut Self, &str, &Spanned<DeValue<'_>>),
    ) {
        let DeValue::Table(table) = value.get_ref() else {
            self.problem(
                value.span().start,
                &format!("{name} is no table: write [{name}]"),
            );
            return;
        };
        for (key, value) in table {
            read(self, key.get_ref(), value);
        }
    }

    fn problem(&mut self, offset: usize, message: &str) {
        self.problems.push((self.line(offset), message.to_owned()));
    }

    fn line(&self, offset: usize) -> usize {
        let before = &self.text.as_bytes()[..offset.min(self.text.len())];
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    }

    fn finish(mut self) -> Result<SideCar, String> {
        if self.problems.is_empty() {
            return Ok(self.found);
        }
        self.problems.sort();
        let more = self.problems.len().saturating_sub(PROBLEMS_MAX);
        let mut said: Vec<_> = self
            .problems
            .iter()
            .take(PROBLEMS_MAX)
            .map(|(line, message)| format!("{}:{line}: {message}", self.name))
            .collect();
        if more > 0 {
            said.push(format!("and {more} more"));
        }
        Err(said.join("; "))
    }
}

fn texts(items: &DeArray<'_>) -> Option<Vec<String>> {
    let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    };
    items.iter().map(text).collect()
}

#[cfg(test)]
mod tests;
