//! The options that stand for settings: made from what the configuration declares, so that neither
//! can forget the other.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use crate::config::{self, Setting};

/// What the command line says about settings, by key. Values are still text: they are checked with
/// everything else, so that all problems are reported together.
#[derive(Debug)]
pub(super) struct Overrides(pub(super) BTreeMap<String, String>);

impl Args for Overrides {
    fn augment_args(command: Command) -> Command {
        config::defaults()
            .iter()
            .fold(command, |command, setting| command.arg(option(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Overrides {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut overrides = Self(BTreeMap::new());
        overrides.update_from_arg_matches(matches)?;
        Ok(overrides)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        for Setting { key, .. } in config::defaults() {
            if let Some(value) = matches.get_one::<String>(key) {
                self.0.insert(key.to_owned(), value.clone());
            }
        }
        Ok(())
    }
}

fn option(setting: &Setting) -> Arg {
    let Setting {
        key,
        help,
        default,
        placeholder,
        ..
    } = setting;
    let option = Arg::new(*key)
        .long(config::flag_name(key))
        .value_name(*placeholder)
        .help(format!("{help} [default: {default}]"));
    let option = match key.split_once('.') {
        Some(("limits", _)) => option.help_heading("Limits"),
        Some(("compression" | "encryption", _)) => option.help_heading("Values below the memory"),
        Some(("predict", _)) => option.help_heading("Prediction"),
        Some(("lua", _)) => option.help_heading("Scripts"),
        Some(("log", _)) => option.help_heading("Log"),
        _ => option,
    };
    if setting.is_switch() {
        option
            .num_args(0..=1)
            .require_equals(true)
            .default_missing_value("true")
    } else {
        option
    }
}
