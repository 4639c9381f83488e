//! What a running server says of its policies, and orders to it.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use larder_resp::{Limits, Value, decode, encode_command};

use crate::address::Socket;
use crate::output;
use crate::server::Server;

/// Longer than any order takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a reply; a listing has some hundred a policy.
const REPLY_BYTES_MAX: usize = 16 << 20;

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
    let Value::Array(rows) = ask(server, &["POLICY", "LIST"])? else {
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
    for (name, value) in row_of(&ask(server, &["POLICY", "INFO", name])?).0 {
        println!("{name:<18} {value}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Gives an order, and tells which version of the policy it left in which state.
pub(super) fn order(server: &Server, order: &str, name: &str) -> anyhow::Result<ExitCode> {
    ask(server, &["POLICY", order, name])?;
    let row = row_of(&ask(server, &["POLICY", "INFO", name])?);
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
    if let Value::Error(why) = exchange(socket, server, &["POLICY", "RELOAD"])? {
        return Err(refusal(&why)).with_context(silent);
    }
    match exchange(socket, server, &["POLICY", "INFO", name])? {
        Value::Error(_) => Ok(None),
        row => Ok(Some(row_of(&row))),
    }
}

/// Sends one command, and waits for its reply; an error reply is an error.
fn ask(server: &Server, command: &[&str]) -> anyhow::Result<Value> {
    match exchange(&mut server.connect()?, server, command)? {
        Value::Error(why) => Err(refusal(&why)),
        value => Ok(value),
    }
}

fn refusal(why: &str) -> anyhow::Error {
    anyhow::anyhow!("{}", why.trim_start_matches("ERR "))
}

/// Sends one command, and waits for its reply.
fn exchange(socket: &mut Socket, server: &Server, command: &[&str]) -> anyhow::Result<Value> {
    let lost = || format!("the connection to {server} is lost");
    socket.set_timeout(PATIENCE).with_context(lost)?;
    let args: Vec<_> = command.iter().map(|arg| arg.as_bytes()).collect();
    let mut request = Vec::new();
    encode_command(&mut request, &args);
    socket.write_all(&request).with_context(lost)?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let reply = decode(&received, &Limits::default());
        match reply.with_context(|| format!("{server} does not speak the Redis protocol"))? {
            Some((value, _)) => return Ok(value),
            None if received.len() > REPLY_BYTES_MAX => bail!("{server} answers without end"),
            None => {}
        }
        let bytes = socket.read(&mut buffer).with_context(lost)?;
        if bytes == 0 {
            bail!("{server} closed the connection");
        }
        received.extend_from_slice(&buffer[..bytes]);
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
