//! Passwords as they are kept.

use std::fmt;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{ARGON2ID_IDENT, Argon2, Params};
use sha2::{Digest, Sha256};

/// Bounds of what checking one password may take: 64 MiB and ten passes over them.
const MEMORY_KIB_MAX: u32 = 64 << 10;
const PASSES_MAX: u32 = 10;
const LANES_MAX: u32 = 4;

/// A password that cannot be read any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Secret {
    /// From the configuration: costly to check, so that whoever reads the file does not know it.
    Argon2(Box<PasswordHash>),
    /// From ACL SETUSER, as Redis keeps it; in memory alone.
    Sha256([u8; 32]),
}

/// The digest that ACL SETUSER and GETUSER know a password by.
pub(crate) fn sha256(password: &[u8]) -> [u8; 32] {
    Sha256::digest(password).into()
}

impl Secret {
    /// Reads a PHC string made by `larder hash-password`.
    ///
    /// # Errors
    /// What is wrong with it, one sentence.
    pub(super) fn argon2(text: &str) -> Result<Self, String> {
        let hash = PasswordHash::new(text).map_err(|error| error.to_string())?;
        if hash.algorithm != ARGON2ID_IDENT || hash.salt.is_none() || hash.hash.is_none() {
            return Err("not a whole argon2id hash".to_owned());
        }
        let params = Params::try_from(&hash).map_err(|error| error.to_string())?;
        if params.m_cost() > MEMORY_KIB_MAX
            || params.t_cost() > PASSES_MAX
            || params.p_cost() > LANES_MAX
        {
            return Err(format!(
                "too costly to check: at most m={MEMORY_KIB_MAX}, t={PASSES_MAX}, p={LANES_MAX}"
            ));
        }
        Ok(Self::Argon2(Box::new(hash)))
    }

    /// Reads the hexadecimal digits of a SHA-256, in small letters.
    pub(super) fn sha256_of_hex(hex: &[u8]) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut digest = [0; 32];
        if hex.len() != 2 * digest.len() {
            return None;
        }
        for (byte, pair) in digest.iter_mut().zip(hex.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self::Sha256(digest))
    }

    /// Whether checking takes long, and has to be done off the workers.
    pub(super) fn is_costly(&self) -> bool {
        matches!(self, Self::Argon2(_))
    }

    /// Whether `password`, whose SHA-256 is `digest`, is the one. Takes the same time whatever is wrong.
    pub(super) fn matches(&self, password: &[u8], digest: &[u8; 32]) -> bool {
        match self {
            Self::Argon2(hash) => Argon2::default().verify_password(password, &**hash).is_ok(),
            Self::Sha256(own) => {
                let pairs = own.iter().zip(digest);
                pairs.fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
            }
        }
    }
}

/// As it stands in rules, behind `#`, and in the configuration.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2(hash) => hash.fmt(f),
            Self::Sha256(digest) => digest.iter().try_for_each(|byte| write!(f, "{byte:02x}")),
        }
    }
}

/// Makes the PHC string of a password for the configuration. The salt comes from the system.
///
/// # Errors
/// When the password is longer than Argon2 takes, or there is not enough memory.
pub fn hash_password(password: &[u8], salt: &[u8; 16]) -> Result<String, String> {
    let hash: PasswordHash = Argon2::default()
        .hash_password_with_salt(password, salt)
        .map_err(|error| error.to_string())?;
    Ok(hash.to_string())
}

/// Checks that `text` is the hash of a password as [`hash_password`] makes it.
///
/// # Errors
/// What is wrong with it, one sentence.
pub fn check_password_hash(text: &str) -> Result<(), String> {
    Secret::argon2(text).map(drop)
}
