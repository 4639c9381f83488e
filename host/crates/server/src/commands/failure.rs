//! Error replies.

use std::borrow::Cow;
use std::fmt::Write;

use larder_engine::Error;
use larder_resp::Args;

/// How the error for a value begins that its tenant can never hold.
pub(crate) const VALUE_TOO_LARGE: &str = "ERR value too large";
/// A value is to be sealed, and there is nothing to seal it with.
pub(crate) const NO_SEAL: &str = "ERR SECURITY high needs a key ring: set encryption.key_ring to one that `larder keys \
     new` made, and encryption.encrypt to \"all\" or \"marked\"";
/// How the error for a value begins that cannot be sealed though there is something to seal it with.
pub(crate) const NOT_SEALED: &str = "ERR the value cannot be sealed";

/// An error to be replied, in the words of Redis where it has any.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Cow<'static, str>);

impl Failure {
    pub(crate) const SYNTAX: Self = Self::new("ERR syntax error");
    pub(crate) const NOT_AN_INTEGER: Self =
        Self::new("ERR value is not an integer or out of range");
    pub(crate) const STRING_TOO_LONG: Self =
        Self::new("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub(crate) const PATTERN_TOO_LONG: Self =
        Self::new("ERR pattern too long: 1024 bytes are allowed");

    pub(crate) const NO_ADMIN: Self = Self::new("NOPERM only an administrator may do this");

    /// An error whose whole text, its code included, is `text`.
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The whole text, its code included.
    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// Whether it is that only an administrator may do this.
    pub(crate) fn is_no_admin(&self) -> bool {
        self.0 == Self::NO_ADMIN.0
    }

    /// A wrong number of arguments; `name` is in small letters.
    pub(crate) fn arity(name: &str) -> Self {
        Self::from(format!(
            "ERR wrong number of arguments for '{name}' command"
        ))
    }

    /// An expiry that is not positive or too far away; `name` is in small letters.
    pub(crate) fn expire_time(name: &str) -> Self {
        Self::from(format!("ERR invalid expire time in '{name}' command"))
    }

    /// No such command: shows the beginning of what was sent.
    pub(crate) fn unknown_command(args: Args<'_>) -> Self {
        let name = clip(args.name(), SHOWN_BYTES_MAX);
        let mut text = format!("ERR unknown command '{name}', with args beginning with: ");
        let shown_from = text.len();
        for arg in args.iter().skip(1) {
            let room = SHOWN_BYTES_MAX.saturating_sub(text.len() - shown_from);
            if room == 0 {
                break;
            }
            // Writing to a string cannot fail.
            let _ = write!(text, "'{}' ", clip(arg, room));
        }
        Self::from(text)
    }

    /// A number of arguments that no form of a subcommand of `container` has.
    pub(crate) fn subcommand_arity(container: &str, name: &[u8]) -> Self {
        let name = clip(name, SHOWN_BYTES_MAX);
        Self::from(format!(
            "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP."
        ))
    }

    /// No such subcommand of `container`, which is in capitals.
    pub(crate) fn unknown_subcommand(container: &str, name: &[u8]) -> Self {
        let name = clip(name, SHOWN_BYTES_MAX);
        Self::from(format!(
            "ERR unknown subcommand '{name}'. Try {container} HELP."
        ))
    }
}

/// Most bytes of what a client sent that an error shows of its name, and of its arguments.
const SHOWN_BYTES_MAX: usize = 128;

/// The beginning of what a client sent. Bytes that are no UTF-8 are shown as replacement
/// characters.
fn clip(bytes: &[u8], bytes_max: usize) -> Cow<'_, str> {
    String::from_utf8_lossy(&bytes[..bytes.len().min(bytes_max)])
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::EntryTooLarge { bytes, bytes_max } => Self::from(format!(
                "{VALUE_TOO_LARGE}: an entry may take {bytes_max} bytes at most here (1/8 of the \
                 tenant's memory), this one takes {bytes}"
            )),
            Error::KeyTooLong { bytes, bytes_max } => Self::from(format!(
                "ERR key too long: a key may have {bytes_max} bytes at most, this one has {bytes}"
            )),
            Error::NoteTooLong { bytes, bytes_max } => Self::from(format!(
                "ERR type, tags and attributes too long: they may take {bytes_max} bytes together, \
                 these take {bytes}"
            )),
            Error::LeaseOver => Self::new(
                "NOLEASE the lease is over: the key was written or removed since, or its time is up",
            ),
            Error::NotSealed(reason) => Self::from(format!("{NOT_SEALED}: {reason}")),
            Error::Refused => Self::new("ERR the eviction policy does not keep it"),
            Error::Lacking => {
                Self::new("TRYAGAIN the key has gone to a slower tier while it was to be changed")
            }
            Error::OutOfMemory => {
                Self::new("OOM command not allowed when used memory > 'maxmemory'.")
            }
        }
    }
}
