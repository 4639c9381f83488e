//! A trace that is written: there as a whole, or not at all.

use std::fs::Permissions;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, bail, ensure};
use clap::Args;
use larder_simulator::trace::{Record, link_file, write_csv_line, write_csv_names};
use tempfile::NamedTempFile;
use zstd::stream::write::Encoder;

use super::watched::Watched;

/// What is taken from the umask, as for any file that a program makes.
const MODE: u32 = 0o666;

/// Where a trace goes.
#[derive(Debug, Clone, Args)]
pub(super) struct OutputArgs {
    /// The file that is written: .csv (time, key, size and ttl; keys are numbers), all others
    /// oracleGeneral; with .zst behind it compressed by zstd
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// Replace OUT if it is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Oracle,
    Csv,
}

/// A file in the making.
pub(super) struct Output {
    path: PathBuf,
    form: Form,
    is_packed: bool,
    force: bool,
    stop: Arc<AtomicBool>,
}

impl OutputArgs {
    /// Looks whether the file may be written, and has Ctrl-C end the writing from now on.
    ///
    /// # Errors
    /// When it is there already, or would be read as what it is not.
    pub(super) fn open(self) -> anyhow::Result<Output> {
        let path = self.out;
        let (form, is_packed) = form(&path)?;
        ensure!(
            !path.exists() || path.is_file(),
            "{} is no file, so it cannot be replaced",
            path.display()
        );
        ensure!(
            self.force || path.symlink_metadata().is_err(),
            "{} is there already; --force replaces it",
            path.display()
        );
        let stop = Arc::new(AtomicBool::new(false));
        let interrupted = Arc::clone(&stop);
        ctrlc::set_handler(move || interrupted.store(true, Ordering::Relaxed))
            .context("cannot wait for Ctrl-C")?;
        Ok(Output {
            path,
            form,
            is_packed,
            force: self.force,
            stop,
        })
    }
}

/// What a file is by its name, and whether it is compressed.
fn form(path: &Path) -> anyhow::Result<(Form, bool)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let plain = name.strip_suffix(".zst").unwrap_or(&name);
    let form = match plain.rsplit_once('.').map(|(_, ending)| ending) {
        Some("csv") => Form::Csv,
        Some(ending @ ("txt" | "keys" | "larder")) => bail!(
            "{} cannot be written: .{ending} would be read as something else; call it .csv or \
             .oracleGeneral",
            path.display()
        ),
        _ => Form::Oracle,
    };
    Ok((form, plain != name))
}

impl Output {
    /// Whether it tells how long objects live.
    pub(super) fn has_ttls(&self) -> bool {
        self.form == Form::Csv
    }

    /// Whether Ctrl-C was pressed, so that nothing will come of it.
    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the records, whose next accesses it finds out itself, and returns how many there were.
    /// Until all is written it has another name. Without a record there is no file.
    ///
    /// # Errors
    /// When it cannot be written, or Ctrl-C was pressed: nothing is left behind.
    pub(super) fn write(&self, records: impl Iterator<Item = Record>) -> anyhow::Result<u64> {
        self.try_write(records)
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    fn try_write(&self, records: impl Iterator<Item = Record>) -> io::Result<u64> {
        let mut plain = self.unfinished()?;
        let mut file = Watched {
            file: plain.as_file_mut(),
            stop: &self.stop,
        };
        let count = self.fill(&mut file, records)?;
        if count == 0 {
            return Ok(0);
        }
        if self.form == Form::Oracle {
            link_file(&mut file)?;
        }
        let whole = match self.is_packed {
            true => self.pack(&mut file)?,
            false => plain,
        };
        let kept = match self.force {
            true => whole.persist(&self.path),
            false => whole.persist_noclobber(&self.path),
        };
        kept.map(|_| count).map_err(|failed| failed.error)
    }

    fn fill(
        &self,
        file: &mut Watched<'_>,
        records: impl Iterator<Item = Record>,
    ) -> io::Result<u64> {
        let mut out = BufWriter::new(file);
        if self.form == Form::Csv {
            write_csv_names(&mut out)?;
        }
        let mut count = 0;
        for record in records {
            match self.form {
                Form::Oracle => out.write_all(&record.to_bytes())?,
                Form::Csv => write_csv_line(&record, &mut out)?,
            }
            count += 1;
        }
        out.flush()?;
        Ok(count)
    }

    /// The same, compressed, with a checksum.
    fn pack(&self, plain: &mut Watched<'_>) -> io::Result<NamedTempFile> {
        let mut packed = self.unfinished()?;
        plain.seek(SeekFrom::Start(0))?;
        let mut encoder = Encoder::new(packed.as_file_mut(), zstd::DEFAULT_COMPRESSION_LEVEL)?;
        encoder.include_checksum(true)?;
        io::copy(plain, &mut encoder)?;
        encoder.finish()?;
        Ok(packed)
    }

    /// An empty file beside the one that it becomes. Dropped before that, it goes.
    fn unfinished(&self) -> io::Result<NamedTempFile> {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let folder = match folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => folder,
        };
        tempfile::Builder::new()
            .prefix(".larder-trace-")
            .permissions(Permissions::from_mode(MODE))
            .tempfile_in(folder)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use larder_simulator::trace::{Columns, Generator, TraceFile};
    use tempfile::TempDir;

    use super::*;

    fn output(folder: &TempDir, name: &str, force: bool) -> Output {
        let path = folder.path().join(name);
        let (form, is_packed) = form(&path).unwrap();
        Output {
            path,
            form,
            is_packed,
            force,
            stop: Arc::default(),
        }
    }

    fn generator() -> Generator {
        Generator {
            requests: 5_000,
            ttl_seconds: (1, 9),
            ..Generator::default()
        }
    }

    fn names(folder: &TempDir) -> Vec<String> {
        let names = fs::read_dir(folder.path()).unwrap();
        names
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }

    #[test]
    fn each_form_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.oracleGeneral", "b.zst", "c.csv", "d.csv.zst", "e"] {
            let output = output(&folder, name, false);
            let stream = generator().stream().unwrap();
            assert_eq!(output.write(stream).unwrap(), 5_000);
            let read = TraceFile::open(output.path(), &Columns::default()).unwrap();
            let read: Vec<_> = read.collect::<Result<_, _>>().unwrap();
            for (found, made) in read.iter().zip(generator().records()) {
                assert_eq!(found.size_bytes, made.size_bytes, "{name}");
                assert_eq!(found.time_seconds, made.time_seconds, "{name}");
                if output.has_ttls() {
                    assert_eq!(found.ttl_seconds, made.ttl_seconds, "{name}");
                } else {
                    assert_eq!(found.next_access, made.next_access, "{name}");
                }
            }
            assert_eq!(read.len(), 5_000);
        }
        assert_eq!(names(&folder).len(), 5);
    }

    #[test]
    fn what_is_interrupted_or_empty_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.oracleGeneral", "b.zst", "c.csv"] {
            let output = output(&folder, name, false);
            assert_eq!(output.write(std::iter::empty()).unwrap(), 0);
            let stop = Arc::clone(&output.stop);
            let stream = generator().stream().unwrap();
            let stopped = stream.inspect(|_| stop.store(true, Ordering::Relaxed));
            let why = format!("{:#}", output.write(stopped).unwrap_err());
            assert!(why.contains(name) && why.contains("interrupted"), "{why}");
        }
        assert_eq!(names(&folder), [""; 0]);
    }

    #[test]
    fn what_came_in_the_meantime_is_kept_unless_it_is_forced_away() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        fs::write(&place, "precious").unwrap();
        let write = |force| output(&folder, "a", force).write(generator().stream().unwrap());
        assert!(write(false).is_err());
        assert_eq!(fs::read(&place).unwrap(), b"precious");
        assert_eq!(write(true).unwrap(), 5_000);
        assert_eq!(fs::read(&place).unwrap().len(), 5_000 * 24);
        assert_eq!(names(&folder), ["a"]);
    }
}
