//! The kinds of values that settings have: how each is read, written, and described to someone who
//! got it wrong.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use larder_server::KeyspaceEvents;

use super::Eviction;
use super::units::{ByteSize, ShowDuration, parse_duration};

/// What a setting may be.
pub(super) trait Kind {
    /// What it is once read.
    type Value;

    /// Reads the text of a scalar; `None` when it is not allowed.
    fn read(&self, text: &str) -> Option<Self::Value>;

    /// The value as text, which [`Kind::read`] takes back.
    fn write(&self, value: &Self::Value) -> String;

    /// The value as it stands in a TOML file.
    fn literal(&self, value: &Self::Value) -> String {
        quoted(&self.write(value))
    }

    /// What is allowed, to follow "allowed:".
    fn allowed(&self) -> String;

    /// The placeholder in `--help`.
    fn placeholder(&self) -> &'static str;

    /// What may be told of something that is not allowed: all of it, where it can hold no secret.
    fn told(&self, shown: &str) -> String {
        shown.to_owned()
    }
}

/// An IP address with a port.
pub(super) struct Address;

impl Kind for Address {
    type Value = SocketAddr;

    fn read(&self, text: &str) -> Option<SocketAddr> {
        text.parse().ok()
    }

    fn write(&self, value: &SocketAddr) -> String {
        value.to_string()
    }

    fn allowed(&self) -> String {
        "an IP address with a port, such as 127.0.0.1:6379 or [::1]:6379".to_owned()
    }

    fn placeholder(&self) -> &'static str {
        "ADDR:PORT"
    }
}

/// The path of a file or folder; a relative one starts at the working directory.
pub(super) struct Place;

impl Kind for Place {
    type Value = PathBuf;

    fn read(&self, text: &str) -> Option<PathBuf> {
        (!text.is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    }

    fn write(&self, value: &PathBuf) -> String {
        value.to_string_lossy().into_owned()
    }

    fn allowed(&self) -> String {
        "a path that is not empty".to_owned()
    }

    fn placeholder(&self) -> &'static str {
        "PATH"
    }
}

/// A whole number within bounds.
pub(super) struct Whole(pub(super) RangeInclusive<u64>);

impl Kind for Whole {
    type Value = u64;

    fn read(&self, text: &str) -> Option<u64> {
        text.parse().ok().filter(|value| self.0.contains(value))
    }

    fn write(&self, value: &u64) -> String {
        value.to_string()
    }

    fn literal(&self, value: &u64) -> String {
        self.write(value)
    }

    fn allowed(&self) -> String {
        format!("a whole number from {} to {}", self.0.start(), self.0.end())
    }

    fn placeholder(&self) -> &'static str {
        "N"
    }
}

/// A number of bytes within bounds.
pub(super) struct Size(pub(super) RangeInclusive<ByteSize>);

impl Kind for Size {
    type Value = ByteSize;

    fn read(&self, text: &str) -> Option<ByteSize> {
        text.parse().ok().filter(|value| self.0.contains(value))
    }

    fn write(&self, value: &ByteSize) -> String {
        value.to_string()
    }

    fn allowed(&self) -> String {
        format!(
            "a size from {} to {}, such as 256MiB, 300MB or a number of bytes",
            self.0.start(),
            self.0.end()
        )
    }

    fn placeholder(&self) -> &'static str {
        "SIZE"
    }
}

/// A length of time within bounds.
pub(super) struct Time(pub(super) RangeInclusive<Duration>);

impl Kind for Time {
    type Value = Duration;

    fn read(&self, text: &str) -> Option<Duration> {
        parse_duration(text)
            .ok()
            .filter(|value| self.0.contains(value))
    }

    fn write(&self, value: &Duration) -> String {
        ShowDuration(*value).to_string()
    }

    fn allowed(&self) -> String {
        let [least, most] = [self.0.start(), self.0.end()].map(|end| ShowDuration(*end));
        let fits = |text: &&&str| self.read(text).is_some();
        let examples: Vec<_> = ["500ms", "10s", "5m"]
            .iter()
            .filter(fits)
            .copied()
            .collect();
        let examples = match &examples[..] {
            [] => String::new(),
            [only] => format!(", such as {only}"),
            [others @ .., last] => format!(", such as {} or {last}", others.join(", ")),
        };
        format!("a duration from {least} to {most}{examples}")
    }

    fn placeholder(&self) -> &'static str {
        "DURATION"
    }
}

/// `true` or `false`.
pub(super) struct Switch;

impl Kind for Switch {
    type Value = bool;

    fn read(&self, text: &str) -> Option<bool> {
        text.parse().ok()
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }

    fn literal(&self, value: &bool) -> String {
        self.write(value)
    }

    fn allowed(&self) -> String {
        "true or false".to_owned()
    }

    fn placeholder(&self) -> &'static str {
        "true|false"
    }
}

/// One of a few words. `note` says more about what is allowed, or nothing.
pub(super) struct Choice<T: 'static> {
    pub(super) words: &'static [(&'static str, T)],
    pub(super) note: &'static str,
}

impl<T: Copy + PartialEq> Kind for Choice<T> {
    type Value = T;

    fn read(&self, text: &str) -> Option<T> {
        self.words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
    }

    fn write(&self, value: &T) -> String {
        let word = self.words.iter().find(|(_, each)| each == value);
        word.map_or("", |(word, _)| word).to_owned()
    }

    fn allowed(&self) -> String {
        let words = one_of(self.words.iter().map(|(word, _)| *word));
        format!("{words}{}", self.note)
    }

    fn placeholder(&self) -> &'static str {
        "NAME"
    }
}

/// An eviction policy by name.
pub(super) struct EvictionName;

impl Kind for EvictionName {
    type Value = Eviction;

    fn read(&self, text: &str) -> Option<Eviction> {
        Eviction::named(text)
    }

    fn write(&self, value: &Eviction) -> String {
        value.name().to_owned()
    }

    fn allowed(&self) -> String {
        one_of(Eviction::all().map(Eviction::name))
    }

    fn placeholder(&self) -> &'static str {
        "NAME"
    }
}

/// Keyspace notifications by their letters.
pub(super) struct EventLetters;

impl Kind for EventLetters {
    type Value = KeyspaceEvents;

    fn read(&self, text: &str) -> Option<KeyspaceEvents> {
        KeyspaceEvents::parse(text)
    }

    fn write(&self, value: &KeyspaceEvents) -> String {
        value.to_string()
    }

    fn allowed(&self) -> String {
        "letters of Ag$lshzxeKEtmdn, such as AKE, or none".to_owned()
    }

    fn placeholder(&self) -> &'static str {
        "LETTERS"
    }
}

/// Words in quotes, to choose from.
fn one_of(words: impl Iterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.map(quoted).collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// A word that stands for the absence of a value, or the value.
pub(super) struct Or<K>(pub(super) &'static str, pub(super) K);

impl<K: Kind> Kind for Or<K> {
    type Value = Option<K::Value>;

    fn read(&self, text: &str) -> Option<Option<K::Value>> {
        if text == self.0 {
            Some(None)
        } else {
            self.1.read(text).map(Some)
        }
    }

    fn write(&self, value: &Option<K::Value>) -> String {
        value
            .as_ref()
            .map_or_else(|| self.0.to_owned(), |value| self.1.write(value))
    }

    fn literal(&self, value: &Option<K::Value>) -> String {
        value
            .as_ref()
            .map_or_else(|| quoted(self.0), |value| self.1.literal(value))
    }

    fn allowed(&self) -> String {
        format!("{}, or {}", self.1.allowed(), quoted(self.0))
    }

    fn placeholder(&self) -> &'static str {
        self.1.placeholder()
    }
}

/// `text` as a TOML string on one line.
pub(super) fn quoted(text: &str) -> String {
    let escape = |c: char| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}
