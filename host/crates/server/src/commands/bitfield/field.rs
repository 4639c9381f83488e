//! What an integer of some width is, and where its bits lie. Bit 0 is the highest of the first byte, and
//! the first bit of a field its highest.

use std::ops::Range;

use larder_resp::parse_integer;

use super::super::bit::byte;

/// An integer of 1 to 64 bits with a sign, or of 1 to 63 without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    is_signed: bool,
    bits: u32,
}

/// What becomes of a number that does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// Its lowest bits count.
    Wrap,
    /// It becomes the nearest that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

impl Overflow {
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        match name.to_ascii_uppercase().as_slice() {
            b"WRAP" => Some(Self::Wrap),
            b"SAT" => Some(Self::Saturate),
            b"FAIL" => Some(Self::Fail),
            _ => None,
        }
    }
}

impl Field {
    /// As clients name it: `i16`, `u8`.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let (is_signed, bits) = match name {
            [b'i', bits @ ..] => (true, bits),
            [b'u', bits @ ..] => (false, bits),
            _ => return None,
        };
        let bits = u32::try_from(parse_integer(bits)?).ok()?;
        let bits_max = if is_signed { 64 } else { 63 };
        (1..=bits_max)
            .contains(&bits)
            .then_some(Self { is_signed, bits })
    }

    pub(super) fn bits(self) -> u32 {
        self.bits
    }

    /// The bytes that it lies in when its first bit is `at`.
    pub(super) fn bytes(self, at: usize) -> Range<usize> {
        at / 8..(at + self.bits as usize).div_ceil(8)
    }

    /// The number that these bits are, of which only the lowest count.
    pub(super) fn of(self, bits: u64) -> i64 {
        let unused = 64 - self.bits;
        let high = bits << unused;
        match self.is_signed {
            true => high.cast_signed() >> unused,
            false => (high >> unused).cast_signed(),
        }
    }

    /// A number that a client gives; without a sign a negative one is a large one.
    pub(super) fn given(self, number: i64) -> i128 {
        match self.is_signed {
            true => number.into(),
            false => number.cast_unsigned().into(),
        }
    }

    /// The number as it can be kept; `None` where it fails.
    pub(super) fn fit(self, number: i128, overflow: Overflow) -> Option<i64> {
        let (min, max) = match self.is_signed {
            true => (
                -(1_i128 << (self.bits - 1)),
                (1_i128 << (self.bits - 1)) - 1,
            ),
            false => (0, (1_i128 << self.bits) - 1),
        };
        let kept = number.clamp(min, max) as i64;
        match overflow {
            _ if (min..=max).contains(&number) => Some(kept),
            Overflow::Wrap => Some(self.of(number as u64)),
            Overflow::Saturate => Some(kept),
            Overflow::Fail => None,
        }
    }
}

/// A value that goes on with zeros, of which a part can be written.
pub(super) struct Window<'a> {
    value: &'a [u8],
    start: usize,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    /// `part` of `value`, which may end before, is copied.
    pub(super) fn new(value: &'a [u8], part: Range<usize>) -> Self {
        let (start, len) = (part.start, part.len());
        let there = value.get(start..).unwrap_or_default();
        let mut bytes = Vec::with_capacity(len);
        bytes.extend_from_slice(&there[..there.len().min(len)]);
        bytes.resize(len, 0);
        Self {
            value,
            start,
            bytes,
        }
    }

    /// The part as it is now.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn byte(&self, at: usize) -> u8 {
        let written = at.checked_sub(self.start).and_then(|at| self.bytes.get(at));
        written.copied().unwrap_or_else(|| byte(self.value, at))
    }

    /// The `bits` bits from `at` on, in the lowest place.
    pub(super) fn get(&self, at: usize, bits: u32) -> u64 {
        let touched = at / 8..(at + bits as usize).div_ceil(8);
        let after = touched.end * 8 - at - bits as usize;
        let word = touched.fold(0_u128, |word, at| word << 8 | u128::from(self.byte(at)));
        (word >> after) as u64 & (u64::MAX >> (64 - bits))
    }

    /// Writes the lowest `bits` bits of `number` from `at` on; what lies outside of the part is left out.
    pub(super) fn set(&mut self, at: usize, bits: u32, number: u64) {
        let touched = at / 8..(at + bits as usize).div_ceil(8);
        let after = touched.end * 8 - at - bits as usize;
        let mask = u128::from(u64::MAX >> (64 - bits)) << after;
        let mut word = u128::from(number) << after & mask;
        let mut mask = mask;
        for at in touched.rev() {
            let there = at
                .checked_sub(self.start)
                .and_then(|at| self.bytes.get_mut(at));
            if let Some(byte) = there {
                *byte = *byte & !(mask as u8) | word as u8;
            }
            (word, mask) = (word >> 8, mask >> 8);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field() -> impl Strategy<Value = Field> {
        prop_oneof![
            (1..=64_u32).prop_map(|bits| Field {
                is_signed: true,
                bits
            }),
            (1..=63_u32).prop_map(|bits| Field {
                is_signed: false,
                bits
            }),
        ]
    }

    fn bit(value: &[u8], at: usize) -> bool {
        byte(value, at / 8) & (0x80 >> (at % 8)) != 0
    }

    proptest! {
        /// Against bits that are read and written one by one.
        #[test]
        fn fields_lie_where_they_should(
            value in prop::collection::vec(any::<u8>(), 0..20),
            at in 0..200_usize,
            field in field(),
            number in any::<u64>(),
        ) {
            let mut window = Window::new(&value, field.bytes(at));
            let bits = field.bits();
            let all = at..at + bits as usize;
            let expected = all.clone().fold(0_u64, |n, at| n << 1 | u64::from(bit(&value, at)));
            prop_assert_eq!(window.get(at, bits), expected);
            window.set(at, bits, number);
            prop_assert_eq!(window.get(at, bits), number & (u64::MAX >> (64 - bits)));
            for other in (0..300).filter(|at| !all.contains(at)) {
                let mask = 0x80 >> (other % 8);
                prop_assert_eq!(window.byte(other / 8) & mask != 0, bit(&value, other));
            }
        }

        /// Against numbers that are counted down or up by what the field can tell apart.
        #[test]
        fn numbers_fit_as_asked(field in field(), number in any::<i64>(), more in any::<i64>()) {
            let span = 1_i128 << field.bits();
            let min = if field.is_signed { -span / 2 } else { 0 };
            let sum = i128::from(number) + i128::from(more);
            let fits = (min..min + span).contains(&sum);
            let wrapped = (sum - min).rem_euclid(span) + min;
            let fit = |overflow| field.fit(sum, overflow).map(i128::from);
            prop_assert_eq!(fit(Overflow::Wrap), Some(wrapped));
            prop_assert_eq!(fit(Overflow::Saturate), Some(sum.max(min).min(min + span - 1)));
            prop_assert_eq!(fit(Overflow::Fail), fits.then_some(sum));
            prop_assert_eq!(field.of(wrapped as u64), wrapped as i64);
        }
    }

    #[test]
    fn types_are_what_redis_takes() {
        for (name, bits) in [("i1", 1), ("u1", 1), ("i64", 64), ("u63", 63)] {
            assert_eq!(Field::parse(name.as_bytes()).map(Field::bits), Some(bits));
        }
        for name in ["", "i", "i0", "i65", "u64", "I8", "i-1", "8", "i08"] {
            assert_eq!(Field::parse(name.as_bytes()), None, "{name}");
        }
    }
}
