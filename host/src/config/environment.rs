//! The variables `LARDER_…`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use larder_observe::Filter;

use super::file::Found;
use super::problem::{Origin, Problem};
use super::reader::{Reader, variable_name};

const PREFIX: &str = "LARDER_";

/// Names the configuration file when the command line does not.
const CONFIG: &str = "LARDER_CONFIG";

/// Takes the place of `log.level`, and can set levels by module.
const LOG: &str = "LARDER_LOG";

/// Known, and no setting: the folder of traces that tests and benches read is handed down to servers
/// they start.
const TRACES: &str = "LARDER_TRACES";

/// Known, and no setting: what commands that ask a server sign in with.
pub(crate) const PASSWORD_VARIABLE: &str = "LARDER_PASSWORD";

/// The variables that are meant for Larder, by name.
pub(super) fn own(environment: &[(OsString, OsString)]) -> BTreeMap<String, Found> {
    let own = environment.iter().filter_map(|(name, value)| {
        let name = name.to_str().filter(|name| name.starts_with(PREFIX))?;
        let found = value
            .to_str()
            .map_or_else(|| Found::no_scalar("bytes that are not UTF-8"), Found::text);
        Some((name.to_owned(), found))
    });
    own.collect()
}

/// The file that `LARDER_CONFIG` names.
pub(super) fn config_file(own: &BTreeMap<String, Found>) -> Option<PathBuf> {
    own.get(CONFIG)?.text.as_deref().map(PathBuf::from)
}

/// What `LARDER_LOG` says, if it is there and makes sense.
pub(super) fn log_filter(reader: &mut Reader<'_>) -> Option<String> {
    let found = reader.layers.environment.get(LOG)?;
    let filter = found
        .text
        .clone()
        .filter(|text| text.parse::<Filter>().is_ok());
    if filter.is_none() {
        let message = format!(
            "found {}; allowed: a level such as info, or levels by module such as \
             larder_server=debug,warn",
            found.shown
        );
        let problem = Problem {
            origin: Origin::Environment,
            place: LOG.to_owned(),
            message,
        };
        reader.problems.push(problem);
    }
    filter
}

/// The names of variables `LARDER_…` that mean nothing: perhaps mistyped, perhaps meant for another
/// version, so they are worth a warning and not a refusal.
pub fn unknown_variables(environment: &[(OsString, OsString)]) -> Vec<String> {
    let settings = super::defaults();
    let is_known = |name: &String| {
        [CONFIG, LOG, TRACES, PASSWORD_VARIABLE].contains(&name.as_str())
            || settings
                .iter()
                .any(|setting| variable_name(setting.key) == *name)
    };
    own(environment)
        .into_keys()
        .filter(|name| !is_known(name))
        .collect()
}
