//! What a running server says of its policies, and orders to it.

use std::process::ExitCode;

use anyhow::{Context, bail};
use larder_resp::Value;

use crate::address::Socket;
use crate::output;
use crate::server::{Server, refusal};

/// Names and values of what a server says of one policy.
pub(super) struct Row(Vec<(String, String)>);

impl Row {
    /// The value of that name; empty where there is none.
    pub(super) fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(found, _)| found == name);
        found.map_or("", |(_, value)| value)
    }
}

pub(super) fn list(server: &Server) -> anyhow::Result<ExitCode> {
    let Value::Array(rows) = server.ask(&["POLICY", "LIST"])? else {
        bail!("{server} answers POLICY LIST with something else; is it a Larder?");
    };
    let rows: Vec<_> = rows.iter().map(row_of).collect();
    let names = ["name", "runtime", "kinds", "tenant", "state", "why"];
    let mut lines = vec![names];
    lines.extend(rows.iter().map(|row| names.map(|name| row.get(name))));
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..names.len() - 1).map(width).collect();
    let mut table = String::new();
    for line in &lines {
        for (text, width) in line.iter().zip(&widths) {
            table.push_str(&format!("{text:<width$}  "));
        }
        table.push_str(line[names.len() - 1]);
        table.push('\n');
    }
    output::say(&table)?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn info(server: &Server, name: &str) -> anyhow::Result<ExitCode> {
    for (name, value) in row_of(&server.ask(&["POLICY", "INFO", name])?).0 {
        println!("{name:<18} {value}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives an order, and tells which version of the policy it left in which state.
pub(super) fn order(server: &Server, order: &str, name: &str) -> anyhow::Result<ExitCode> {
    server.ask(&["POLICY", order, name])?;
    let row = row_of(&server.ask(&["POLICY", "INFO", name])?);
    println!(
        "{name} is {}: {}\nversion {}, digest {}",
        row.get("state"),
        row.get("why"),
        row.get("version"),
        row.get("digest")
    );
    Ok(ExitCode::SUCCESS)
}

/// Has a server look at its folder, and returns what it says of a policy then; `None` where it has
/// none of that name.
///
/// # Errors
/// When it is no Larder, or cannot look.
pub(super) fn look(
    socket: &mut Socket,
    server: &Server,
    name: &str,
) -> anyhow::Result<Option<Row>> {
    let silent = || format!("the server at {server} does not say what became of it");
    if let Value::Error(why) = server.exchange(socket, &["POLICY", "RELOAD"])? {
        return Err(refusal(&why)).with_context(silent);
    }
    match server.exchange(socket, &["POLICY", "INFO", name])? {
        Value::Error(_) => Ok(None),
        row => Ok(Some(row_of(&row))),
    }
}

/// The names and values of a map, or of an array in place of one.
fn row_of(value: &Value) -> Row {
    Row(match value {
        Value::Array(items) => items
            .chunks_exact(2)
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect(),
        Value::Map(items) => items.iter().map(|(k, v)| (text(k), text(v))).collect(),
        _ => Vec::new(),
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
impl Row {
    pub(super) fn new(fields: &[(&str, &str)]) -> Self {
        let field = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(fields.iter().map(field).collect())
    }
}
