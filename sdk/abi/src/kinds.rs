//! The five kinds of decision.

use crate::export;

/// What a policy decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Which entries go when room is needed.
    Eviction = 0,
    /// Whether a value is kept at all.
    ShouldCache = 1,
    /// For how long.
    Ttl = 2,
    /// What it is worth.
    Priority = 3,
    /// Whether it is nobody's to see but its readers'.
    Security = 4,
}

impl Kind {
    /// All kinds, in the order in which they are decided and listed.
    pub const ALL: [Self; 5] = [
        Self::Eviction,
        Self::ShouldCache,
        Self::Ttl,
        Self::Priority,
        Self::Security,
    ];

    /// Its name in manifests, listings and figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Eviction => "eviction",
            Self::ShouldCache => "should_cache",
            Self::Ttl => "ttl",
            Self::Priority => "priority",
            Self::Security => "security",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The functions that a policy of this kind exports.
    pub const fn exports(self) -> &'static [&'static str] {
        match self {
            Self::Eviction => &[export::EVENTS, export::VICTIMS],
            Self::ShouldCache => &[export::SHOULD_CACHE],
            Self::Ttl => &[export::TTL],
            Self::Priority => &[export::PRIORITY],
            Self::Security => &[export::SECURITY],
        }
    }
}

/// A set of kinds, a bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kinds(u32);

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self(0);

    /// Every kind.
    pub const ALL: Self = Self((1 << Kind::ALL.len()) - 1);

    /// The set with these bits.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its bits: 1 for eviction, 2 for should_cache, 4 for ttl, 8 for priority, 16 for security.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// This set and `kind`.
    #[must_use]
    pub const fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u8)
    }

    /// What this set and `other` have in common.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `kind` is in it.
    pub const fn has(self, kind: Kind) -> bool {
        self.0 & 1 << kind as u8 != 0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The kinds in it, in the order of [`Kind::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |&kind| self.has(kind))
    }
}
