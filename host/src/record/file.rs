//! The file of a recording, under another name until it is whole.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context;
use larder_simulator::trace::RecordedHead;
use zstd::Encoder;

/// Far faster than records come.
const LEVEL: i32 = 3;

/// A recording that is being written, beside its place. Removed when it is dropped unfinished.
pub(super) struct Part {
    place: PathBuf,
    encoder: Encoder<'static, BufWriter<File>>,
    hidden: Hidden,
}

/// A file that is removed when this is dropped, if it still has that name.
struct Hidden(PathBuf);

impl Part {
    /// Begins a recording that is to take its `place` in the end.
    pub(super) fn create(place: &Path) -> anyhow::Result<Self> {
        let name = place.file_name().unwrap_or_default().to_string_lossy();
        let hidden = place.with_file_name(format!(".{name}.{}.part", process::id()));
        let hidden = Hidden(hidden);
        let encoder = begin(&hidden.0);
        Ok(Self {
            place: place.to_owned(),
            encoder: encoder.with_context(|| cannot_write(&hidden.0))?,
            hidden,
        })
    }

    /// Appends records.
    pub(super) fn write(&mut self, records: &[u8]) -> io::Result<()> {
        self.encoder.write_all(records)
    }

    /// Writes the head, and moves the recording to its place; with what there is room for, where the disk
    /// is full.
    ///
    /// # Errors
    /// When not all could be written.
    pub(super) fn finish(self, head: &RecordedHead) -> anyhow::Result<()> {
        let Self {
            place,
            encoder,
            hidden,
        } = self;
        let flushed = |mut file: BufWriter<File>| file.flush();
        let ended = encoder.finish().and_then(flushed);
        put_head(&hidden.0, head)
            .and_then(|()| fs::rename(&hidden.0, &place))
            .with_context(|| cannot_write(&place))?;
        ended.with_context(|| format!("{} has only what there is room for", place.display()))
    }
}

fn begin(path: &Path) -> io::Result<Encoder<'static, BufWriter<File>>> {
    let mut file = File::create(path)?;
    // The place of the head, which is known in the end.
    file.write_all(&[0; RecordedHead::BYTES])?;
    let mut encoder = Encoder::new(BufWriter::new(file), LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}

fn put_head(path: &Path, head: &RecordedHead) -> io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(&head.to_bytes())?;
    file.sync_all()
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // It is gone already if it was moved to its place.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use larder_engine::recording::{Kind, Recorded, Threshold};
    use larder_simulator::trace::RecordedReader;

    use super::*;

    #[test]
    fn a_recording_takes_its_place_when_it_is_whole_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a.larder");
        let count = || fs::read_dir(folder.path()).unwrap().count();
        let recorded = Recorded {
            hash: 3,
            bytes: 64,
            ttl_seconds: 0,
            time_ms: 5,
            kind: Kind::Hit,
        };
        let head = RecordedHead {
            threshold: Threshold::ALL,
            start_ms: 5,
            records: 1,
            lost: 0,
        };
        let mut part = Part::create(&place).unwrap();
        part.write(&recorded.to_bytes()).unwrap();
        assert!(!place.exists());
        part.finish(&head).unwrap();
        assert_eq!(count(), 1);
        let mut reader = RecordedReader::new(File::open(&place).unwrap()).unwrap();
        assert_eq!(reader.head(), head);
        assert_eq!(reader.next().unwrap().unwrap().size_bytes, 64);
        assert!(reader.next().is_none());
        drop(Part::create(&folder.path().join("b.larder")).unwrap());
        assert_eq!(count(), 1);
    }
}
