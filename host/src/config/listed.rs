//! Tables of which there may be several, `[[tenant]]`, `[[user]]`, `[[loader]]` and `[[hook]]`: what is in one, key by key.

use std::collections::BTreeMap;

use super::file::{Entry, Found, ListedTable};
use super::kinds::quoted;
use super::reader::Reader;

/// Names of tenants stand in metrics, commands and paths, those of users in commands and logs.
const NAME_BYTES_MAX: usize = 64;
pub(super) const NAME_ALLOWED: &str = "1 to 64 characters of a-z, 0-9, _ and -";

/// One such table, about to be read.
pub(super) struct Listed<'t> {
    /// `tenant`, `user`, `loader` or `hook`.
    pub(super) list: &'static str,
    pub(super) table: &'t ListedTable,
}

impl<'t> Listed<'t> {
    pub(super) fn refuse_unknown(&self, reader: &mut Reader<'_>, keys: &[&str]) {
        for Entry { key, line, .. } in &self.table.entries {
            if !keys.contains(&key.as_str()) {
                let (list, keys) = (self.list, keys.join(", "));
                reader.note(*line, format!("{list}.{key}: unknown key; allowed: {keys}"));
            }
        }
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'t Entry> {
        self.table.entries.iter().find(|entry| entry.key == key)
    }

    /// Where the value of `key` stands, or would.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.entry(key).map_or(self.table.line, |entry| entry.line)
    }

    /// The value of `key`; `None` when it is not there, or not allowed, which is noted.
    pub(super) fn take<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        allowed: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        self.take_found(reader, key, allowed, |found| {
            found.text.as_deref().and_then(read)
        })
    }

    /// As [`Self::take`], for what may be more than one text.
    pub(super) fn take_found<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        allowed: &str,
        read: impl FnOnce(&Found) -> Option<T>,
    ) -> Option<T> {
        let found = &self.entry(key)?.found;
        let value = read(found);
        if value.is_none() {
            self.refuse(reader, key, &found.shown, allowed);
        }
        value
    }

    /// The values of the texts of an array, `count_max` at most. Of those that are not allowed the first is named.
    pub(super) fn take_each<T>(
        &self,
        reader: &mut Reader<'_>,
        key: &str,
        allowed: &str,
        count_max: usize,
        read: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let found = &self.entry(key)?.found;
        let wrong = match &found.texts {
            None => found.shown.clone(),
            Some(texts) if texts.len() > count_max => format!("{} of them", texts.len()),
            Some(texts) => match texts.iter().find(|text| read(text).is_none()) {
                None => return Some(texts.iter().filter_map(|text| read(text)).collect()),
                Some(text) => quoted(text),
            },
        };
        self.refuse(reader, key, &wrong, allowed);
        None
    }

    /// Notes that what was found under `key` is not allowed.
    pub(super) fn refuse(&self, reader: &mut Reader<'_>, key: &str, shown: &str, allowed: &str) {
        let list = self.list;
        let message = format!("{list}.{key}: found {shown}; allowed: {allowed}");
        reader.note(self.line_of(key), message);
    }

    /// Its name.
    pub(super) fn take_name(&self, reader: &mut Reader<'_>) -> Option<String> {
        self.take(reader, "name", NAME_ALLOWED, |text| {
            let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
            let fits = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
            fits.then(|| text.to_owned())
        })
    }

    /// Notes that `key` has to be there.
    pub(super) fn require(&self, reader: &mut Reader<'_>, key: &str, allowed: &str) {
        let list = self.list;
        reader.note(
            self.table.line,
            format!("{list}.{key}: missing; allowed: {allowed}"),
        );
    }
}

/// Notes names that a table before has too.
pub(super) fn refuse_double_names(reader: &mut Reader<'_>, tables: &[Listed<'_>]) {
    let mut first_lines = BTreeMap::new();
    for listed in tables {
        let Some(Entry { line, found, .. }) = listed.entry("name") else {
            continue;
        };
        let Some(name) = &found.text else { continue };
        let first = *first_lines.entry(name).or_insert(*line);
        if first != *line {
            let (list, name) = (listed.list, quoted(name));
            let message = format!(
                "{list}.name: found {name}, as on line {first}; allowed: a name no other {list} has"
            );
            reader.note(*line, message);
        }
    }
}
