//! Work on a file that can be ended from outside.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file whose every use fails once `stop` is set, so that whatever goes on with it ends.
pub(super) struct Watched<'a> {
    pub(super) file: &'a mut File,
    pub(super) stop: &'a AtomicBool,
}

impl Watched<'_> {
    fn file(&mut self) -> io::Result<&mut File> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(io::Error::other("interrupted")),
            false => Ok(self.file),
        }
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file()?.read(bytes)
    }
}

impl Write for Watched<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file()?.flush()
    }
}

impl Seek for Watched<'_> {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.file()?.seek(place)
    }
}
