//! The port to where values come from that are nowhere in the cache.

use std::fmt;
use std::time::Duration;

use crate::tier::{Answer, TierKeyBuf};

/// What a loader found under a key.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fetched {
    /// The value.
    pub value: Box<[u8]>,
    /// How long it is good, where its origin says so.
    pub ttl: Option<Duration>,
    /// What it is, for policies: as `TYPE` of CACHE.SET.
    pub data_type: Option<Box<str>>,
    /// What it goes with when that is invalidated: as `TAGS` of CACHE.SET.
    pub tags: Vec<Box<[u8]>>,
}

impl From<Vec<u8>> for Fetched {
    fn from(value: Vec<u8>) -> Self {
        Self {
            value: value.into(),
            ..Self::default()
        }
    }
}

/// Without the value, which may be a secret.
impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("value_bytes", &self.value.len())
            .field("ttl", &self.ttl)
            .field("data_type", &self.data_type)
            .field("tags", &self.tags.len())
            .finish()
    }
}

/// Why a load failed, as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoadFailure {
    /// The origin answered that it has no answer.
    Status,
    /// It could not be reached, or ended in the middle.
    Connection,
    /// It took too long.
    Timeout,
    /// The value is larger than the loader may bring.
    TooLarge,
    /// Too many loads were waiting already.
    Crowded,
    /// It was not asked: the key cannot be asked for.
    Refused,
}

impl LoadFailure {
    /// All there are, each at the place that its number says.
    pub const ALL: [Self; 6] = [
        Self::Status,
        Self::Connection,
        Self::Timeout,
        Self::TooLarge,
        Self::Crowded,
        Self::Refused,
    ];

    /// Its name in metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Connection => "connection",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::Crowded => "crowded",
            Self::Refused => "refused",
        }
    }
}

/// A load that failed. The text says what went wrong and where, without secrets; keys may stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    /// As what it counts.
    pub failure: LoadFailure,
    /// For people.
    pub text: String,
}

impl LoadError {
    /// One of that kind.
    pub fn new(failure: LoadFailure, text: impl Into<String>) -> Self {
        Self {
            failure,
            text: text.into(),
        }
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for LoadError {}

/// What a loader answers: a value, or that there is none.
pub type Fetching = Answer<'static, Result<Option<Fetched>, LoadError>>;

/// Where the values of some keys come from: a database, a service. A closure that takes a key and returns a
/// future is one:
///
/// ```
/// use larder_engine::loader::{Fetched, Loader};
/// use larder_engine::tier::TierKeyBuf;
///
/// fn takes_a_loader(_: impl Loader) {}
/// takes_a_loader(|key: TierKeyBuf| async move { Ok(Some(Fetched::from(key.bytes.to_vec()))) });
/// ```
pub trait Loader: Send + Sync + 'static {
    /// Asks for a value. The answer may be dropped before it is there: nobody wants it any more.
    fn load(&self, key: TierKeyBuf) -> Fetching;
}

impl<F, A> Loader for F
where
    F: Fn(TierKeyBuf) -> A + Send + Sync + 'static,
    A: Future<Output = Result<Option<Fetched>, LoadError>> + Send + 'static,
{
    fn load(&self, key: TierKeyBuf) -> Fetching {
        Box::pin(self(key))
    }
}
