//! Passwords that are costly to check: on a thread of their own, one after the other, and remembered
//! for a while when they were right, so that signing in again costs nothing.

use std::collections::HashMap;
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use larder_engine::Millis;
use sha2::{Digest, Sha256};
use tracing::error;

use super::secret::Secret;
use super::user::User;

/// Passwords that may wait to be checked.
const WAITING_MAX: usize = 64;
/// How long a right one is remembered.
const REMEMBERED_MS: Millis = 300_000;
/// How many are.
const REMEMBERED_MAX: usize = 4_096;

type Job = Box<dyn FnOnce() + Send>;

/// Checks passwords.
pub(super) struct Passwords {
    /// Drawn at the start; without it nothing is remembered.
    key: Option<[u8; 32]>,
    /// By keyed digest, until when.
    right: Mutex<HashMap<[u8; 32], Millis>>,
    jobs: OnceLock<Option<SyncSender<Job>>>,
}

impl Passwords {
    pub(super) fn new(random: fn(&mut [u8]) -> io::Result<()>) -> Self {
        let mut key = [0; 32];
        Self {
            key: random(&mut key).is_ok().then_some(key),
            right: Mutex::default(),
            jobs: OnceLock::new(),
        }
    }

    /// Whether this password was right for this user a while ago.
    pub(super) fn remembers(&self, user: &User, password: &[u8], now: Millis) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self
            .digest(user, password)
            .and_then(|digest| right.get(&digest));
        known.is_some_and(|until_ms| now < *until_ms)
    }

    /// Remembers that it was. Passwords and users that change are others.
    pub(super) fn remember(&self, user: &User, password: &[u8], now: Millis) {
        let Some(digest) = self.digest(user, password) else {
            return;
        };
        let mut right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        if right.len() >= REMEMBERED_MAX {
            right.retain(|_, until_ms| now < *until_ms);
        }
        if right.len() >= REMEMBERED_MAX {
            right.clear();
        }
        right.insert(digest, now + REMEMBERED_MS);
    }

    /// Has `job` done on the thread; false when too many wait, or there is no thread.
    pub(super) fn run(&self, job: Job) -> bool {
        let jobs = self.jobs.get_or_init(start_thread);
        jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok())
    }

    /// What a password of a user is remembered by: nothing that the password could be guessed from
    /// without the key.
    fn digest(&self, user: &User, password: &[u8]) -> Option<[u8; 32]> {
        let mut digest = Sha256::new_with_prefix(self.key?);
        digest.update(user.number.to_le_bytes());
        for secret in &user.profile.secrets {
            let secret = secret.to_string();
            digest.update((secret.len() as u64).to_le_bytes());
            digest.update(secret);
        }
        // No secret is that long, so this begins the password.
        digest.update(u64::MAX.to_le_bytes());
        digest.update(password);
        Some(digest.finalize().into())
    }
}

fn start_thread() -> Option<SyncSender<Job>> {
    let (sender, jobs) = sync_channel::<Job>(WAITING_MAX);
    let started = thread::Builder::new()
        .name("larder-passwords".into())
        .spawn(move || jobs.into_iter().for_each(|job| job()));
    match started {
        Ok(_) => Some(sender),
        Err(error) => {
            error!(%error, "no thread to check passwords on: nobody can sign in with one");
            None
        }
    }
}

/// Checks a password against secrets, the costly ones included. A wrong one is checked against as many
/// costly ones as the user has who has the most, so that it cannot be told by the time whether there is
/// a user: the missing ones are nobody's.
pub(super) fn check(
    secrets: &[Secret],
    password: &[u8],
    digest: &[u8; 32],
    costly_most: usize,
) -> bool {
    if secrets
        .iter()
        .any(|secret| secret.matches(password, digest))
    {
        return true;
    }
    let costly = secrets.iter().filter(|secret| secret.is_costly()).count();
    for _ in costly..costly_most.max(1) {
        static NOBODYS: OnceLock<Option<Secret>> = OnceLock::new();
        let nobodys = NOBODYS.get_or_init(|| {
            let hash = super::secret::hash_password(b"", b"nobody's secret.").ok()?;
            Secret::argon2(&hash).ok()
        });
        let _ = nobodys
            .as_ref()
            .map(|secret| secret.matches(password, digest));
    }
    false
}
