//! Finds the value of each setting: flag before environment before file before default.

use std::collections::BTreeMap;

use super::file::{File, Found};
use super::kinds::{Kind, Switch};
use super::problem::{Origin, Problem};

/// One setting as it was declared and as it turned out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the file, dotted when it is in a table.
    pub key: &'static str,
    /// What it is for, one sentence.
    pub help: &'static str,
    /// Its default, as text.
    pub default: String,
    /// The placeholder for its value in `--help`.
    pub placeholder: &'static str,
    /// Its effective value, as text.
    pub text: String,
    /// The same as TOML.
    pub literal: String,
    /// Where that came from.
    pub origin: Origin,
}

impl Setting {
    /// Whether it is on or off, so that the option alone means on.
    pub fn is_switch(&self) -> bool {
        self.placeholder == Switch.placeholder()
    }
}

/// The name of a setting on the command line: `limits.clients_max` is `limits-clients-max`.
pub fn flag_name(key: &str) -> String {
    key.replace(['.', '_'], "-")
}

/// The name of a setting in the environment: `limits.clients_max` is `LARDER_LIMITS_CLIENTS_MAX`.
pub(super) fn variable_name(key: &str) -> String {
    format!("LARDER_{}", key.replace('.', "_").to_ascii_uppercase())
}

/// Everything that somebody said about the settings.
#[derive(Debug, Default)]
pub(super) struct Layers {
    pub(super) file: File,
    /// By name of the variable.
    pub(super) environment: BTreeMap<String, Found>,
    /// By key of the setting.
    pub(super) flags: BTreeMap<String, String>,
}

/// Reads settings out of layers, and notes every problem on the way.
pub(super) struct Reader<'a> {
    pub(super) layers: &'a Layers,
    pub(super) problems: Vec<Problem>,
    pub(super) settings: Vec<Setting>,
    faulty: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        let problems = layers.file.problems.clone();
        Self {
            layers,
            problems,
            settings: Vec::new(),
            faulty: Vec::new(),
        }
    }

    /// Declares a setting and answers its value. A value that is not allowed is noted as a problem
    /// wherever it stands, also where a stronger one would win.
    ///
    /// # Panics
    /// When the default is not allowed, which a test rules out.
    pub(super) fn read<K: Kind>(
        &mut self,
        key: &'static str,
        default: &str,
        kind: K,
        help: &'static str,
    ) -> K::Value {
        let mut value = kind.read(default).expect("every default is allowed");
        let mut origin = Origin::Default;
        for (from, found) in self.said(key) {
            match found.text.as_deref().and_then(|text| kind.read(text)) {
                Some(read) => (value, origin) = (read, from),
                None => {
                    self.faulty.push(key);
                    self.problems.push(self.problem(
                        key,
                        from,
                        &kind.told(&found.shown),
                        &kind.allowed(),
                    ));
                }
            }
        }
        self.settings.push(Setting {
            key,
            help,
            default: default.to_owned(),
            placeholder: kind.placeholder(),
            text: kind.write(&value),
            literal: kind.literal(&value),
            origin,
        });
        value
    }

    /// Notes that the value which rules for `key` is not allowed for a reason that other settings
    /// give.
    pub(super) fn refuse(&mut self, key: &'static str, allowed: &str) {
        let setting = self.settings.iter().find(|setting| setting.key == key);
        let (origin, found) = setting.map_or((Origin::Default, ""), |setting| {
            (setting.origin, &setting.literal)
        });
        self.problems
            .push(self.problem(key, origin, found, allowed));
    }

    /// Notes something wrong on a line of the file.
    pub(super) fn note(&mut self, line: usize, message: String) {
        self.problems.push(self.layers.file.problem(line, message));
    }

    /// Whether all these were free of problems, so that comparing them makes sense.
    pub(super) fn are_sound(&self, keys: &[&'static str]) -> bool {
        keys.iter().all(|key| !self.faulty.contains(key))
    }

    /// What was said about `key`, the strongest last.
    fn said(&self, key: &str) -> Vec<(Origin, Found)> {
        let Layers {
            file,
            environment,
            flags,
        } = self.layers;
        let in_file = file.entries.iter().find(|entry| entry.key == key);
        let as_table = file.tables.iter().find(|(table, _)| table == key);
        let in_environment = environment.get(&variable_name(key));
        let in_flags = flags.get(key);
        let said = [
            in_file.map(|entry| (Origin::File(entry.line), entry.found.clone())),
            as_table.map(|(_, line)| (Origin::File(*line), Found::no_scalar("a table"))),
            in_environment.map(|found| (Origin::Environment, found.clone())),
            in_flags.map(|text| (Origin::Flag, Found::text(text))),
        ];
        said.into_iter().flatten().collect()
    }

    fn problem(&self, key: &str, origin: Origin, found: &str, allowed: &str) -> Problem {
        let message = format!("{key}: found {found}; allowed: {allowed}");
        let place = match origin {
            Origin::File(line) => return self.layers.file.problem(line, message),
            Origin::Environment => variable_name(key),
            Origin::Flag => format!("--{}", flag_name(key)),
            Origin::Default => "default".to_owned(),
        };
        Problem {
            origin,
            place,
            message,
        }
    }
}
