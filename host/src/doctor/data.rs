//! Where a server keeps what outlives it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use rustix::fs::{Access, access, statvfs};

use super::machine::{Machine, Unreadable};
use super::{Judged, Verdict};
use crate::assemble::DISK;
use crate::config::{ByteSize, Config};

const MOUNTS: &str = "proc/self/mountinfo";
/// Policies, their versions before, and their compiled code take some mebibytes each.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// What the system counts in, whatever the file system.
const BLOCK_BYTES: u64 = 512;
/// These are gone after the next start of the machine.
const FLEETING: [&str; 2] = ["tmpfs", "ramfs"];
/// These know no locks that hold, or tell nobody what changes.
const REMOTE: [&str; 6] = ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph"];

/// Others than the owner and its group may write.
pub(super) const OTHERS_WRITE: u32 = 0o002;

pub(super) fn check(machine: &Machine, config: &Config) -> Judged {
    let data = &config.folders.data;
    let there = nearest(data)?;
    if let Some(wrong) = closed(data, &there, "data")? {
        return Ok(wrong);
    }
    let space = statvfs(&there).map_err(|error| Unreadable::new(&there, error))?;
    let free_bytes = space.f_bavail.saturating_mul(space.f_frsize);
    let kind = file_system(machine, &there)?;
    let verdict = judge(data, kind.as_deref(), free_bytes);
    let disk = config.store.below.as_ref().and_then(|below| below.disk);
    let (Verdict::Fine(_), Some(disk)) = (&verdict, disk) else {
        return Ok(verdict);
    };
    let held_bytes = held_bytes(&data.join(DISK));
    Ok(cramped(data, disk.size, held_bytes, free_bytes).unwrap_or(verdict))
}

/// What the files of a folder take; nothing where there is no such folder.
fn held_bytes(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let blocks = files.filter_map(|file| Some(file.metadata().ok()?.blocks()));
    blocks.sum::<u64>() * BLOCK_BYTES
}

/// The folder, or that of those above it in which it would be made.
fn nearest(folder: &Path) -> Result<PathBuf, Unreadable> {
    let current = env::current_dir().map_err(|error| Unreadable::new(folder, error))?;
    let full = current.join(folder);
    let there = full.ancestors().find(|folder| folder.exists());
    let there = there.unwrap_or(&full);
    there
        .canonicalize()
        .map_err(|error| Unreadable::new(there, error))
}

/// What keeps a server from its folder, or lets others at it.
pub(super) fn closed(
    folder: &Path,
    there: &Path,
    key: &str,
) -> Result<Option<Verdict>, Unreadable> {
    let shown = folder.display();
    let metadata = fs::metadata(there).map_err(|error| Unreadable::new(there, error))?;
    if !metadata.is_dir() {
        return Ok(Some(Verdict::wrong(
            format!("{shown}: {} is no folder", there.display()),
            format!("larder serve --{key} ANOTHER"),
        )));
    }
    if let Err(error) = access(there, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        let error = io::Error::from(error);
        return Ok(Some(Verdict::wrong(
            format!("{shown} is not to be written: {}: {error}", there.display()),
            format!("sudo install -d -m 0700 -o \"$(id -un)\" {shown}"),
        )));
    }
    let is_own = there.ends_with(folder);
    if is_own && metadata.mode() & OTHERS_WRITE != 0 {
        return Ok(Some(Verdict::wrong(
            format!("every user may write to {shown}, and so decide what the server does"),
            format!("chmod o-w {shown}"),
        )));
    }
    Ok(None)
}

/// Where a second level of that size finds no room beside the policies.
fn cramped(data: &Path, size: ByteSize, held_bytes: u64, free_bytes: u64) -> Option<Verdict> {
    let room_bytes = held_bytes + free_bytes.saturating_sub(FREE_BYTES_MIN);
    if size.bytes() <= room_bytes {
        return None;
    }
    let found = format!(
        "the second level in {} may take {size}: it holds {} MiB and {} MiB are free, so it will keep less",
        data.display(),
        held_bytes >> 20,
        free_bytes >> 20
    );
    Some(Verdict::wrong(
        found,
        match room_bytes >> 20 {
            0 => "larder serve --l2 none".to_owned(),
            mib => format!("larder serve --l2-size {}", ByteSize::mib(mib)),
        },
    ))
}

fn judge(data: &Path, kind: Option<&str>, free_bytes: u64) -> Verdict {
    let shown = data.display();
    let free_mib = free_bytes >> 20;
    match kind {
        Some(kind) if FLEETING.contains(&kind) => Verdict::wrong(
            format!(
                "{shown} lies on {kind}: what is kept there is forgotten when the machine starts"
            ),
            "larder serve --data /var/lib/larder",
        ),
        Some(kind) if REMOTE.contains(&kind) => Verdict::wrong(
            format!("{shown} lies on {kind}: a second server on it may go unnoticed"),
            "larder serve --data /var/lib/larder",
        ),
        _ if free_bytes < FREE_BYTES_MIN => Verdict::wrong(
            format!(
                "{free_mib} MiB are free for {shown}, policies may need {}",
                FREE_BYTES_MIN >> 20
            ),
            format!("du -xh --max-depth=2 {shown} | sort -h    # what takes the room"),
        ),
        _ => Verdict::fine(format!(
            "{shown} can be written, {free_mib} MiB are free, on {}",
            kind.unwrap_or("a file system that is not known")
        )),
    }
}

/// The kind of the file system that a folder lies on; `None` where the system does not say.
fn file_system(machine: &Machine, folder: &Path) -> Result<Option<String>, Unreadable> {
    let mounts = machine.read(MOUNTS)?.unwrap_or_default();
    // What was mounted last covers what was mounted on the same folder before.
    let found = mounts
        .lines()
        .filter_map(|line| {
            let point = line.split(' ').nth(4)?;
            let kind = line.split_once(" - ")?.1.split(' ').next()?;
            // Blanks in names are written in octal.
            let point = point.replace("\\040", " ");
            folder
                .starts_with(&point)
                .then(|| (point.len(), kind.to_owned()))
        })
        .max_by_key(|(depth, _)| *depth);
    Ok(found.map(|(_, kind)| kind))
}

#[cfg(test)]
mod tests;
