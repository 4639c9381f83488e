//! The folder that policies are dropped into.
//!
//! Watched through the system's events and looked through every so often besides, as some mounts send
//! none. Events only say *that* something changed; what changed is found by looking, so thousands of
//! them cost one look. A file counts once it has settled: see [`Settler`].

mod pattern;
mod read;
mod scan;
mod settle;
pub(crate) mod side_car;
mod watch;

use std::path::{Path, PathBuf};

use tracing::{info, warn};

pub(crate) use read::{Dropped, ReadError};
pub(crate) use scan::Seen;
pub(crate) use settle::Change;
pub(crate) use side_car::SideCar;

use settle::Settler;
use watch::Watch;

/// The least time between two looks, in milliseconds; also for how long a file must rest to count as
/// complete.
pub(crate) const LOOK_MS_MIN: u64 = 50;

/// A folder under observation. Times are milliseconds of a clock that never goes back.
pub(crate) struct Folder {
    path: PathBuf,
    watch: Watch,
    settler: Settler,
    looked_ms: Option<u64>,
    poll_ms: u64,
    module_bytes_max: usize,
    trouble: Option<String>,
}

impl Folder {
    /// Observes the folder at `path`, which need not exist yet, with a look every `poll_ms` even where
    /// no event comes. Files above `module_bytes_max` are never read.
    pub(crate) fn new(path: PathBuf, poll_ms: u64, module_bytes_max: usize) -> Self {
        Self {
            watch: Watch::new(&path),
            path,
            settler: Settler::default(),
            looked_ms: None,
            poll_ms,
            module_bytes_max,
            trouble: None,
        }
    }

    /// Whether to look now; `asked` where somebody wants to know.
    pub(crate) fn is_due(&self, now_ms: u64, asked: bool) -> bool {
        let Some(looked_ms) = self.looked_ms else {
            return true;
        };
        let since_ms = now_ms.saturating_sub(looked_ms);
        let is_awaited = asked || !self.settler.is_settled() || self.watch.is_stirred();
        since_ms >= self.poll_ms || (is_awaited && since_ms >= LOOK_MS_MIN)
    }

    /// Looks, and tells what settled since the last look.
    ///
    /// # Errors
    /// When the folder cannot be read; what was settled before stays so.
    pub(crate) fn look(&mut self, now_ms: u64) -> Result<Vec<Change>, String> {
        self.looked_ms = Some(now_ms);
        self.watch.follow(&self.path);
        match scan::scan(&self.path, self.module_bytes_max) {
            Ok(seen) => {
                if self.trouble.take().is_some() {
                    info!(folder = %self.path.display(), "the folder of policies can be read again");
                }
                Ok(self.settler.look(now_ms, &seen))
            }
            Err(error) => {
                let trouble = format!(
                    "the folder of policies, {}, cannot be read: {error}",
                    self.path.display()
                );
                if self.trouble.as_ref() != Some(&trouble) {
                    warn!("{trouble}; the policies that are loaded stay");
                    self.trouble = Some(trouble.clone());
                }
                Err(trouble)
            }
        }
    }

    /// What is still being written, or was seen but once.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = &Seen> {
        self.settler.unsettled()
    }

    /// Whether everything has settled.
    pub(crate) fn is_settled(&self) -> bool {
        self.settler.is_settled()
    }

    /// Reads what settled.
    ///
    /// # Errors
    /// When it cannot be read, or is no longer what it was.
    pub(crate) fn read(&self, seen: &Seen) -> Result<Dropped, ReadError> {
        read::read(&self.path, seen, self.module_bytes_max)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests;
