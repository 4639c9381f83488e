//! What a command has told that may yet be in vain: kept until it is known.

use std::cell::RefCell;

use larder_engine::Key;

use super::Event;

/// Events, each with its key.
pub(crate) type Heard = Vec<(Event, u8, Box<[u8]>)>;

thread_local! {
    static HEARD: RefCell<Option<Heard>> = const { RefCell::new(None) };
}

/// While it lasts, what commands of this thread tell is kept.
pub(crate) struct Trial(());

impl Trial {
    pub(crate) fn begin() -> Self {
        HEARD.set(Some(Heard::new()));
        Self(())
    }

    /// What was told.
    pub(crate) fn end(self) -> Heard {
        HEARD.take().unwrap_or_default()
    }
}

/// Whatever ends the command, a panic as well.
impl Drop for Trial {
    fn drop(&mut self) {
        HEARD.set(None);
    }
}

/// Keeps an event. Whether there is a trial.
pub(super) fn takes(event: Event, key: Key<'_>) -> bool {
    HEARD.with_borrow_mut(|heard| {
        let Some(heard) = heard else {
            return false;
        };
        heard.push((event, key.db, key.bytes.into()));
        true
    })
}
