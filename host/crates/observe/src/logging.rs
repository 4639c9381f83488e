//! The log: one line an event on standard error, so that standard output stays for programs.

use std::io;
use std::str::FromStr;

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
pub struct Filter(EnvFilter);

impl FromStr for Filter {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        let filter = EnvFilter::builder().parse(text)?;
        Ok(Self(filter))
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
        .with_env_filter(filter.0)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => builder.finish().try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init(),
    }
    .map_err(|_| AlreadyStarted)
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
    fn the_second_start_is_refused() {
        let start = || start("off".parse().unwrap(), LogFormat::Json);
        assert!(start().is_ok());
        assert_eq!(
            start().unwrap_err().to_string(),
            "the log of this process is already set up"
        );
    }
}
