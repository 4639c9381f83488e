//! The form in which entries leave the process: header, compressed, sealed. One place, for every tier.
//!
//! ```text
//! plain   header ‖ content                            content: value ‖ note, compressed or as they are
//! sealed  header ‖ nonce (24) ‖ content, encrypted ‖ tag (16)
//! ```
//!
//! A seal proves content and header, the dictionary that it was compressed with, and that the record stands where it was
//! written: tenant, database and key. It does
//! not prove that a record is the latest of its key. A record that is not sealed has no checksum of its own:
//! a tier that may lose or change bytes has to see to that, as the disk does. [`Codec::decode`] takes any bytes all
//! the same: it allocates no more than twice the record and [`Settings::content_bytes_max`] together, and what is
//! no record is a [`Damage`].

mod census;
mod damage;
mod dictionary;
mod figures;
mod header;
mod id;
mod key_ring;
mod kind;
mod memory;
mod packer;
mod pool;
mod record;
mod samples;
mod sealer;
mod sniff;
mod standing;
mod xaes;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_engine::LABEL_NOTE_BYTES_MAX;
use larder_engine::tier::{Stored, TierKey};

pub use census::{Census, Named};
pub use damage::{Damage, Refusal};
pub use dictionary::Dictionaries;
pub use figures::{Figures, Flow, KindFigures, LeftAlone};
pub use id::{DictionaryId, KeyId};
pub use key_ring::{KEYS_MAX, KeyEntry, KeyRing, Problem, RingError};

use figures::SealCounters;
use header::Header;
use kind::{Kind, Kinds};
use packer::Packer;
use sealer::Sealer;
use xaes::Xaes;

/// What is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encrypt {
    /// Every record; what is not sealed is not read.
    All,
    /// What is marked.
    Marked,
    /// Nothing; what is marked gets no record.
    None,
}

/// How often an entry is likely to be read from the tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heat {
    /// Seldom: it was evicted.
    Cold,
    /// Nobody knows: it was written just now.
    Warm,
    /// Often.
    Hot,
}

/// How a record stands to the one that its entry would have now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// It stays as it is, also where it cannot be read at the moment.
    Current,
    /// It is sealed under a key that is not the active one any more: it should be written anew.
    Outdated,
    /// It is not sealed as it has to be by now, so it will not be read again.
    Void,
}

/// What there is to know of an entry beside what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handling {
    /// Whether it may leave the process only sealed.
    pub is_marked: bool,
    /// How often it is likely to be read.
    pub heat: Heat,
    /// Whether it is also for those who lack the dictionaries that are kept here.
    pub is_portable: bool,
}

/// Finds the type of a value in its entry's note, whose form is the business of whoever writes it.
pub type DataTypeOf = fn(note: &[u8]) -> Option<&[u8]>;

/// How records are made and read.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whether to compress where it pays.
    pub compress: bool,
    /// What is sealed.
    pub encrypt: Encrypt,
    /// Bytes that value and note of an entry may have together, below 4 GiB.
    pub content_bytes_max: usize,
    /// Finds types.
    pub data_type_of: DataTypeOf,
    /// Which values dictionaries are trained from, out of those that were seen.
    pub seed: u64,
    /// How many tenants there are: each has an equal share of what is kept of dictionaries and of what they are trained from.
    pub tenants: usize,
}

/// Makes records of entries, and entries of records.
pub struct Codec {
    settings: Settings,
    sealer: Sealer,
    packer: Packer,
    kinds: Kinds,
    dictionaries: Dictionaries,
    counters: SealCounters,
}

impl Codec {
    /// A codec with a key ring, where there is one, and the dictionaries that records name.
    pub fn new(settings: Settings, ring: Option<KeyRing>, dictionaries: Dictionaries) -> Self {
        Self {
            kinds: Kinds::new(settings.seed, settings.tenants),
            settings,
            sealer: Sealer::new(ring),
            packer: Packer::default(),
            dictionaries,
            counters: SealCounters::default(),
        }
    }

    /// Appends the record of an entry: never more than the entry, its header and what its seal takes.
    ///
    /// # Errors
    /// When it is too long, or has to be sealed and cannot be; `out` is as before then.
    pub fn encode(
        &self,
        key: TierKey<'_>,
        stored: &Stored,
        handling: Handling,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let (value, note) = (&*stored.value, &*stored.note);
        let bytes_max = self.settings.content_bytes_max.min(u32::MAX as usize);
        let bytes = value.len() + note.len();
        if bytes > bytes_max || note.len() > LABEL_NOTE_BYTES_MAX {
            return Err(Refusal::TooLarge(bytes, bytes_max));
        }
        let cipher = match self.is_to_be_sealed(handling.is_marked) {
            true => Some(self.cipher(key.tenant)?),
            false => None,
        };
        let said = (self.settings.data_type_of)(note);
        let kind = self.kinds.of(key.tenant, said, value, &self.dictionaries);
        let content = match note {
            [] => Cow::Borrowed(value),
            note => Cow::Owned([value, note].concat()),
        };
        if cipher.is_none() && self.settings.compress && !handling.is_portable {
            kind.offer(&content);
        }
        let start = out.len();
        let header = Header::of(
            stored,
            handling.is_marked,
            cipher.as_ref().map(|(id, _)| *id),
        );
        let written = self.write(header, &kind, &content, handling, out);
        if let Some((_, cipher)) = cipher {
            let sealed = sealer::seal(&cipher, key, out, start, &written);
            sealed.inspect_err(|_| out.truncate(start))?;
            self.counters.sealed.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// The entry of a record.
    ///
    /// # Errors
    /// When the bytes are not what [`Self::encode`] made for this key. They count as absent then.
    pub fn decode(&self, key: TierKey<'_>, record: &[u8]) -> Result<Stored, Damage> {
        let read = self.read(key, record);
        read.map_err(|damage| self.damaged(damage))
    }

    /// Counts it.
    fn damaged(&self, damage: Damage) -> Damage {
        self.counters.damaged[damage.kind()].fetch_add(1, Ordering::Relaxed);
        damage
    }

    /// How a record stands to the one that its entry would have now. It looks at the header alone.
    pub fn form(&self, record: &[u8]) -> Form {
        let Ok((header, _)) = Header::read(record) else {
            return Form::Current;
        };
        match header.sealed_under {
            None if self.is_to_be_sealed(header.is_marked) => Form::Void,
            Some(id) if self.sealer.is_old(id) => Form::Outdated,
            _ => Form::Current,
        }
    }

    /// Bytes that value and note of a record have, by its header; 0 where it is none.
    pub fn content_bytes(record: &[u8]) -> u64 {
        Header::read(record).map_or(0, |(header, _)| header.content_bytes())
    }

    /// What may be told of the keys in force, in the order in which they were made.
    pub fn keys(&self) -> Vec<KeyEntry> {
        self.sealer.keys()
    }

    /// Bytes of memory that dictionaries and samples take.
    pub fn memory_bytes(&self) -> usize {
        self.dictionaries.figures().1 + self.kinds.sample_bytes()
    }

    /// Another key ring in the place of the one before, from the next record on.
    pub fn replace_ring(&self, ring: Option<KeyRing>) {
        self.sealer.replace(ring);
    }

    /// Trains dictionaries from the values that were seen, where they are better than none; how many. This takes a
    /// tenth of a second each, so it is for a thread with time.
    pub fn train(&self) -> usize {
        let kinds = self.kinds.all();
        let tenants = self.settings.tenants;
        let trained = |kind: &&Arc<Kind>| kind.train(&self.packer, &self.dictionaries, tenants);
        kinds.iter().filter(trained).count()
    }

    /// Whether there are dictionaries that nothing is compressed with any more.
    pub fn has_old_dictionaries(&self) -> bool {
        self.dictionaries.has_old()
    }

    /// Forgets dictionaries that no record names any more; how many.
    pub fn retire_dictionaries(&self, is_named: impl Fn(DictionaryId) -> bool) -> usize {
        self.dictionaries.retire(is_named)
    }

    /// What it did.
    pub fn figures(&self) -> Figures {
        let (dictionaries, dictionary_bytes) = self.dictionaries.figures();
        let kinds = self.kinds.all();
        let mut figures = Figures {
            kinds: kinds.iter().map(|kind| kind.figures()).collect(),
            dictionaries,
            memory_bytes: dictionary_bytes + self.kinds.sample_bytes(),
            ..Figures::default()
        };
        self.counters.fill(&mut figures);
        figures
    }

    fn is_to_be_sealed(&self, is_marked: bool) -> bool {
        // What is marked never leaves open, whatever else is said.
        is_marked || self.settings.encrypt == Encrypt::All
    }

    fn cipher(&self, tenant: &str) -> Result<(KeyId, Arc<Xaes>), Refusal> {
        match self.settings.encrypt {
            Encrypt::None => None,
            Encrypt::All | Encrypt::Marked => self.sealer.active_cipher(tenant),
        }
        .ok_or(Refusal::NoKey)
    }
}

#[cfg(test)]
mod tests;
