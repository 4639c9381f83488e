//! The file's shape: what is written where, before anyone asks whether it makes sense.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::kinds::quoted;
use super::problem::{Origin, Problem};

/// More than any configuration needs: a wrong path should not fill the memory.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What somebody wrote for a value.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// The text of a scalar, without quotes; `None` for what can be no value of a setting.
    pub(super) text: Option<String>,
    /// The texts of an array of strings.
    pub(super) texts: Option<Vec<String>>,
    /// The names and texts of a table of strings.
    pub(super) pairs: Option<Vec<(String, String)>>,
    /// How it is shown to the user.
    pub(super) shown: String,
}

impl Found {
    /// From a flag or a variable.
    pub(super) fn text(text: &str) -> Self {
        Self {
            text: Some(text.to_owned()),
            texts: None,
            pairs: None,
            shown: quoted(text),
        }
    }

    /// From what has no text.
    pub(super) fn no_scalar(shown: &str) -> Self {
        Self {
            text: None,
            texts: None,
            pairs: None,
            shown: shown.to_owned(),
        }
    }

    fn in_file(value: &DeValue<'_>, source: &str) -> Self {
        let text = match value {
            DeValue::String(text) => return Self::text(text),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix())
            {
                Ok(number) => number.to_string(),
                Err(_) => number.to_string(),
            },
            DeValue::Boolean(value) => value.to_string(),
            DeValue::Float(_) | DeValue::Datetime(_) => source.to_owned(),
            DeValue::Array(each) => {
                let texts = each.iter().map(|text| match text.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                });
                return Self {
                    texts: texts.collect(),
                    ..Self::no_scalar("an array")
                };
            }
            DeValue::Table(table) => {
                let pairs = table.iter().map(|(name, text)| match text.get_ref() {
                    DeValue::String(text) => Some((name.get_ref().to_string(), text.to_string())),
                    _ => None,
                });
                return Self {
                    pairs: pairs.collect(),
                    ..Self::no_scalar("a table")
                };
            }
        };
        Self {
            shown: text.clone(),
            text: Some(text),
            texts: None,
            pairs: None,
        }
    }
}

/// A key with its value.
#[derive(Debug)]
pub(super) struct Entry {
    /// Dotted when it is in a table: `limits.clients_max`; within a `[[tenant]]` and its like the
    /// key alone.
    pub(super) key: String,
    pub(super) line: usize,
    pub(super) found: Found,
}

/// One `[[tenant]]`, `[[user]]`, `[[loader]]` or `[[hook]]`.
#[derive(Debug)]
pub(super) struct ListedTable {
    pub(super) line: usize,
    pub(super) entries: Vec<Entry>,
}

/// A configuration file, or the absence of one.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The path as the user gave it.
    pub(super) name: String,
    pub(super) entries: Vec<Entry>,
    /// Every `[table]` with its line.
    pub(super) tables: Vec<(String, usize)>,
    pub(super) tenants: Vec<ListedTable>,
    pub(super) users: Vec<ListedTable>,
    pub(super) loaders: Vec<ListedTable>,
    pub(super) hooks: Vec<ListedTable>,
    /// Why it could not be read, or where it is not TOML.
    pub(super) problems: Vec<Problem>,
}

impl File {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Self {
        let name = path.display().to_string();
        match read_bounded(path) {
            Ok(text) => Self::parse(&name, &text),
            Err(error) => {
                let message = format!("the configuration cannot be read: {error}");
                let problem = Problem {
                    origin: Origin::File(0),
                    place: name.clone(),
                    message,
                };
                Self {
                    name,
                    problems: vec![problem],
                    ..Self::default()
                }
            }
        }
    }

    /// Takes apart the text of a file called `name`.
    pub(super) fn parse(name: &str, text: &str) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let mut file = Self {
            name: name.to_owned(),
            ..Self::default()
        };
        for error in errors {
            let span = error.span().unwrap_or_default();
            let line = line_of(text, span.start);
            let found = text
                .get(span)
                .map(str::trim)
                .filter(|found| !found.is_empty());
            let found = found
                .map(|found| format!(": {}", quoted(found)))
                .unwrap_or_default();
            let message = format!("not TOML: {}{found}", error.message());
            file.problems.push(file.problem(line, message));
        }
        file.collect(document.get_ref(), "", text);
        // What a line that is no TOML was taken for would only be a second complaint about it.
        let broken: Vec<_> = file.problems.iter().map(|problem| problem.origin).collect();
        let is_sound = |line: usize| !broken.contains(&Origin::File(line));
        file.entries.retain(|entry| is_sound(entry.line));
        file.tables.retain(|(_, line)| is_sound(*line));
        let lists = [
            &mut file.tenants,
            &mut file.users,
            &mut file.loaders,
            &mut file.hooks,
        ];
        for listed in lists.into_iter().flatten() {
            listed.entries.retain(|entry| is_sound(entry.line));
        }
        file
    }

    /// Something wrong in this file.
    pub(super) fn problem(&self, line: usize, message: String) -> Problem {
        let place = format!("{}:{line}", self.name);
        Problem {
            origin: Origin::File(line),
            place,
            message,
        }
    }

    fn collect(&mut self, table: &DeTable<'_>, prefix: &str, text: &str) {
        for (key, value) in table {
            let line = line_of(text, key.span().start);
            match value.get_ref() {
                // No setting lies deeper than one table.
                DeValue::Table(inner) if prefix.is_empty() => {
                    let line = line_of(text, value.span().start);
                    self.tables.push((key.get_ref().to_string(), line));
                    self.collect(inner, &format!("{}.", key.get_ref()), text);
                }
                DeValue::Array(each) if prefix.is_empty() && is_list(key.get_ref()) => {
                    for listed in each.iter() {
                        self.collect_listed(key.get_ref(), listed, text);
                    }
                }
                _ => self
                    .entries
                    .push(entry(prefix, key.get_ref(), line, value, text)),
            }
        }
    }

    fn collect_listed(&mut self, list: &str, listed: &Spanned<DeValue<'_>>, text: &str) {
        let line = line_of(text, listed.span().start);
        let DeValue::Table(table) = listed.get_ref() else {
            self.entries.push(entry("", list, line, listed, text));
            return;
        };
        let entries = table.iter().map(|(key, value)| {
            entry(
                "",
                key.get_ref(),
                line_of(text, key.span().start),
                value,
                text,
            )
        });
        let entries = entries.collect();
        let tables = match list {
            USER => &mut self.users,
            LOADER => &mut self.loaders,
            HOOK => &mut self.hooks,
            _ => &mut self.tenants,
        };
        tables.push(ListedTable { line, entries });
    }
}

/// The tables that there may be several of.
pub(super) const TENANT: &str = "tenant";
pub(super) const USER: &str = "user";
pub(super) const LOADER: &str = "loader";
pub(super) const HOOK: &str = "hook";

pub(super) fn is_list(key: &str) -> bool {
    [TENANT, USER, LOADER, HOOK].contains(&key)
}

fn entry(prefix: &str, key: &str, line: usize, value: &Spanned<DeValue<'_>>, text: &str) -> Entry {
    let source = text.get(value.span()).unwrap_or_default();
    Entry {
        key: format!("{prefix}{key}"),
        line,
        found: Found::in_file(value.get_ref(), source),
    }
}

/// The line, from 1, that the byte at `offset` is on.
fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let read = fs::File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_string(&mut text)?;
    if read as u64 > FILE_BYTES_MAX {
        return Err(io::Error::other(format!(
            "it is longer than {FILE_BYTES_MAX} bytes"
        )));
    }
    Ok(text)
}
