//! What policies answer.

/// The TTL stays as it is.
pub const TTL_KEEP: i64 = -2;
/// The entry never expires.
pub const TTL_NEVER: i64 = -3;
/// The longest TTL that can be answered, in milliseconds: a hundred years.
pub const TTL_MS_MAX: u64 = 100 * 366 * 24 * 60 * 60 * 1000;

/// What becomes of an entry's time to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TtlAnswer {
    /// It stays what the client, or the policy before, said.
    Keep,
    /// The entry never expires.
    Never,
    /// So many milliseconds, 1 to [`TTL_MS_MAX`].
    Millis(u64),
}

impl TtlAnswer {
    /// As a policy returns it: [`TTL_KEEP`], [`TTL_NEVER`] or milliseconds. −1 and 0 mean nothing, as
    /// they are what mistakes look like.
    pub fn to_raw(self) -> i64 {
        match self {
            Self::Keep => TTL_KEEP,
            Self::Never => TTL_NEVER,
            Self::Millis(millis) => i64::try_from(millis).unwrap_or(i64::MAX),
        }
    }

    /// What a policy returned; `None` where that means nothing.
    pub fn from_raw(raw: i64) -> Option<Self> {
        match raw {
            TTL_KEEP => Some(Self::Keep),
            TTL_NEVER => Some(Self::Never),
            millis => u64::try_from(millis)
                .ok()
                .filter(|millis| (1..=TTL_MS_MAX).contains(millis))
                .map(Self::Millis),
        }
    }
}

/// Whether a value is nobody's to see but its readers'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecurityAnswer {
    /// It stays what the client, or the policy before, said.
    Keep,
    /// It is kept sealed, and shown to nobody but its readers.
    High,
}

impl SecurityAnswer {
    /// As a policy returns it.
    pub fn to_raw(self) -> u32 {
        match self {
            Self::Keep => 0,
            Self::High => 1,
        }
    }

    /// What a policy returned; `None` where that means nothing.
    pub fn from_raw(raw: u32) -> Option<Self> {
        match raw {
            0 => Some(Self::Keep),
            1 => Some(Self::High),
            _ => None,
        }
    }
}

/// The answer to a request for room: the address of the first of `count` slots, u32 each.
pub const fn pack_victims(address: u32, count: u32) -> u64 {
    (address as u64) << 32 | count as u64
}

/// Address and count of an answer.
pub const fn unpack_victims(answer: u64) -> (u32, u32) {
    ((answer >> 32) as u32, answer as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ttl_means_something_or_nothing() {
        for answer in [
            TtlAnswer::Keep,
            TtlAnswer::Never,
            TtlAnswer::Millis(1),
            TtlAnswer::Millis(TTL_MS_MAX),
        ] {
            assert_eq!(TtlAnswer::from_raw(answer.to_raw()), Some(answer));
        }
        for raw in [-1, 0, -4, i64::MIN, TTL_MS_MAX as i64 + 1, i64::MAX] {
            assert_eq!(TtlAnswer::from_raw(raw), None);
        }
    }

    #[test]
    fn a_level_of_security_means_something_or_nothing() {
        for answer in [SecurityAnswer::Keep, SecurityAnswer::High] {
            assert_eq!(SecurityAnswer::from_raw(answer.to_raw()), Some(answer));
        }
        assert_eq!(SecurityAnswer::from_raw(2), None);
    }

    #[test]
    fn victims_are_packed_into_one_number() {
        for (address, count) in [(0, 0), (u32::MAX, 1), (8, u32::MAX)] {
            assert_eq!(
                unpack_victims(pack_victims(address, count)),
                (address, count)
            );
        }
    }
}
