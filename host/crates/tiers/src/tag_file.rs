//! What is known of tags, in a file: after the end of the process nothing that was invalidated comes back from a level that
//! outlasts it.
//!
//! ```text
//! larder-tags 1
//! secret (16 bytes) ‖ tenants (4) ‖ of each: length of its name (4) ‖ name ‖ now (8) ‖ floor (8) ‖ tags (4) ‖ of each: hash (8) ‖ stamp (8)
//! XXH3-64 of all that (8)
//! ```
//!
//! Numbers are little-endian. The file is replaced as a whole, once for all who wait for it.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use larder_engine::Millis;
use larder_engine::tags::{Known, STAMPS_A_TICK, Tags};
use parking_lot::Mutex;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::{Notify, watch};
use tracing::warn;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8] = b"larder-tags ";
const VERSION: u32 = 1;
/// So many stamps may have been given that were not written down.
const UNWRITTEN_MAX: u64 = 1 << 20;
/// Failures are logged this often at most.
const LOGGED_EVERY_MS: Millis = 10_000;

/// Why what is known of tags cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TagFileError {
    /// It was written by a later version.
    #[error(
        "{0} has version {1} of the format, this program knows version {VERSION}; start the later version, or remove the \
         file: then values with tags that are on the disk are gone"
    )]
    Newer(PathBuf, u32),
    /// What the operating system says.
    #[error("{path} cannot be used: {source}; let the server read and write there")]
    Io {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
}

/// See the module.
#[derive(Debug)]
pub struct TagFile {
    path: PathBuf,
    key: [u64; 2],
    /// What tenants begin with of which nothing is known.
    first: Known,
    tenants: Mutex<BTreeMap<String, Tenant>>,
    /// Changes that are to be written, and those that were.
    wanted: AtomicU64,
    changed: Notify,
    done: watch::Sender<u64>,
    errors: AtomicU64,
}

#[derive(Debug)]
enum Tenant {
    /// Nobody has asked for it.
    Resting(Known),
    Working(Arc<Tags>),
}

/// What is in a file.
type Contents = ([u64; 2], Vec<(String, Known)>);

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Newer(u32),
    Damaged,
}

impl TagFile {
    /// Reads the file, if there is one. One that is not what was written is set aside as `NAME.bad`, and what was written
    /// with tags until then is void: nobody knows what became of it.
    ///
    /// # Errors
    /// When it cannot be read or is of a later version.
    pub fn open(path: PathBuf, now: Millis) -> Result<Self, TagFileError> {
        let refuse = |source| TagFileError::Io {
            path: path.clone(),
            source,
        };
        let contents = match fs::read(&path) {
            Ok(bytes) => match decode(&bytes) {
                Ok(contents) => Some(contents),
                Err(Fault::Newer(version)) => return Err(TagFileError::Newer(path, version)),
                Err(Fault::Damaged) => {
                    let aside = beside(&path, "bad");
                    fs::rename(&path, &aside).map_err(refuse)?;
                    warn!(
                        file = %aside.display(),
                        "the file of invalidated tags is damaged and set aside: values with tags that are on the disk count as gone"
                    );
                    None
                }
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(refuse(error)),
        };
        let (key, known) = match contents {
            Some(contents) => contents,
            None => (secret().map_err(refuse)?, Vec::new()),
        };
        let rested = |(name, known): (String, Known)| {
            // Behind all stamps that were given.
            let now = known.now.saturating_add(UNWRITTEN_MAX);
            (name, Tenant::Resting(Known { now, ..known }))
        };
        let first = now.saturating_mul(STAMPS_A_TICK);
        Ok(Self {
            path,
            key,
            first: Known {
                now: first,
                floor: first,
                tags: Vec::new(),
            },
            tenants: Mutex::new(known.into_iter().map(rested).collect()),
            wanted: AtomicU64::new(0),
            changed: Notify::new(),
            done: watch::Sender::new(0),
            errors: AtomicU64::new(0),
        })
    }

    /// The tags of a tenant. It is written down that stamps are given from now on. `are_shared`: a level counts them, and tells
    /// of what is not known here.
    pub(crate) fn tags(&self, tenant: &str, are_shared: bool) -> Arc<Tags> {
        let mut tenants = self.tenants.lock();
        let nothing = Known::default();
        let known = match tenants.get(tenant) {
            Some(Tenant::Working(tags)) => return Arc::clone(tags),
            Some(Tenant::Resting(known)) => known,
            None if are_shared => &nothing,
            None => &self.first,
        };
        let tags = Arc::new(Tags::new(self.key, known));
        tenants.insert(tenant.to_owned(), Tenant::Working(Arc::clone(&tags)));
        drop(tenants);
        self.save_or_warn(&mut None, 0);
        tags
    }

    /// Tags were invalidated.
    pub(crate) fn note_change(&self) {
        self.wanted.fetch_add(1, Ordering::Release);
        self.changed.notify_one();
    }

    /// Waits until what was noted so far is written; `None` where it is.
    pub(crate) fn settled(&self) -> Option<impl Future<Output = ()> + Send + use<>> {
        let wanted = self.wanted.load(Ordering::Acquire);
        let mut done = self.done.subscribe();
        let is_done = *done.borrow() >= wanted;
        (!is_done).then_some(async move {
            // The file is there for as long as whoever waits.
            let _ = done.wait_for(|done| *done >= wanted).await;
        })
    }

    /// Writes what is noted, for ever. What cannot be written is tried again with the next change.
    pub(crate) async fn keep(self: Arc<Self>, clock: impl Fn() -> Millis) {
        let mut logged_at = None;
        loop {
            // Made before the look, so that what comes behind it is not missed.
            let changed = self.changed.notified();
            let wanted = self.wanted.load(Ordering::Acquire);
            if *self.done.borrow() == wanted {
                changed.await;
                continue;
            }
            let (file, now) = (Arc::clone(&self), clock());
            let save = move || {
                file.save_or_warn(&mut logged_at, now);
                logged_at
            };
            // Where it panicked, that was said.
            logged_at = tokio::task::spawn_blocking(save).await.unwrap_or(logged_at);
            self.done.send_replace(wanted);
        }
    }

    /// Times that it could not be written.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    fn save_or_warn(&self, logged_at: &mut Option<Millis>, now: Millis) {
        let Err(error) = self.save() else {
            return;
        };
        self.errors.fetch_add(1, Ordering::Relaxed);
        if logged_at.is_none_or(|at| now.saturating_sub(at) >= LOGGED_EVERY_MS) {
            *logged_at = Some(now);
            warn!(
                file = %self.path.display(), %error,
                "invalidated tags cannot be written: what is on the disk is found again after a crash"
            );
        }
    }

    fn save(&self) -> io::Result<()> {
        let tenants = self.tenants.lock();
        let known = tenants.iter().map(|(name, tenant)| match tenant {
            Tenant::Resting(known) => (&**name, known.clone()),
            Tenant::Working(tags) => (&**name, tags.known()),
        });
        let bytes = encode(self.key, known.collect());
        // One at a time, as all go through one file.
        let unfinished = beside(&self.path, "new");
        let mut options = OpenOptions::new();
        options.mode(0o600).create(true).truncate(true).write(true);
        options.open(&unfinished)?.write_all(&bytes)?;
        fs::rename(&unfinished, &self.path)?;
        drop(tenants);
        Ok(())
    }
}

/// A file beside another.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn secret() -> io::Result<[u64; 2]> {
    let draw = || SysRng.try_next_u64().map_err(io::Error::other);
    Ok([draw()?, draw()?])
}

fn encode(key: [u64; 2], tenants: Vec<(&str, Known)>) -> Vec<u8> {
    let mut bytes = [MAGIC, format!("{VERSION}\n").as_bytes()].concat();
    let number = |bytes: &mut Vec<u8>, number: u64| bytes.extend(number.to_le_bytes());
    let count = |bytes: &mut Vec<u8>, count: usize| {
        // A tenant knows 65,536 tags at most, and names have bounds as well.
        bytes.extend(u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
    };
    key.iter().for_each(|part| number(&mut bytes, *part));
    count(&mut bytes, tenants.len());
    for (name, known) in tenants {
        count(&mut bytes, name.len());
        bytes.extend_from_slice(name.as_bytes());
        number(&mut bytes, known.now);
        number(&mut bytes, known.floor);
        count(&mut bytes, known.tags.len());
        for (hash, stamp) in known.tags {
            number(&mut bytes, hash);
            number(&mut bytes, stamp);
        }
    }
    let check = xxh3_64(&bytes);
    number(&mut bytes, check);
    bytes
}

fn decode(bytes: &[u8]) -> Result<Contents, Fault> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(Fault::Damaged)?;
    let end = rest.iter().take(16).position(|byte| *byte == b'\n');
    let version = end.and_then(|end| str::from_utf8(&rest[..end]).ok()?.parse().ok());
    match version {
        Some(VERSION) => {}
        Some(version) => return Err(Fault::Newer(version)),
        None => return Err(Fault::Damaged),
    }
    let intact = bytes.split_last_chunk().filter(|(lines, check)| {
        let check: &[u8; 8] = check;
        u64::from_le_bytes(*check) == xxh3_64(lines)
    });
    let (lines, _) = intact.ok_or(Fault::Damaged)?;
    let start = MAGIC.len() + end.unwrap_or(0) + 1;
    contents(&mut &lines[start..]).ok_or(Fault::Damaged)
}

fn contents(rest: &mut &[u8]) -> Option<Contents> {
    fn number(rest: &mut &[u8]) -> Option<u64> {
        let (number, behind) = rest.split_first_chunk()?;
        *rest = behind;
        Some(u64::from_le_bytes(*number))
    }
    fn count(rest: &mut &[u8]) -> Option<usize> {
        let (count, behind) = rest.split_first_chunk()?;
        *rest = behind;
        Some(u32::from_le_bytes(*count) as usize)
    }
    let key = [number(rest)?, number(rest)?];
    let mut tenants = Vec::new();
    for _ in 0..count(rest)? {
        let len = count(rest)?;
        let (name, behind) = rest.split_at_checked(len)?;
        *rest = behind;
        let (now, floor) = (number(rest)?, number(rest)?);
        let mut tags = Vec::new();
        for _ in 0..count(rest)? {
            tags.push((number(rest)?, number(rest)?));
        }
        let name = String::from_utf8(name.to_vec()).ok()?;
        tenants.push((name, Known { now, floor, tags }));
    }
    rest.is_empty().then_some((key, tenants))
}

#[cfg(test)]
mod tests;
