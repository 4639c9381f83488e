//! Hears what a tenant is asked for, under its shards' locks, and passes it on to the thread that foretells.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use larder_engine::Key;
use larder_engine::foresight::{Asked, AskedFor, Listener};
use larder_predict::{Access, Kind, Place};

/// Notes that may wait; what comes beyond is forgotten.
pub(super) const NOTES_MAX: usize = 16_384;
/// Bytes that the names in them may take.
const NAMES_BYTES_MAX: usize = 1 << 20;
/// The most that those that wait take: each has a number by which the mailbox tells it apart.
pub(super) const NOTES_BYTES_MAX: usize =
    NOTES_MAX * (size_of::<Note>() + size_of::<usize>()) + NAMES_BYTES_MAX;
/// Longer keys are not foretold.
pub(super) const KEY_BYTES_MAX: usize = 512;
/// What the allocator takes for a text beside its bytes, those that it rounds up included.
pub(super) const TEXT_BYTES: usize = 24;
/// Longer numbers are none.
const DIGITS_MAX: usize = 18;

/// A key, to be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) db: u8,
    pub(super) bytes: Box<[u8]>,
}

impl Name {
    pub(super) fn key(&self) -> Key<'_> {
        Key::new(self.db, &self.bytes)
    }

    /// What its text takes.
    pub(super) fn text_bytes(&self) -> usize {
        self.bytes.len() + TEXT_BYTES
    }
}

/// An access.
pub(super) struct Note {
    pub(super) access: Access,
    /// Of what was not found, that it can be fetched the next time.
    pub(super) name: Option<Name>,
}

/// See the module.
pub(super) struct Ear {
    notes: SyncSender<Note>,
    /// Tells families of keys apart.
    families: RandomState,
    is_open: AtomicBool,
    /// What the texts of names take that wait.
    names_bytes: AtomicUsize,
    lost: AtomicU64,
}

impl Ear {
    /// One that is open, and what it hears.
    pub(super) fn new(families: RandomState) -> (Self, Receiver<Note>) {
        let (notes, heard) = sync_channel(NOTES_MAX);
        let ear = Self {
            notes,
            families,
            is_open: AtomicBool::new(true),
            names_bytes: AtomicUsize::new(0),
            lost: AtomicU64::new(0),
        };
        (ear, heard)
    }

    /// Whether it hears of everything, or of what was not found alone, and nothing but its hash: what becomes of
    /// candidates is to be known at any time.
    pub(super) fn open(&self, is_open: bool) {
        self.is_open.store(is_open, Ordering::Relaxed);
    }

    /// A note with that name waits no more.
    pub(super) fn forget(&self, name: Option<&Name>) {
        if let Some(name) = name {
            self.names_bytes
                .fetch_sub(name.text_bytes(), Ordering::Relaxed);
        }
    }

    /// Passes a note on where there is room for it.
    fn note(&self, note: Note) {
        let text_bytes = note.name.as_ref().map_or(0, Name::text_bytes);
        let before = self.names_bytes.fetch_add(text_bytes, Ordering::Relaxed);
        let is_passed = before + text_bytes <= NAMES_BYTES_MAX && self.notes.try_send(note).is_ok();
        if !is_passed {
            self.names_bytes.fetch_sub(text_bytes, Ordering::Relaxed);
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notes that there was no room for.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Listener for Ear {
    fn hears_hits(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    fn hear(&self, asked: &Asked<'_>) {
        let is_open = self.hears_hits();
        let kind = match asked.what {
            AskedFor::Hit => Kind::Hit,
            AskedFor::Miss => Kind::Miss,
            AskedFor::Kept => Kind::Insert,
        };
        let key = asked.key;
        if key.bytes.len() > KEY_BYTES_MAX || (!is_open && kind != Kind::Miss) {
            return;
        }
        let numbered = Numbered::of(key).filter(|_| is_open && kind != Kind::Insert);
        let access = Access {
            key: asked.hash,
            place: numbered.map(|numbered| numbered.place(&self.families)),
            size_bytes: asked.bytes,
            at_ms: asked.now,
            kind,
        };
        let name = (is_open && kind == Kind::Miss).then(|| Name {
            db: key.db,
            bytes: key.bytes.into(),
        });
        self.note(Note { access, name });
    }
}

/// A key with a number in it, the last there is: `album:7:track:41`, `41.jpg`, `part-0041`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbered<'k> {
    pub(super) db: u8,
    pub(super) before: &'k [u8],
    pub(super) after: &'k [u8],
    pub(super) number: u64,
    /// Digits that it has, where some of them are zeros that lead.
    pub(super) width: usize,
}

impl<'k> Numbered<'k> {
    pub(super) fn of(key: Key<'k>) -> Option<Self> {
        let end = key.bytes.iter().rposition(u8::is_ascii_digit)? + 1;
        let other = key.bytes[..end]
            .iter()
            .rposition(|byte| !byte.is_ascii_digit());
        let start = other.map_or(0, |at| at + 1);
        let digits = &key.bytes[start..end];
        let number = digits
            .iter()
            .take(DIGITS_MAX + 1)
            .fold(0, |number: u64, digit| {
                number.wrapping_mul(10) + u64::from(digit - b'0')
            });
        let is_padded = digits[0] == b'0' && digits.len() > 1;
        (digits.len() <= DIGITS_MAX).then_some(Self {
            db: key.db,
            before: &key.bytes[..start],
            after: &key.bytes[end..],
            number,
            width: if is_padded { digits.len() } else { 0 },
        })
    }

    pub(super) fn place(&self, families: &RandomState) -> Place {
        Place {
            family: families.hash_one((self.db, self.before, self.after, self.width)),
            number: self.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_number_of_a_key_is_its_place_in_a_family() {
        let families = RandomState::new();
        let place = |key: &str| {
            let numbered = Numbered::of(Key::new(0, key.as_bytes()));
            numbered.map(|numbered| numbered.place(&families))
        };
        let number = |key| place(key).map(|place| place.number);
        assert_eq!(number("album:7:track:41"), Some(41));
        assert_eq!(number("41.jpg"), Some(41));
        assert_eq!(number("0"), Some(0));
        assert_eq!(number("user"), None);
        assert_eq!(number(""), None);
        assert_eq!(
            number("1234567890123456789"),
            None,
            "it is no number but a name"
        );
        let family = |key| place(key).map(|place| place.family);
        assert_eq!(family("album:7:track:41"), family("album:7:track:9"));
        assert_ne!(family("album:7:track:41"), family("album:8:track:41"));
        assert_ne!(family("part-07"), family("part-7"));
        let other = Numbered::of(Key::new(1, b"track:1")).unwrap();
        assert_ne!(Some(other.place(&families).family), family("track:1"));
    }

    #[test]
    fn what_has_no_room_is_counted_and_who_hears_little_hears_what_was_not_found() {
        let (ear, heard) = Ear::new(RandomState::new());
        let tell = |what| {
            ear.hear(&Asked {
                what,
                hash: 7,
                key: Key::new(0, b"track:41"),
                bytes: 9,
                now: 5,
            });
        };
        tell(AskedFor::Miss);
        tell(AskedFor::Kept);
        let (miss, kept) = (heard.try_recv().unwrap(), heard.try_recv().unwrap());
        assert_eq!(miss.name.unwrap().key(), Key::new(0, b"track:41"));
        assert_eq!(miss.access.place.map(|place| place.number), Some(41));
        assert_eq!(
            (kept.access.kind, kept.access.size_bytes),
            (Kind::Insert, 9)
        );
        assert!(kept.name.is_none());

        ear.open(false);
        tell(AskedFor::Kept);
        tell(AskedFor::Miss);
        let miss = heard.try_recv().unwrap();
        assert!(miss.name.is_none() && miss.access.place.is_none());
        assert!(heard.try_recv().is_err());

        (0..NOTES_MAX + 5).for_each(|_| tell(AskedFor::Miss));
        assert_eq!(ear.lost(), 5);
    }

    #[test]
    fn names_that_wait_have_a_bound_of_bytes() {
        let (ear, heard) = Ear::new(RandomState::new());
        let tell = |_| {
            ear.hear(&Asked {
                what: AskedFor::Miss,
                hash: 7,
                key: Key::new(0, &[b'k'; KEY_BYTES_MAX]),
                bytes: 9,
                now: 5,
            });
        };
        let fit = NAMES_BYTES_MAX / (KEY_BYTES_MAX + TEXT_BYTES);
        (0..fit + 5).for_each(tell);
        assert_eq!(ear.lost(), 5);
        ear.forget(heard.try_recv().unwrap().name.as_ref());
        (0..2).for_each(tell);
        assert_eq!((heard.try_iter().count(), ear.lost()), (fit, 6));
    }
}
