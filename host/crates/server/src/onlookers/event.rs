//! What keyspace notifications tell of, in the words of Redis.

/// Something that happened to a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event {
    class: u32,
    /// What the message says.
    pub(super) name: &'static str,
}

/// Which keyspace notifications are sent: classes of events, and the channels that tell of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyspaceEvents(
    /// A bit for each of [`LETTERS`].
    pub(crate) u32,
);

/// In the order that CONFIG GET has them in. `l s h z t d` are about what there is none of here.
const LETTERS: &str = "g$lshzxetdnKEm";
/// `A` stands for so many of them.
const ALIASED: usize = 10;

const GENERIC: u32 = 1 << 0;
const STRING: u32 = 1 << 1;
const EXPIRED: u32 = 1 << 6;
const EVICTED: u32 = 1 << 7;
const NEW: u32 = 1 << 10;
const MISS: u32 = 1 << 13;

impl Event {
    pub(crate) const APPEND: Self = Self::new(STRING, "append");
    pub(crate) const COPY_TO: Self = Self::new(GENERIC, "copy_to");
    pub(crate) const DEL: Self = Self::new(GENERIC, "del");
    pub(crate) const EVICTED: Self = Self::new(EVICTED, "evicted");
    pub(crate) const EXPIRE: Self = Self::new(GENERIC, "expire");
    pub(crate) const EXPIRED: Self = Self::new(EXPIRED, "expired");
    pub(crate) const INCRBY: Self = Self::new(STRING, "incrby");
    pub(crate) const INCRBYFLOAT: Self = Self::new(STRING, "incrbyfloat");
    pub(crate) const INVALIDATED: Self = Self::new(GENERIC, "invalidated");
    pub(crate) const KEYMISS: Self = Self::new(MISS, "keymiss");
    pub(crate) const MOVE_FROM: Self = Self::new(GENERIC, "move_from");
    pub(crate) const MOVE_TO: Self = Self::new(GENERIC, "move_to");
    pub(crate) const NEW: Self = Self::new(NEW, "new");
    pub(crate) const PERSIST: Self = Self::new(GENERIC, "persist");
    pub(crate) const RENAME_FROM: Self = Self::new(GENERIC, "rename_from");
    pub(crate) const RENAME_TO: Self = Self::new(GENERIC, "rename_to");
    pub(crate) const RESTORE: Self = Self::new(GENERIC, "restore");
    pub(crate) const SET: Self = Self::new(STRING, "set");
    pub(crate) const SETBIT: Self = Self::new(STRING, "setbit");
    pub(crate) const SETRANGE: Self = Self::new(STRING, "setrange");

    const fn new(class: u32, name: &'static str) -> Self {
        Self { class, name }
    }
}

impl KeyspaceEvents {
    pub(super) const KEYSPACE: Self = Self(1 << 11);
    pub(super) const KEYEVENT: Self = Self(1 << 12);
    const ALIASED: Self = Self((1 << ALIASED) - 1);

    /// Reads the letters of Redis' `notify-keyspace-events`, `AKE` for most; `None` where one is unknown.
    pub fn parse(text: &str) -> Option<Self> {
        text.chars().try_fold(Self(0), |sum, letter| {
            let more = match letter {
                'A' => Self::ALIASED.0,
                _ => 1 << LETTERS.find(letter)?,
            };
            Some(Self(sum.0 | more))
        })
    }

    #[inline]
    pub(super) fn include(self, event: Event) -> bool {
        self.0 & event.class != 0
    }

    /// Whether it has all of the others.
    pub(super) fn has(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }
}

impl std::fmt::Display for KeyspaceEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let is_aliased = self.has(Self::ALIASED);
        if is_aliased {
            f.write_str("A")?;
        }
        for (at, letter) in LETTERS.char_indices() {
            if self.has(Self(1 << at)) && !(is_aliased && at < ALIASED) {
                write!(f, "{letter}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_those_of_redis_and_come_in_its_order() {
        for (given, told) in [
            ("", ""),
            ("AAA", "A"),
            ("KEA", "AKE"),
            ("mKn", "nKm"),
            ("x$g", "g$x"),
            ("dtexzhsl$g", "A"),
            ("mEKA", "AKEm"),
            // Redis 7.0 forgets the `n`.
            ("nA", "An"),
        ] {
            assert_eq!(
                KeyspaceEvents::parse(given).map(|is| is.to_string()),
                Some(told.into())
            );
        }
        assert_eq!(KeyspaceEvents::parse("Kq"), None);
        assert_eq!(KeyspaceEvents::parse("k"), None);
        let all = KeyspaceEvents::parse("AKEnm").unwrap();
        for event in [
            Event::SET,
            Event::DEL,
            Event::EXPIRED,
            Event::EVICTED,
            Event::NEW,
            Event::KEYMISS,
        ] {
            let letter = LETTERS
                .chars()
                .nth(event.class.trailing_zeros() as usize)
                .unwrap();
            assert!(all.include(event));
            assert_eq!(
                letter,
                match event.name {
                    "set" => '$',
                    "del" => 'g',
                    "expired" => 'x',
                    "evicted" => 'e',
                    "new" => 'n',
                    _ => 'm',
                }
            );
        }
        assert!(all.has(KeyspaceEvents::KEYSPACE) && all.has(KeyspaceEvents::KEYEVENT));
        assert!(
            !KeyspaceEvents::parse("K")
                .unwrap()
                .has(KeyspaceEvents::KEYEVENT)
        );
    }
}
