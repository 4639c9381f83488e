//! `larder predict`: what a running server says of its prediction.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use larder_resp::Value;

use crate::output;
use crate::server::{Server, ServerArgs};

const EXAMPLES: &str = "\
Examples:
  larder predict status                      is it on, why, and what has it gained?
  larder predict explain track:42            what speaks for a key
  larder predict status --addr 10.0.0.7:6379 --user root --password-file root.txt";

/// Ask a running server what it fetches before anybody asks for it, and why
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PredictArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Tell whether prediction is on for the user's tenant, why, and what it has gained
    #[command(
        after_help = "Examples:\n  larder predict status --addr unix:/run/larder/larder.sock"
    )]
    Status(ServerArgs),
    /// Tell what prediction thinks of a key, and which features speak for that
    #[command(after_help = "Examples:\n  larder predict explain track:42")]
    Explain {
        /// The key
        key: OsString,
        #[command(flatten)]
        server: ServerArgs,
    },
}

impl PredictArgs {
    /// Prints the answer.
    ///
    /// # Errors
    /// When the server cannot be reached or does not know the command.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let (server, command) = match &self.action {
            Action::Status(server) => (server, vec![&b"CACHE.PREDICT"[..], b"STATUS"]),
            Action::Explain { key, server } => (
                server,
                vec![&b"CACHE.PREDICT"[..], b"EXPLAIN", key.as_bytes()],
            ),
        };
        output::say(&told(&server.server()?, &command)?)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A line for each field of the answer.
fn told(server: &Server, command: &[&[u8]]) -> anyhow::Result<String> {
    let fields: Vec<(Value, Value)> = match server.ask(command)? {
        Value::Map(fields) => fields,
        Value::Array(items) => {
            let (pairs, _) = items.as_chunks();
            pairs
                .iter()
                .cloned()
                .map(|[name, value]| (name, value))
                .collect()
        }
        _ => bail!("{server} answers with something else; is it a Larder?"),
    };
    let mut lines = String::new();
    for (name, value) in fields {
        let name = text(&name);
        match value {
            Value::Array(items) => {
                lines += &format!("{name}:\n");
                lines.extend(items.iter().map(|item| format!("  {}\n", text(item))));
            }
            value => lines += &format!("{name:<14} {}\n", text(&value)),
        }
    }
    Ok(lines)
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Value::Integer(number) => number.to_string(),
        Value::Double(number) => number.to_string(),
        _ => "none".to_owned(),
    }
}
