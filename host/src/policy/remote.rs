//! What a running server says of its policies, and orders to it.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use larder_resp::{Limits, Value, decode, encode_command};

use crate::address::Address;

/// Longer than any order takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of a reply; a listing has some hundred a policy.
const REPLY_BYTES_MAX: usize = 16 << 20;

pub(super) fn list(addr: &Address) -> anyhow::Result<ExitCode> {
    let Value::Array(rows) = ask(addr, &["POLICY", "LIST"])? else {
        bail!("{addr} answers POLICY LIST with something else; is it a Larder?");
    };
    let rows: Vec<_> = rows.iter().map(pairs).collect();
    let names = ["name", "runtime", "kinds", "tenant", "state", "why"];
    let field = |row: &[(String, String)], name: &str| {
        let found = row.iter().find(|(found, _)| found == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    let mut lines = vec![names.map(str::to_owned)];
    lines.extend(rows.iter().map(|row| names.map(|name| field(row, name))));
    let width = |column: usize| {
        lines
            .iter()
            .map(|line| line[column].len())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<_> = (0..names.len() - 1).map(width).collect();
    for line in &lines {
        for (text, width) in line.iter().zip(&widths) {
            print!("{text:<width$}  ");
        }
        println!("{}", line[names.len() - 1]);
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn info(addr: &Address, name: &str) -> anyhow::Result<ExitCode> {
    for (name, value) in pairs(&ask(addr, &["POLICY", "INFO", name])?) {
        println!("{name:<18} {value}");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn order(addr: &Address, order: &str, name: &str) -> anyhow::Result<ExitCode> {
    ask(addr, &["POLICY", order, name])?;
    println!("done; see what decides now: larder policy list");
    Ok(ExitCode::SUCCESS)
}

/// Sends one command, and waits for its reply; an error reply is an error.
fn ask(addr: &Address, command: &[&str]) -> anyhow::Result<Value> {
    let mut socket = addr.connect()?;
    let lost = || format!("the connection to {addr} is lost");
    socket.set_timeout(PATIENCE).with_context(lost)?;
    let args: Vec<_> = command.iter().map(|arg| arg.as_bytes()).collect();
    let mut request = Vec::new();
    encode_command(&mut request, &args);
    socket.write_all(&request).with_context(lost)?;
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let reply = decode(&received, &Limits::default());
        match reply.with_context(|| format!("{addr} does not speak the Redis protocol"))? {
            Some((Value::Error(text), _)) => {
                bail!("{}", text.trim_start_matches("ERR "))
            }
            Some((value, _)) => return Ok(value),
            None if received.len() > REPLY_BYTES_MAX => bail!("{addr} answers without end"),
            None => {}
        }
        let bytes = socket.read(&mut buffer).with_context(lost)?;
        if bytes == 0 {
            bail!("{addr} closed the connection");
        }
        received.extend_from_slice(&buffer[..bytes]);
    }
}

/// The names and values of a map, or of an array in place of one.
fn pairs(value: &Value) -> Vec<(String, String)> {
    match value {
        Value::Array(items) => items
            .chunks_exact(2)
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect(),
        Value::Map(items) => items.iter().map(|(k, v)| (text(k), text(v))).collect(),
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    }
}
