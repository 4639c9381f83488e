//! The log: one line an event on standard error, so that standard output stays for programs.

use std::io;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::SubscriberInitExt;

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: time, level, module, message, fields.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is logged: a level (`info`) or levels by module (`larder_server=debug,warn`).
#[derive(Debug)]
pub struct Filter {
    filter: EnvFilter,
    text: String,
}

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let filter = EnvFilter::builder().parse(text)?;
        Ok(Self {
            filter,
            text: text.to_owned(),
        })
    }
}

/// The text of a filter was not understood.
#[derive(Debug, thiserror::Error)]
#[error("not a log filter such as info or larder_server=debug,warn")]
pub struct FilterError(#[from] ParseError);

/// The process already has a log.
#[derive(Debug, thiserror::Error)]
#[error("the log of this process is already set up")]
pub struct AlreadyStarted;

/// Sets up the log of the whole process.
///
/// # Errors
/// When it is not the first to do so.
pub fn start(filter: Filter, format: LogFormat) -> Result<(), AlreadyStarted> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter.filter)
        .with_writer(io::stderr);
    let reload: Reload = match format {
        LogFormat::Text => {
            let builder = builder.with_filter_reloading();
            let handle = builder.reload_handle();
            builder.finish().try_init().map_err(|_| AlreadyStarted)?;
            Box::new(move |filter| handle.reload(filter).is_ok())
        }
        LogFormat::Json => {
            let builder = builder.json().flatten_event(true).with_filter_reloading();
            let handle = builder.reload_handle();
            builder.finish().try_init().map_err(|_| AlreadyStarted)?;
            Box::new(move |filter| handle.reload(filter).is_ok())
        }
    };
    let log = Log {
        text: Mutex::new(filter.text),
        reload,
    };
    LOG.set(log).map_err(|_| AlreadyStarted)
}

/// The log of the process, once it is started.
static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    text: Mutex<String>,
    reload: Reload,
}

/// Puts another filter in force; false when the log is gone.
type Reload = Box<dyn Fn(EnvFilter) -> bool + Send + Sync>;

/// What is logged, as it was said; empty before [`start`].
pub fn filter() -> String {
    let text = LOG.get().map(|log| lock(&log.text).clone());
    text.unwrap_or_default()
}

/// Logs by another filter from now on. Nothing happens before [`start`].
pub fn change(filter: Filter) {
    if let Some(log) = LOG.get() {
        let mut text = lock(&log.text);
        if (log.reload)(filter.filter) {
            *text = filter.text;
        }
    }
}

/// The text is replaced whole.
fn lock(text: &Mutex<String>) -> MutexGuard<'_, String> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_a_level_or_levels_by_module() {
        for text in ["info", "off", "larder_server=debug,warn"] {
            assert!(text.parse::<Filter>().is_ok(), "{text}");
        }
        let error = "larder=loud".parse::<Filter>().unwrap_err();
        assert!(error.to_string().starts_with("not a log filter"), "{error}");
    }

    #[test]
    fn the_second_start_is_refused_and_the_first_can_be_changed() {
        let start = || start("off".parse().unwrap(), LogFormat::Json);
        change("info".parse().unwrap());
        assert_eq!(filter(), "");
        assert!(start().is_ok());
        assert_eq!(filter(), "off");
        change("warn".parse().unwrap());
        assert_eq!(filter(), "warn");
        assert_eq!(
            start().unwrap_err().to_string(),
            "the log of this process is already set up"
        );
    }
}
