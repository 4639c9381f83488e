//! The rules of ACL SETUSER and of the configuration: read into a user, and printed again.

use std::iter;

use super::rights::{KeyPattern, Matcher, Rights};
use super::secret::{Secret, sha256};
use super::touched::Access;
use super::user::{Profile, User};
use larder_engine::glob::PATTERN_BYTES_MAX;

use crate::commands::{Command, Named, TABLE, categories};

/// The categories of Redis, in its order; of some Larder has no command.
pub(crate) const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// Most rules, passwords, patterns or selectors that one user may have.
const PARTS_MAX: usize = 1024;

const SYNTAX: &str = "Syntax error";
const UNKNOWN: &str = "Unknown command or category name in ACL";
const FIRST_ARGUMENT: &str =
    "Allowing a command for one first argument only is not supported; allow subcommands";
const FIRST_ARGUMENT_OF_SUBCOMMAND: &str = "Allowing first-arg of a subcommand is not supported";
const AFTER_ALL_KEYS: &str = "Adding a pattern after the * pattern (or the 'allkeys' flag) is not \
    valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns";
const AFTER_ALL_CHANNELS: &str = "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not \
     have any effect. Try 'resetchannels' to start with an empty list of channels";
const NO_SUCH_PASSWORD: &str = "The password you are trying to remove from the user does not exist";
const NO_HASH: &str = "The password hash must be exactly 64 characters and contain only lowercase \
    hexadecimal characters";
const TOO_MANY: &str = "A user may have 1024 rules, passwords, patterns and selectors of each";
const TOO_LONG: &str = "A pattern may have 1024 bytes";

/// Why a rule is none, in the words of Redis.
pub(crate) type Wrong = &'static str;

/// Applies rules one after the other. What a selector takes several words for has to be one already.
///
/// # Errors
/// The first rule that is none, and why.
pub(crate) fn apply_all<'r>(
    profile: &mut Profile,
    rules: impl IntoIterator<Item = &'r [u8]>,
) -> Result<(), (&'r [u8], Wrong)> {
    rules
        .into_iter()
        .try_for_each(|rule| apply(profile, rule).map_err(|wrong| (rule, wrong)))
}

fn apply(profile: &mut Profile, rule: &[u8]) -> Result<(), Wrong> {
    match rule.to_ascii_lowercase().as_slice() {
        b"on" => profile.is_enabled = true,
        b"off" => profile.is_enabled = false,
        b"nopass" => {
            profile.needs_no_password = true;
            profile.secrets.clear();
        }
        b"resetpass" => {
            profile.needs_no_password = false;
            profile.secrets.clear();
        }
        b"reset" => *profile = Profile::default(),
        b"clearselectors" => profile.selectors.clear(),
        // What DUMP wrote is checked anyway.
        b"sanitize-payload" | b"skip-sanitize-payload" => {}
        _ => match rule {
            [b'>', password @ ..] => add_secret(profile, Secret::Sha256(sha256(password)))?,
            [b'#', hash @ ..] => add_secret(profile, read_hash(hash)?)?,
            [b'<', password @ ..] => remove_secret(profile, &Secret::Sha256(sha256(password)))?,
            [b'!', hash @ ..] => remove_secret(profile, &read_hash(hash)?)?,
            [b'(', inner @ .., b')'] => add_selector(profile, inner)?,
            _ => apply_to(&mut profile.rights, rule)?,
        },
    }
    Ok(())
}

fn read_hash(hash: &[u8]) -> Result<Secret, Wrong> {
    if hash.starts_with(b"$") {
        let text = std::str::from_utf8(hash).map_err(|_| NO_HASH)?;
        return Secret::argon2(text).map_err(|_| NO_HASH);
    }
    Secret::sha256_of_hex(hash).ok_or(NO_HASH)
}

fn add_secret(profile: &mut Profile, secret: Secret) -> Result<(), Wrong> {
    profile.needs_no_password = false;
    if profile.secrets.contains(&secret) {
        return Ok(());
    }
    push(&mut profile.secrets, secret)
}

fn remove_secret(profile: &mut Profile, secret: &Secret) -> Result<(), Wrong> {
    let at = profile.secrets.iter().position(|own| own == secret);
    profile.secrets.remove(at.ok_or(NO_SUCH_PASSWORD)?);
    Ok(())
}

fn add_selector(profile: &mut Profile, inner: &[u8]) -> Result<(), Wrong> {
    let mut rights = Rights::nothing();
    inner
        .split(|byte| *byte == b' ')
        .filter(|rule| !rule.is_empty())
        .try_for_each(|rule| apply_to(&mut rights, rule))?;
    push(&mut profile.selectors, rights)
}

/// Bounded, as whoever may set rules must not fill the memory with them.
fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), Wrong> {
    if list.len() >= PARTS_MAX {
        return Err(TOO_MANY);
    }
    list.push(item);
    Ok(())
}

fn apply_to(rights: &mut Rights, rule: &[u8]) -> Result<(), Wrong> {
    match rule.to_ascii_lowercase().as_slice() {
        b"allkeys" | b"~*" => rights.keys = None,
        b"resetkeys" => rights.keys = Some(Vec::new()),
        b"allchannels" | b"&*" => rights.channels = None,
        b"resetchannels" => rights.channels = Some(Vec::new()),
        b"allcommands" | b"+@all" => rights.set_all_commands(true),
        b"nocommands" | b"-@all" => rights.set_all_commands(false),
        lower => match (rule, lower) {
            ([b'~', pattern @ ..], _) => add_keys(rights, pattern, Access::BOTH)?,
            ([b'%', rest @ ..], _) => add_keys_with_access(rights, rest)?,
            ([b'&', pattern @ ..], _) => add_channels(rights, pattern)?,
            (_, [b'+', b'@', category @ ..]) => set_category(rights, category, true)?,
            (_, [b'-', b'@', category @ ..]) => set_category(rights, category, false)?,
            (_, [b'+', name @ ..]) => set_command(rights, name, true)?,
            (_, [b'-', name @ ..]) => set_command(rights, name, false)?,
            _ => return Err(SYNTAX),
        },
    }
    Ok(())
}

/// `R~pattern`, `W~pattern` or `RW~pattern`.
fn add_keys_with_access(rights: &mut Rights, rest: &[u8]) -> Result<(), Wrong> {
    let tilde = rest.iter().position(|byte| *byte == b'~').ok_or(SYNTAX)?;
    let (letters, pattern) = (rest[..tilde].to_ascii_uppercase(), &rest[tilde + 1..]);
    let access = match letters.as_slice() {
        b"R" => Access::READ,
        b"W" => Access::WRITE,
        b"RW" | b"WR" => Access::BOTH,
        _ => return Err(SYNTAX),
    };
    if access == Access::BOTH && pattern == b"*" {
        rights.keys = None;
        return Ok(());
    }
    add_keys(rights, pattern, access)
}

fn add_keys(rights: &mut Rights, pattern: &[u8], access: Access) -> Result<(), Wrong> {
    let patterns = rights.keys.as_mut().ok_or(AFTER_ALL_KEYS)?;
    check_pattern(pattern)?;
    if let Some(known) = patterns
        .iter_mut()
        .find(|known| known.matcher.text == pattern)
    {
        known.access = known.access.and(access);
        return Ok(());
    }
    let matcher = Matcher::new(pattern);
    push(patterns, KeyPattern { matcher, access })
}

fn add_channels(rights: &mut Rights, pattern: &[u8]) -> Result<(), Wrong> {
    let patterns = rights.channels.as_mut().ok_or(AFTER_ALL_CHANNELS)?;
    check_pattern(pattern)?;
    if patterns.iter().any(|known| known.text == pattern) {
        return Ok(());
    }
    push(patterns, Matcher::new(pattern))
}

/// A pattern is printed among words, so it can have no space.
fn check_pattern(pattern: &[u8]) -> Result<(), Wrong> {
    if pattern.len() > PATTERN_BYTES_MAX {
        return Err(TOO_LONG);
    }
    match pattern.contains(&b' ') || pattern.contains(&0) {
        true => Err(SYNTAX),
        false => Ok(()),
    }
}

fn set_category(rights: &mut Rights, name: &[u8], may: bool) -> Result<(), Wrong> {
    let name = CATEGORIES
        .iter()
        .find(|known| known.as_bytes() == name)
        .ok_or(UNKNOWN)?;
    let category = format!("@{name}");
    for (command, _) in commands_of(&category) {
        rights.set_command(command, may);
    }
    rights.note_rule(&category, may);
    Ok(())
}

/// The commands of a category, such as `@read`, with their full names; subcommands come before the
/// command they belong to.
pub(crate) fn commands_of(category: &str) -> impl Iterator<Item = (&'static Command, String)> {
    let all = TABLE.iter().map(Named::of_table);
    all.flat_map(|named| named.subcommands().chain([named]).collect::<Vec<_>>())
        .filter(move |named| categories(named.command).contains(&category))
        .map(|named| (named.command, named.name))
}

fn set_command(rights: &mut Rights, name: &[u8], may: bool) -> Result<(), Wrong> {
    let named = Named::find(name).ok_or_else(|| why_unknown(name, may))?;
    let whole = iter::once(named.command).chain(named.command.subcommands());
    whole.for_each(|command| rights.set_command(command, may));
    rights.note_rule(&named.name, may);
    if rights.command_rules.len() > PARTS_MAX {
        return Err(TOO_MANY);
    }
    Ok(())
}

/// Why that is no command: it may be one with a first argument.
fn why_unknown(name: &[u8], may: bool) -> Wrong {
    let bar = name.iter().rposition(|byte| *byte == b'|');
    match bar.and_then(|bar| Named::find(&name[..bar])) {
        Some(base) if base.name.contains('|') => FIRST_ARGUMENT_OF_SUBCOMMAND,
        Some(base) if may && base.command.subcommands().is_empty() => FIRST_ARGUMENT,
        _ => UNKNOWN,
    }
}

/// Joins what a selector takes several words for: from one that begins with `(` to one that ends with `)`.
///
/// # Errors
/// The word that a selector without an end begins with.
pub(crate) fn join_selectors<'r>(
    words: impl IntoIterator<Item = &'r [u8]>,
) -> Result<Vec<Vec<u8>>, &'r [u8]> {
    let mut rules: Vec<Vec<u8>> = Vec::new();
    let mut open: Option<&[u8]> = None;
    for word in words {
        match (open, rules.last_mut()) {
            (Some(_), Some(rule)) => {
                rule.push(b' ');
                rule.extend_from_slice(word);
            }
            _ => rules.push(word.to_vec()),
        }
        let begins = open.is_some() || word.starts_with(b"(");
        open = match begins && !word.ends_with(b")") {
            true => open.or(Some(word)),
            false => None,
        };
    }
    open.map_or(Ok(rules), Err)
}

/// Applies the rules of a user in the configuration, words with spaces between them.
///
/// # Errors
/// Which rule is none, and why, one sentence.
pub(super) fn apply_text(profile: &mut Profile, rules: &str) -> Result<(), String> {
    let words = rules.split_ascii_whitespace().map(str::as_bytes);
    let told = |rule: &[u8], wrong| format!("'{}': {wrong}", String::from_utf8_lossy(rule));
    let rules = join_selectors(words).map_err(|open| told(open, "unmatched parenthesis"))?;
    apply_all(profile, rules.iter().map(Vec::as_slice)).map_err(|(rule, wrong)| told(rule, wrong))
}

/// Checks the rules of a user in the configuration.
///
/// # Errors
/// Which rule is none, and why, one sentence.
pub fn check_rules(rules: &str) -> Result<(), String> {
    apply_text(&mut Profile::default(), rules)
}

impl User {
    /// The user as ACL LIST prints them.
    pub(crate) fn printed(&self) -> String {
        let mut words = vec!["user".to_owned(), self.name.clone()];
        let profile = &self.profile;
        words.push(if profile.is_enabled { "on" } else { "off" }.to_owned());
        if profile.needs_no_password {
            words.push("nopass".to_owned());
        }
        words.extend(profile.secrets.iter().map(|secret| format!("#{secret}")));
        words.extend(profile.rights.printed());
        let selectors = profile.selectors.iter();
        words.extend(selectors.map(|rights| format!("({})", rights.printed().join(" "))));
        words.join(" ")
    }
}

impl Rights {
    fn printed(&self) -> Vec<String> {
        let mut words = Vec::new();
        let keys = self.printed_keys();
        if !keys.is_empty() {
            words.push(keys);
        }
        let channels = self.printed_channels();
        words.push(match self.channels {
            None => channels,
            Some(_) => format!("resetchannels {channels}").trim_end().to_owned(),
        });
        words.push(self.printed_commands());
        words
    }

    /// Such as `~a* %R~b*`.
    pub(crate) fn printed_keys(&self) -> String {
        let Some(patterns) = &self.keys else {
            return "~*".to_owned();
        };
        let printed = patterns.iter().map(|KeyPattern { matcher, access }| {
            let pattern = String::from_utf8_lossy(&matcher.text);
            match *access {
                Access::READ => format!("%R~{pattern}"),
                Access::WRITE => format!("%W~{pattern}"),
                _ => format!("~{pattern}"),
            }
        });
        printed.collect::<Vec<_>>().join(" ")
    }

    /// Such as `&a* &b`.
    pub(crate) fn printed_channels(&self) -> String {
        let Some(patterns) = &self.channels else {
            return "&*".to_owned();
        };
        let printed = patterns
            .iter()
            .map(|matcher| format!("&{}", String::from_utf8_lossy(&matcher.text)));
        printed.collect::<Vec<_>>().join(" ")
    }

    /// Such as `-@all +get`.
    pub(crate) fn printed_commands(&self) -> String {
        let base = if self.allows_by_default {
            "+@all"
        } else {
            "-@all"
        };
        let rules = self.command_rules.iter().map(String::as_str);
        iter::once(base).chain(rules).collect::<Vec<_>>().join(" ")
    }
}
