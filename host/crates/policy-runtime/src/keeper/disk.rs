//! What is kept in the data folder: the record, and the versions in force and before.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tracing::warn;

use super::record::Record;
use crate::folder::Dropped;

const RECORD: &str = "policies.json";
const VERSIONS: &str = "policies";

/// The data folder, as far as policies are concerned.
pub(super) struct Disk {
    folder: PathBuf,
    saved: Record,
    trouble: Option<String>,
}

/// The id of a version: the SHA-256 of module and side-car together, hexadecimal.
pub(super) fn version_id(dropped: &Dropped) -> String {
    let mut hash = Sha256::new();
    hash.update((dropped.module.len() as u64).to_le_bytes());
    hash.update(&dropped.module);
    hash.update(dropped.side_car.as_bytes());
    let hex = |byte: &u8| format!("{byte:02x}");
    hash.finalize().iter().map(hex).collect()
}

impl Disk {
    /// Opens the data folder, and reads the record in it. One that cannot be read is set aside, and
    /// policies begin anew.
    pub(super) fn open(folder: PathBuf) -> (Self, Record) {
        let path = folder.join(RECORD);
        let record = match fs::read(&path) {
            Ok(json) => Record::from_json(&json),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
            Err(error) => Err(error.to_string()),
        };
        let record = record.unwrap_or_else(|why| {
            warn!(
                file = %path.display(), why,
                "the record of policies cannot be read: it is set aside, and begun anew"
            );
            // Where even that fails, the next record takes its place.
            let _ = fs::rename(&path, folder.join(format!("{RECORD}.bad")));
            Record::default()
        });
        let disk = Self {
            folder,
            saved: record.clone(),
            trouble: None,
        };
        (disk, record)
    }

    /// Keeps the record, if it changed, and of the versions those that it speaks of.
    ///
    /// # Errors
    /// Which file cannot be written, and why.
    pub(super) fn save(&mut self, record: &Record) -> Result<(), String> {
        if *record == self.saved {
            return Ok(());
        }
        let written = self
            .make()
            .and_then(|()| write_whole(&self.folder, RECORD, record.to_json().as_bytes()));
        if written.is_ok() {
            self.saved = record.clone();
            self.sweep();
        }
        let file = self.folder.join(RECORD);
        let outcome = written
            .as_ref()
            .map_err(|why| format!("{} cannot be written: {why}", file.display()))
            .copied();
        self.complain(written);
        outcome
    }

    /// Keeps a version's files.
    pub(super) fn keep(&mut self, name: &str, version: &str, dropped: &Dropped) {
        let stem = format!("{name}.{version}");
        let (module, side_car) = (format!("{stem}.wasm"), format!("{stem}.toml"));
        let folder = self.folder.join(VERSIONS);
        if folder.join(&module).exists() {
            return;
        }
        // The module comes last: where it is, its side-car is.
        let kept = self
            .make()
            .and_then(|()| write_whole(&folder, &side_car, dropped.side_car.as_bytes()))
            .and_then(|()| write_whole(&folder, &module, &dropped.module));
        self.complain(kept);
    }

    /// The files of a version that was kept.
    ///
    /// # Errors
    /// When they cannot be read or are no longer what they were.
    pub(super) fn recall(&self, name: &str, version: &str) -> Result<Dropped, String> {
        let path = |ending| {
            let file = format!("{name}.{version}.{ending}");
            self.folder.join(VERSIONS).join(file)
        };
        let read = || -> io::Result<Dropped> {
            Ok(Dropped {
                module: fs::read(path("wasm"))?,
                side_car: fs::read_to_string(path("toml"))?,
            })
        };
        let dropped =
            read().map_err(|error| format!("the version kept cannot be read: {error}"))?;
        if version_id(&dropped) != version {
            return Err("the version kept was changed".to_owned());
        }
        Ok(dropped)
    }

    /// Removes versions that the record does not speak of.
    fn sweep(&self) {
        let folder = self.folder.join(VERSIONS);
        let spoken_of: BTreeSet<String> = self
            .saved
            .deployed()
            .iter()
            .flat_map(|deployed| {
                let versions = [Some(&deployed.version), deployed.previous.as_ref()];
                let name = &deployed.name;
                versions
                    .into_iter()
                    .flatten()
                    .map(move |id| format!("{name}.{id}"))
            })
            .collect();
        let Ok(entries) = fs::read_dir(&folder) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if !stem.is_some_and(|stem| spoken_of.contains(stem)) {
                // One that stays is swept the next time.
                let _ = fs::remove_file(path);
            }
        }
    }

    fn make(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(self.folder.join(VERSIONS))
    }

    fn complain(&mut self, outcome: io::Result<()>) {
        let trouble = outcome.err().map(|error| error.to_string());
        if let Some(why) = trouble.as_ref().filter(|_| trouble != self.trouble) {
            warn!(
                folder = %self.folder.display(), why,
                "what is known of policies cannot be kept: a restart will not find it"
            );
        }
        self.trouble = trouble;
    }
}

/// Writes a file so that it is there whole or not at all, whenever the power goes.
fn write_whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}.tmp"));
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
