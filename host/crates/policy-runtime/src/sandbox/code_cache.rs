//! Compiled code, kept for the next start.
//!
//! A file holds the SHA-256 of its rest, and then the code as the engine serializes it. It is named by
//! the digest of the module and a fingerprint of everything that the code depends on: version and
//! settings of the compiler, and the processor. What is damaged is compiled anew.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};
use tracing::warn;
use wasmtime::{Engine, Module};

use super::{Refusal, hex};

/// Files that are kept; the ones that were not used for longest go.
const FILES_MAX: usize = 64;
const ENDING: &str = "code";
const UNFINISHED_ENDING: &str = "new";
const DIGEST_BYTES: usize = 32;
/// May be written by the group or by others.
const OTHERS_MAY_WRITE: u32 = 0o022;

pub(super) struct CodeCache {
    folder: PathBuf,
    fingerprint: u64,
}

impl CodeCache {
    /// A cache in `folder`, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be made, or others may write there.
    pub(super) fn new(folder: PathBuf, engine: &Engine) -> Result<Self, Refusal> {
        let made = DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder);
        if let Err(error) = made {
            return Err(Refusal(format!(
                "the folder for compiled policies, {}, cannot be made: {error}",
                folder.display()
            )));
        }
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let cache = Self {
            folder,
            fingerprint: hasher.finish(),
        };
        match cache.is_ours() {
            Ok(true) => Ok(cache),
            Ok(false) => Err(Refusal(format!(
                "others may write into the folder for compiled policies, {}, and what is there is \
                 run: it has to belong to this server's user, with mode 700",
                cache.folder.display()
            ))),
            Err(error) => Err(Refusal(format!(
                "the folder for compiled policies, {}, cannot be looked at: {error}",
                cache.folder.display()
            ))),
        }
    }

    fn is_ours(&self) -> io::Result<bool> {
        let found = fs::metadata(&self.folder)?;
        let is_own = found.uid() == rustix::process::geteuid().as_raw();
        Ok(found.is_dir() && is_own && found.mode() & OTHERS_MAY_WRITE == 0)
    }

    /// The compiled module of that digest: kept, or made by `compile` and then kept.
    ///
    /// # Errors
    /// Those of `compile`. What goes wrong with the cache only costs time, and is logged.
    pub(super) fn get_or_compile(
        &self,
        engine: &Engine,
        digest: &[u8; DIGEST_BYTES],
        compile: impl FnOnce() -> Result<Module, Refusal>,
    ) -> Result<Module, Refusal> {
        let name = format!("{}-{:016x}.{ENDING}", hex(digest), self.fingerprint);
        let path = self.folder.join(name);
        match self.recall(engine, &path) {
            Ok(Some(module)) => return Ok(module),
            Ok(None) => {}
            Err(why) => {
                warn!(file = %path.display(), why, "a compiled policy is of no use; it is compiled anew");
            }
        }
        let module = compile()?;
        if let Err(why) = self.keep(&path, &module) {
            warn!(file = %path.display(), why, "a compiled policy cannot be kept for the next start");
        }
        Ok(module)
    }

    fn recall(&self, engine: &Engine, path: &Path) -> Result<Option<Module>, String> {
        if !self.is_ours().map_err(|error| error.to_string())? {
            return Err("others may write into its folder".to_owned());
        }
        let kept = match fs::read(path) {
            Ok(kept) => kept,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let code = kept
            .split_at_checked(DIGEST_BYTES)
            .filter(|(digest, code)| Sha256::digest(code)[..] == **digest)
            .map(|(_, code)| code)
            .ok_or("it is damaged")?;
        // SAFETY: what is here was serialized by this engine or one alike. Only this user can write
        // into the folder, which was checked above, and this program writes nothing else there; the
        // digest proves that the file is whole, its name that it was made by the same version of the
        // engine with the same settings, which the engine checks once more.
        #[expect(unsafe_code, reason = "the engine cannot tell what others made up")]
        let module = unsafe { Module::deserialize(engine, code) };
        let module = module.map_err(|error| format!("{error:#}"))?;
        // When it was used last decides which file goes first; not to know is no trouble.
        let _ = File::options()
            .append(true)
            .open(path)
            .and_then(|file| file.set_modified(SystemTime::now()));
        Ok(Some(module))
    }

    fn keep(&self, path: &Path, module: &Module) -> Result<(), String> {
        let code = module.serialize().map_err(|error| format!("{error:#}"))?;
        let write = || -> io::Result<()> {
            self.make_room()?;
            let unfinished = path.with_extension(UNFINISHED_ENDING);
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(&Sha256::digest(&code))?;
            file.write_all(&code)?;
            fs::rename(&unfinished, path)
        };
        write().map_err(|error| error.to_string())
    }

    /// Removes what was not used for longest, so that one more file fits in.
    fn make_room(&self) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_ours = |ending| ending == ENDING || ending == UNFINISHED_ENDING;
            if path.extension().is_some_and(is_ours) {
                kept.push((fs::metadata(&path)?.modified()?, path));
            }
        }
        kept.sort();
        let excess = (kept.len() + 1).saturating_sub(FILES_MAX);
        kept[..excess]
            .iter()
            .try_for_each(|(_, path)| fs::remove_file(path))
    }
}

#[cfg(test)]
mod tests;
