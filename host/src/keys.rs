//! `larder keys`: the key ring that values are sealed with when they leave the process.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use larder_tiers::codec::{KeyId, KeyRing, RingError};

use crate::health::WhomArgs;
use crate::output;

const DAY_SECONDS: u64 = 86_400;

const EXAMPLES: &str = "\
Examples:
  larder keys new keys.ring                a file with one key, for this user alone
  larder keys rotate keys.ring             another key: new values are sealed under it
  larder keys list keys.ring               which keys there are; never the secrets
  larder keys status                       what of a running server is sealed under which key
  larder keys remove keys.ring 5f0c7a1e    what is sealed under that key cannot be read any more

A server seals with the ring that its setting encryption.key_ring names, and takes a changed one within a second.
What was sealed under an older key on disk is written anew meanwhile; once `larder keys status` says that there is none left, it may be removed.
What is sealed on Redis is not written anew: there an older key is needed until l2_ttl_max has passed.

A key ring has up to 64 keys. One of them is active, the others open what was sealed before. Whoever
has the file can read what was sealed; without it nobody can: keep a copy in a safe place.";

/// Make and change the key ring that values on disk and network are sealed with
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct KeysArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key ring with one key; a file that is there stays as it is
    #[command(after_help = "Examples:\n  larder keys new keys.ring")]
    New(RingArgs),
    /// Give a key ring another key, which is the active one from now on
    #[command(after_help = "Examples:\n  larder keys rotate keys.ring")]
    Rotate(RingArgs),
    /// List the keys of a key ring: id, whether it is active, when it was made
    #[command(after_help = "Examples:\n  larder keys list keys.ring")]
    List(RingArgs),
    /// Say how many values of a running server's second level are sealed under which key
    ///
    /// Asks for /metrics over HTTP, which needs no password: what is said is how the last survey has left the second level.
    #[command(
        after_help = "Examples:\n  larder keys status\n  larder keys status --http 127.0.0.1:8379"
    )]
    Status(WhomArgs),
    /// Take away a key that is not active: what is sealed under it counts as absent
    #[command(after_help = "Examples:\n  larder keys remove keys.ring 5f0c7a1e")]
    Remove {
        #[command(flatten)]
        ring: RingArgs,
        /// The key's id
        id: KeyId,
    },
}

#[derive(Debug, Args)]
struct RingArgs {
    /// The key ring
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl KeysArgs {
    /// Does it, and says what was done.
    ///
    /// # Errors
    /// When the file is no key ring, not private, or cannot be written.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now_ms = u64::try_from(now.context("the clock is before 1970")?.as_millis())?;
        let said = self.act(now_ms)?;
        output::say(&said)?;
        Ok(ExitCode::SUCCESS)
    }

    fn act(self, now_ms: u64) -> anyhow::Result<String> {
        match self.action {
            Action::New(RingArgs { file }) => {
                let ring = KeyRing::generate(now_ms)?;
                ring.create(&file)?;
                Ok(format!(
                    "{}: a key ring with the key {}\n",
                    file.display(),
                    ring.active()
                ))
            }
            Action::Rotate(RingArgs { file }) => {
                let mut ring = KeyRing::load(&file)?;
                let id = ring.rotate(now_ms)?;
                ring.replace(&file)?;
                Ok(format!("{}: the key {id} is active\n", file.display()))
            }
            Action::List(RingArgs { file }) => Ok(listed(&KeyRing::load(&file)?, now_ms)),
            Action::Status(whom) => {
                let (code, page) = whom.find()?.ask("/metrics")?;
                ensure!(code == 200, "the server answers with status {code}: {page}");
                Ok(status(&page))
            }
            Action::Remove {
                ring: RingArgs { file },
                id,
            } => {
                let mut ring = KeyRing::load(&file)?;
                ring.remove(id)?;
                ring.replace(&file)?;
                Ok(format!("{}: the key {id} is gone\n", file.display()))
            }
        }
    }
}

/// What a page of metrics says of keys.
fn status(page: &str) -> String {
    let value = |name: &str| {
        let found = page.lines().find_map(|line| line.strip_prefix(name));
        found.and_then(|value| value.trim().parse::<u64>().ok())
    };
    let left_mib = value("larder_codec_survey_left_bytes ").unwrap_or(0) >> 20;
    let mut text = String::new();
    for (key, state, entries) in page.lines().filter_map(row) {
        let key = if key.is_empty() { "-" } else { key };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{key:<8}  {state:<6}  {entries} entries");
    }
    let end = match (text.is_empty(), left_mib) {
        (true, left_mib) => &format!(
            "not known: the disk has not been gone over since the server has this key ring ({left_mib} MiB are left)\n"
        ),
        (false, 0) => "as the last survey of the disk has left them\n",
        (false, left_mib) => &format!(
            "as the last survey of the disk has left them; {left_mib} MiB are left of one that goes on\n"
        ),
    };
    text + end
}

/// Key, state and count of `larder_key_entries{key="5f0c7a1e",state="active"} 7`.
fn row(line: &str) -> Option<(&str, &str, &str)> {
    let rest = line.strip_prefix("larder_key_entries{key=\"")?;
    let (key, rest) = rest.split_once("\",state=\"")?;
    let (state, entries) = rest.split_once("\"} ")?;
    Some((key, state, entries))
}

fn listed(ring: &KeyRing, now_ms: u64) -> String {
    let mut text = String::new();
    for key in ring.keys() {
        let role = if key.is_active { "active" } else { "opens" };
        let days = (now_ms / 1000).saturating_sub(key.created_seconds) / DAY_SECONDS;
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{}  {role:<6}  {days} days old", key.id);
    }
    text
}

/// What tells a file from what it was before: where it is, when it was changed, its length.
#[derive(Debug, PartialEq, Eq)]
struct Stamp([i64; 3], u64, u64);

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        let changed = [found.ctime(), found.ctime_nsec(), found.mode().into()];
        Some(Self(changed, found.ino(), found.len()))
    }
}

/// The file of a key ring, which is read anew when it changes.
#[derive(Debug)]
pub struct RingFile {
    path: PathBuf,
    /// As it was when it was read last; `None`: it was not there.
    seen: Option<Stamp>,
}

impl RingFile {
    /// The file, and what it holds.
    ///
    /// # Errors
    /// When that is no key ring for this user alone.
    pub fn open(path: &Path) -> Result<(Self, KeyRing), RingError> {
        let seen = Stamp::of(path);
        let ring = KeyRing::load(path)?;
        let path = path.to_owned();
        Ok((Self { path, seen }, ring))
    }

    /// What it holds now, if it has changed since the last look, or why that cannot be used.
    pub fn look(&mut self) -> Option<Result<KeyRing, RingError>> {
        let found = Stamp::of(&self.path);
        if found == self.seen {
            return None;
        }
        self.seen = found;
        Some(KeyRing::load(&self.path))
    }
}

/// Keeps what is in memory, keys among it, out of core dumps and away from other processes of the same user.
///
/// # Errors
/// When the system refuses.
pub fn forbid_dumps() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(action: Action, now_ms: u64) -> Result<String, String> {
        let done = KeysArgs { action }.act(now_ms);
        done.map_err(|error| error.to_string())
    }

    #[test]
    fn a_ring_is_made_rotated_listed_and_loses_an_old_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.ring");
        let shown = file.display().to_string();
        let ring = || RingArgs { file: file.clone() };
        let keys = || KeyRing::load(&file).unwrap().keys().collect::<Vec<_>>();
        assert!(
            said(Action::List(ring()), 0)
                .unwrap_err()
                .starts_with(&shown)
        );

        let made = said(Action::New(ring()), 0).unwrap();
        let first = keys()[0].id;
        assert_eq!(made, format!("{shown}: a key ring with the key {first}\n"));
        assert!(
            said(Action::New(ring()), 0)
                .unwrap_err()
                .contains("already")
        );
        assert_eq!(keys()[0].id, first);

        let ten_days_ms = 10 * DAY_SECONDS * 1000;
        let rotated = said(Action::Rotate(ring()), ten_days_ms).unwrap();
        let second = keys()[1].id;
        assert_eq!(rotated, format!("{shown}: the key {second} is active\n"));
        assert_eq!(
            said(Action::List(ring()), ten_days_ms).unwrap(),
            format!("{first}  opens   10 days old\n{second}  active  0 days old\n")
        );

        let remove = |id| said(Action::Remove { ring: ring(), id }, 0);
        assert!(remove(second).unwrap_err().contains("is the active one"));
        assert_eq!(
            remove(first),
            Ok(format!("{shown}: the key {first} is gone\n"))
        );
        assert_eq!(keys().len(), 1);
    }

    #[test]
    fn the_status_is_read_from_the_metrics() {
        let rows = "larder_key_entries{key=\"5f0c7a1e\",state=\"active\"} 7\n\
                    larder_key_entries{key=\"\",state=\"open\"} 0\n";
        let page =
            format!("larder_codec_surveys_total 2\nlarder_codec_survey_left_bytes 0\n{rows}");
        assert_eq!(
            status(&page),
            "5f0c7a1e  active  7 entries\n-         open    0 entries\n\
             as the last survey of the disk has left them\n"
        );
        let page = "larder_codec_surveys_total 1\nlarder_codec_survey_left_bytes 3145728\n";
        let expected = "not known: the disk has not been gone over since the server has this key ring (3 MiB are left)\n";
        assert_eq!(status(page), expected);
    }

    #[test]
    fn a_ring_that_changes_is_read_anew_and_one_that_is_wrong_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.ring");
        assert!(RingFile::open(&path).is_err());
        let mut ring = KeyRing::generate(0).unwrap();
        ring.create(&path).unwrap();
        let (mut file, read) = RingFile::open(&path).unwrap();
        assert_eq!(read.active(), ring.active());
        assert!(file.look().is_none());
        let second = ring.rotate(0).unwrap();
        ring.replace(&path).unwrap();
        assert_eq!(file.look().unwrap().unwrap().active(), second);
        assert!(file.look().is_none());
        fs::remove_file(&path).unwrap();
        assert!(matches!(file.look(), Some(Err(RingError::Missing { .. }))));
        assert!(file.look().is_none());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn dumps_are_forbidden() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};

        forbid_dumps().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
