//! Events of the file system, as one flag.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tracing::warn;

/// Which folder is watched: another one may come to lie at the same path.
type Identity = (u64, u64, Option<SystemTime>);

/// Hears whether anything changed in a folder. Without it, changes are found by looking now and then.
pub(super) struct Watch {
    watcher: Option<RecommendedWatcher>,
    stirred: Arc<AtomicBool>,
    watched: Option<Identity>,
}

impl Watch {
    pub(super) fn new(path: &Path) -> Self {
        let stirred = Arc::new(AtomicBool::new(true));
        let flag = Arc::clone(&stirred);
        let hear = move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| is_change(event.kind)) {
                flag.store(true, Ordering::Release);
            }
        };
        let watcher = notify::recommended_watcher(hear).map_err(|error| complain(path, &error));
        Self {
            watcher: watcher.ok(),
            stirred,
            watched: None,
        }
    }

    /// Whether something changed since the last look.
    pub(super) fn is_stirred(&self) -> bool {
        self.stirred.load(Ordering::Acquire)
    }

    /// Before a look: what happens from now on is heard, also if the folder is not the one that lay
    /// there the last time.
    pub(super) fn follow(&mut self, path: &Path) {
        self.stirred.store(false, Ordering::Release);
        let present = identity(path);
        if present == self.watched {
            return;
        }
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        if self.watched.is_some() {
            // The folder that went took its watch with it, or not: both are fine.
            let _ = watcher.unwatch(path);
        }
        self.watched = present;
        if present.is_some()
            && let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive)
        {
            complain(path, &error);
        }
    }
}

/// Reading is none, or each look would ask for another.
fn is_change(kind: EventKind) -> bool {
    match kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino(), metadata.created().ok()))
}

fn complain(path: &Path, error: &notify::Error) {
    warn!(folder = %path.display(), %error, "no events come from the folder of policies: it is only looked through now and then");
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, ModifyKind, RemoveKind};

    #[test]
    fn writing_is_a_change_and_reading_is_none() {
        for kind in [
            EventKind::Any,
            EventKind::Create(CreateKind::File),
            EventKind::Modify(ModifyKind::Any),
            EventKind::Remove(RemoveKind::File),
            EventKind::Access(AccessKind::Close(AccessMode::Write)),
        ] {
            assert!(is_change(kind), "{kind:?}");
        }
        for access in [
            AccessKind::Open(AccessMode::Any),
            AccessKind::Read,
            AccessKind::Close(AccessMode::Read),
        ] {
            assert!(!is_change(EventKind::Access(access)), "{access:?}");
        }
    }
}
