//! The port to what keeps some values in memory in another form than their own: those that are nobody's to see but their
//! readers' are sealed.

use crate::entry::Key;
use crate::error::Error;

/// Shuts values that are not to lie open in the memory of one tenant.
///
/// It is asked under the shard's lock, so it takes as long as the value is long, and waits for nothing. Its keys have the
/// place of their database in the place of its number: databases that change places stay where they are.
pub trait Vault: Send + Sync {
    /// What is kept in the place of a value with this note; `None`: the value itself.
    ///
    /// # Errors
    /// [`Error::NotSealed`] where it must not be kept as it is, and cannot be otherwise.
    fn shut(&self, key: Key<'_>, note: &[u8], value: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// The value again; `None` where it cannot be had any more, which is counted there. The entry counts as absent then.
    fn open(&self, key: Key<'_>, shut: &[u8]) -> Option<Vec<u8>>;
}
