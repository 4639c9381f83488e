//! The files that TLS is set up from, read as they are.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::TlsConfig;

/// A certificate has some kilobytes; the authorities of the whole web have some hundred.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What is wrong with a file, in a sentence for whoever set it.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {}: {why}", path.display())]
pub struct TlsError {
    /// The setting that names it.
    pub key: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do about it.
    pub why: String,
}

impl TlsError {
    pub(super) fn new(key: &'static str, path: &Path, why: impl Into<String>) -> Self {
        Self {
            key,
            path: path.to_owned(),
            why: why.into(),
        }
    }
}

/// What tells the contents of all files from others.
pub(super) type Digest = [u8; 32];

/// The contents of all files.
pub(super) struct Pems {
    pub(super) cert: Vec<u8>,
    pub(super) key: Vec<u8>,
    /// Empty where there are no clients' certificates.
    pub(super) client_ca: Vec<u8>,
}

impl Pems {
    pub(super) fn read(config: &TlsConfig) -> Result<Self, TlsError> {
        let client_ca = config.client_ca.as_deref();
        let client_ca = client_ca.map(|path| read("tls.client_ca", path));
        Ok(Self {
            cert: read("tls.cert", &config.cert)?,
            key: read("tls.key", &config.key)?,
            client_ca: client_ca.transpose()?.unwrap_or_default(),
        })
    }

    pub(super) fn digest(&self) -> Digest {
        let mut hash = Sha256::new();
        for part in [&self.cert, &self.key, &self.client_ca] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    // Whoever opens a pipe waits for somebody to write.
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        let why = "it is no file; name a PEM file";
        return Err(TlsError::new(key, path, why));
    }
    let mut contents = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut contents));
    match read {
        Ok(_) if contents.len() as u64 <= FILE_BYTES_MAX => Ok(contents),
        Ok(_) => Err(TlsError::new(
            key,
            path,
            "it is longer than 1 MiB; name a PEM file of certificates or of a key",
        )),
        Err(error) => {
            let mend = match error.kind() {
                io::ErrorKind::PermissionDenied => "let the server's user read it",
                _ => "name a PEM file",
            };
            Err(TlsError::new(
                key,
                path,
                format!("it cannot be read ({error}); {mend}"),
            ))
        }
    }
}
