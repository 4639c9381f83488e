//! `larder keys`: the key ring that values are sealed with when they leave the process.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, Subcommand};
use larder_tiers::codec::{KeyId, KeyRing};

use crate::output;

const DAY_SECONDS: u64 = 86_400;

const EXAMPLES: &str = "\
Examples:
  larder keys new keys.ring                a file with one key, for this user alone
  larder keys rotate keys.ring             another key: new values are sealed under it
  larder keys list keys.ring               which keys there are; never the secrets
  larder keys remove keys.ring 5f0c7a1e    what is sealed under that key cannot be read any more

This version's server does not seal with it yet: values on disk are not encrypted.

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
    #[cfg(target_os = "linux")]
    fn dumps_are_forbidden() {
        use rustix::process::{DumpableBehavior, dumpable_behavior};

        forbid_dumps().unwrap();
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable);
    }
}
