//! Files that are for the server alone: what they hold tells of what its clients do.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Puts these bytes in the place of what a file holds. They are written beside it first, so that it is whole whatever
/// happens; its folder is made, if there is none.
///
/// # Errors
/// When it cannot be written; what was there is there then.
pub(crate) fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(_) if fs::metadata(folder).is_ok_and(|found| found.is_dir()) => {}
            made => made?,
        }
    }
    let unfinished = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.mode(0o600).create(true).truncate(true).write(true);
    options.open(&unfinished)?.write_all(bytes)?;
    fs::rename(&unfinished, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_and_its_folder_are_the_servers_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own").join("file.kept");
        for bytes in [&b"first"[..], b"2nd"] {
            replace(&file, bytes).unwrap();
            assert_eq!(fs::read(&file).unwrap(), bytes);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&file), 0o600);
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1);
        assert!(replace(&file.join("below"), b"").is_err());
    }
}
