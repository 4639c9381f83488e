//! Reads a settled policy, and makes sure that it still is what was seen.

use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use std::fs::File;

use super::scan::{Found, Seen, Stamp};

/// Longest side-car, in bytes.
pub(super) const SIDE_CAR_BYTES_MAX: usize = 64 * 1024;

/// The files of a policy.
#[derive(Debug)]
pub(crate) struct Dropped {
    /// The module.
    pub(crate) module: Vec<u8>,
    /// The side-car; empty where there is none, which means the same.
    pub(crate) side_car: String,
}

/// Why a policy was not read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// It changed meanwhile, and will settle again.
    Changed,
    /// It cannot be read; why, for people.
    Refused(String),
}

pub(super) fn read(
    folder: &Path,
    seen: &Seen,
    module_bytes_max: usize,
) -> Result<Dropped, ReadError> {
    let module = read_found(folder, &seen.file, &seen.module, module_bytes_max)?;
    let Some(found) = &seen.side_car else {
        let side_car = String::new();
        return Ok(Dropped { module, side_car });
    };
    let name = format!("{}.toml", seen.stem);
    let text = read_found(folder, &name, found, SIDE_CAR_BYTES_MAX)?;
    match String::from_utf8(text) {
        Ok(side_car) => Ok(Dropped { module, side_car }),
        Err(_) => Err(ReadError::Refused(format!(
            "{name}: it is not text in UTF-8"
        ))),
    }
}

fn read_found(
    folder: &Path,
    name: &str,
    found: &Found,
    bytes_max: usize,
) -> Result<Vec<u8>, ReadError> {
    let stamp = match found {
        Found::Fault(fault) => return Err(ReadError::Refused(format!("{name}: {fault}"))),
        Found::File(stamp) => stamp,
    };
    match read_stamped(&folder.join(name), stamp, bytes_max) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(ReadError::Changed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReadError::Changed),
        Err(error) => Err(ReadError::Refused(format!(
            "{name}: it cannot be read: {error}"
        ))),
    }
}

/// The content of the file with that stamp; `None` if it is another by now. Never waits, whatever
/// was put at the path meanwhile.
fn read_stamped(path: &Path, stamp: &Stamp, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    if Stamp::of(&file.metadata()?) != *stamp {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let limit = bytes_max as u64 + 1;
    (&mut file).take(limit).read_to_end(&mut bytes)?;
    let is_same = Stamp::of(&file.metadata()?) == *stamp && bytes.len() as u64 == stamp.bytes;
    Ok(is_same.then_some(bytes))
}
