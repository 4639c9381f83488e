//! Files that are for the server alone: what they hold tells of what its clients do.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

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

/// What a file holds. A pipe or a device in its place is not waited for.
///
/// # Errors
/// When it cannot be read, or is no regular file; [`io::ErrorKind::FileTooLarge`] when it has more than so many bytes.
pub(crate) fn read(file: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options
        .read(true)
        .custom_flags(OFlags::NONBLOCK.bits() as i32);
    let opened = options.open(file)?;
    if !opened.metadata()?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let mut bytes = Vec::new();
    opened.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn no_more_is_read_than_a_file_may_hold_and_nobody_waits_for_a_pipe() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        replace(&file, b"four").unwrap();
        assert_eq!(read(&file, 4).unwrap(), b"four");
        let kind = |file: &Path, max| read(file, max).unwrap_err().kind();
        assert_eq!(kind(&file, 3), io::ErrorKind::FileTooLarge);
        let missing = folder.path().join("missing");
        assert_eq!(kind(&missing, 4), io::ErrorKind::NotFound);
        let pipe = folder.path().join("pipe");
        let mode = Mode::RUSR | Mode::WUSR;
        mkfifoat(CWD, &pipe, mode).unwrap();
        assert_eq!(kind(&pipe, 4), io::ErrorKind::Other);
        assert!(read(folder.path(), 4).is_err());
    }

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
