//! What is printed, for whoever reads it.

use std::io::{self, Write};

use anyhow::Context;

/// Writes to standard output.
///
/// # Errors
/// When that takes no more; a reader that has read enough, as `head` has, is none.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    unless_enough(written).context("cannot write to standard output")
}

/// What came of printing, but for a reader that has read enough.
///
/// # Errors
/// Those of `printed`.
pub(crate) fn unless_enough(printed: io::Result<()>) -> io::Result<()> {
    match printed {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_has_read_enough_is_no_failure_and_a_full_disk_is() {
        let of = |kind: io::ErrorKind| unless_enough(Err(kind.into()));
        assert!(of(io::ErrorKind::BrokenPipe).is_ok());
        assert!(of(io::ErrorKind::StorageFull).is_err());
    }
}
