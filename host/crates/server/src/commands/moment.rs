//! How arguments name a moment in time: in seconds or milliseconds, from now or since 1970.

use larder_engine::Millis;

use super::failure::Failure;
use larder_resp::parse_integer;

/// Unit and origin of an argument that names a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    unit_ms: i64,
    from_now: bool,
}

impl Scale {
    /// Seconds from now.
    pub(crate) const EX: Self = Self {
        unit_ms: 1000,
        from_now: true,
    };
    /// Milliseconds from now.
    pub(crate) const PX: Self = Self {
        unit_ms: 1,
        from_now: true,
    };
    /// Seconds since 1970.
    pub(crate) const EXAT: Self = Self {
        unit_ms: 1000,
        from_now: false,
    };
    /// Milliseconds since 1970.
    pub(crate) const PXAT: Self = Self {
        unit_ms: 1,
        from_now: false,
    };

    /// The scale that an option of SET and GETEX names, in any case.
    pub(crate) fn of_option(option: &[u8]) -> Option<Self> {
        [
            ("EX", Self::EX),
            ("PX", Self::PX),
            ("EXAT", Self::EXAT),
            ("PXAT", Self::PXAT),
        ]
        .into_iter()
        .find_map(|(name, scale)| {
            option
                .eq_ignore_ascii_case(name.as_bytes())
                .then_some(scale)
        })
    }

    /// Unix milliseconds of `amount`, which may lie before 1970; `None` when that overflows.
    pub(crate) fn moment(self, amount: i64, now: Millis) -> Option<i64> {
        let millis = amount.checked_mul(self.unit_ms)?;
        if self.from_now {
            millis.checked_add_unsigned(now)
        } else {
            Some(millis)
        }
    }

    /// The moment that `text` names, which has to be positive; `command` is named in the error.
    pub(crate) fn deadline(
        self,
        text: &[u8],
        now: Millis,
        command: &str,
    ) -> Result<Millis, Failure> {
        let amount = parse_integer(text).ok_or(Failure::NOT_AN_INTEGER)?;
        let moment = if amount > 0 {
            self.moment(amount, now)
        } else {
            None
        };
        moment
            .map(i64::unsigned_abs)
            .ok_or_else(|| Failure::expire_time(command))
    }
}
