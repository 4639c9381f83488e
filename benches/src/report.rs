//! How figures are shown: text to read, Markdown to paste, JSON to process.

use std::fmt::Write;
use std::process::Command;
use std::{env, fs, thread};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::Sample;

/// The form of the output.
#[derive(Debug, Clone, Copy, Args)]
pub struct Form {
    /// Print Markdown tables, ready to paste into RESULTS.md
    #[arg(long)]
    pub markdown: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "markdown")]
    pub json: bool,
}

/// One field of a table.
#[derive(Debug, Clone)]
pub enum Cell {
    /// A name, or a remark.
    Text(String),
    /// A figure, and how many decimals of it mean something.
    Number(f64, usize),
    /// The least and the greatest of a sample, with so many decimals.
    Range(Sample, usize),
    /// There is no such figure here.
    Nothing,
}

impl Cell {
    /// A name, or a remark.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A figure that may be missing.
    pub fn maybe(number: Option<f64>, decimals: usize) -> Self {
        number.map_or(Self::Nothing, |number| Self::Number(number, decimals))
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number, decimals) => format!("{number:.decimals$}"),
            Self::Range(sample, decimals) => {
                format!("{:.decimals$}–{:.decimals$}", sample.min(), sample.max())
            }
            Self::Nothing => String::new(),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number, _) => json!(number),
            Self::Range(sample, _) => json!([sample.min(), sample.max()]),
            Self::Nothing => Value::Null,
        }
    }
}

/// A table of figures.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it shows and how that was measured.
    pub title: String,
    /// One name a column, with the unit.
    pub columns: &'static [&'static str],
    /// The rows, each with as many cells as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

impl Table {
    fn lines(&self, markdown: bool) -> String {
        let mut grid = vec![self.columns.iter().map(|name| (*name).to_owned()).collect()];
        let row = |row: &Vec<Cell>| row.iter().map(Cell::shown).collect::<Vec<_>>();
        grid.extend(self.rows.iter().map(row));
        let width = |column: usize| grid.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<_> = (0..self.columns.len()).filter_map(width).collect();
        let mut out = format!("{}\n\n", self.title);
        for (number, row) in grid.iter().enumerate() {
            let cells: Vec<_> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            let line = cells.join(if markdown { " | " } else { "  " });
            // Writing to a string cannot fail.
            let _ = if markdown {
                writeln!(out, "| {line} |")
            } else {
                writeln!(out, "{}", line.trim_end())
            };
            if markdown && number == 0 {
                let rules: Vec<_> = widths.iter().map(|width| "-".repeat(*width)).collect();
                let _ = writeln!(out, "|-{}-|", rules.join("-|-"));
            }
        }
        out
    }

    fn json(&self) -> Value {
        let object = |row: &Vec<Cell>| -> Map<_, _> {
            let names = self.columns.iter().map(|name| (*name).to_owned());
            names.zip(row.iter().map(Cell::json)).collect()
        };
        let rows: Vec<_> = self.rows.iter().map(object).collect();
        json!({ "title": self.title, "rows": rows })
    }
}

/// Prints the tables of one benchmark and what they were measured on.
pub fn print(form: Form, tables: &[Table]) {
    let machine = Machine::look();
    if form.json {
        let tables: Vec<_> = tables.iter().map(Table::json).collect();
        let Machine {
            cpu,
            cores,
            commit,
            command,
        } = machine;
        let all = json!({ "cpu": cpu, "cores": cores, "commit": commit, "command": command, "tables": tables });
        println!("{all}");
        return;
    }
    println!(
        "{}, {} cores, commit {}, `{}`",
        machine.cpu, machine.cores, machine.commit, machine.command
    );
    for table in tables {
        println!("\n{}", table.lines(form.markdown));
    }
}

/// What the figures were measured on, and how to measure them again.
struct Machine {
    cpu: String,
    cores: usize,
    commit: String,
    command: String,
}

impl Machine {
    fn look() -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus
            .lines()
            .find_map(|line| line.strip_prefix("model name"));
        let cpu = model.map_or("unknown CPU", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
        let described = Command::new("git")
            .args(["describe", "--always", "--dirty", "--abbrev=10"])
            .output();
        let commit = match described {
            Ok(output) if output.status.success() => {
                String::from_utf8_lossy(&output.stdout).trim().to_owned()
            }
            _ => "unknown".to_owned(),
        };
        let arguments = env::args().enumerate().map(|(at, word)| match at {
            0 => word.rsplit('/').next().unwrap_or_default().to_owned(),
            _ => word,
        });
        let words: Vec<_> = arguments.collect();
        Self {
            cpu: cpu.to_owned(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            commit,
            command: format!("cargo xtask bench {}", words.join(" ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut sample = Sample::default();
        [3.0, 1.0].into_iter().for_each(|value| sample.add(value));
        Table {
            title: "Reads".to_owned(),
            columns: &["store", "ns", "range"],
            rows: vec![
                vec![
                    Cell::text("a"),
                    Cell::Number(12.34, 1),
                    Cell::Range(sample, 0),
                ],
                vec![Cell::text("long"), Cell::maybe(None, 1), Cell::Nothing],
            ],
        }
    }

    #[test]
    fn markdown_is_a_table() {
        let expected = "Reads\n\n\
            | store | ns   | range |\n\
            |-------|------|-------|\n\
            | a     | 12.3 | 1–3   |\n\
            | long  |      |       |\n";
        assert_eq!(table().lines(true), expected);
    }

    #[test]
    fn text_is_aligned() {
        let expected = "Reads\n\nstore  ns    range\na      12.3  1–3\nlong\n";
        assert_eq!(table().lines(false), expected);
    }

    #[test]
    fn json_keeps_numbers() {
        let rows = table().json();
        assert_eq!(rows["rows"][0]["ns"], 12.34);
        assert_eq!(rows["rows"][1]["ns"], Value::Null);
        assert_eq!(rows["rows"][0]["range"], json!([1.0, 3.0]));
    }
}
