//! One record, written and read.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use larder_engine::tier::{Stored, TierKey};

use super::dictionary::Dictionary;
use super::figures::Why;
use super::header::{Header, Packing};
use super::kind::{Choice, Kind};
use super::packer::{Method, Packed};
use super::xaes::NONCE_BYTES;
use super::{Codec, Damage, Handling};

/// What was written of a record that may have to be sealed.
pub(super) struct Written {
    /// Where the content begins.
    pub(super) content_start: usize,
    /// What it was compressed with.
    pub(super) dictionary: Option<Arc<Dictionary>>,
}

impl Codec {
    /// Writes header and content, compressed if that pays.
    pub(super) fn write(
        &self,
        mut header: Header,
        kind: &Kind,
        content: &[u8],
        handling: Handling,
        out: &mut Vec<u8>,
    ) -> Written {
        let start = out.len();
        let choice = match self.settings.compress {
            true => kind.choose(content.len(), handling),
            false => Choice::Leave(Why::Off),
        };
        let why = match choice {
            Choice::Leave(why) => why,
            choice => {
                header.packing = packing(&choice);
                let content_start = begin(&header, out);
                if self.pack(&choice, kind, content, handling.is_portable, out) {
                    let dictionary = match choice {
                        Choice::Dictionary(dictionary) => Some(dictionary),
                        _ => None,
                    };
                    return Written {
                        content_start,
                        dictionary,
                    };
                }
                out.truncate(start);
                Why::InVain
            }
        };
        header.packing = Packing::Plain;
        let content_start = begin(&header, out);
        out.extend_from_slice(content);
        kind.counters.leave(why, content.len());
        Written {
            content_start,
            dictionary: None,
        }
    }

    /// Appends the content compressed, where that saves a sixteenth.
    fn pack(
        &self,
        choice: &Choice,
        kind: &Kind,
        content: &[u8],
        is_portable: bool,
        out: &mut Vec<u8>,
    ) -> bool {
        let start = out.len();
        let bytes_max = content.len() - content.len() / 16;
        let (method, counter, id_bytes) = match choice {
            Choice::Leave(_) => return false,
            Choice::Zstd(level) | Choice::Contest(level) => {
                (Method::Zstd(*level), &kind.counters.zstd, 0)
            }
            Choice::Dictionary(dictionary) => {
                (Method::Dictionary(dictionary), &kind.counters.dictionary, 4)
            }
            Choice::Lz4 => (Method::Lz4, &kind.counters.lz4, 0),
        };
        let is_packed = self.packer.pack(method, content, out, bytes_max - id_bytes);
        let left = match is_packed {
            true => out.len() - start,
            false => content.len(),
        };
        kind.tell(content.len(), left, is_portable);
        if let Choice::Contest(_) = choice {
            let mut rival = Vec::new();
            self.packer
                .pack(Method::Lz4, content, &mut rival, content.len());
            let rival_left = if rival.is_empty() {
                content.len()
            } else {
                rival.len()
            };
            kind.tell_contest(content.len(), left, rival_left);
        }
        if is_packed {
            counter.add(content.len(), left);
        }
        is_packed
    }

    /// What a record holds.
    pub(super) fn read(&self, key: TierKey<'_>, record: &[u8]) -> Result<Stored, Damage> {
        let (header, rest) = Header::read(record)?;
        let bytes = header.content_bytes();
        if bytes > self.settings.content_bytes_max as u64 {
            return Err(Damage::TooLarge(bytes));
        }
        let dictionary;
        let how = match header.packing {
            Packing::Plain => Packed::Plain,
            Packing::Zstd => Packed::Zstd,
            Packing::Lz4 => Packed::Lz4,
            Packing::Dictionary(id) => {
                let known = self.dictionaries.get(id);
                dictionary = known.ok_or(Damage::UnknownDictionary(id))?;
                Packed::Dictionary(&dictionary)
            }
        };
        let packed = match header.sealed_under {
            None if self.is_to_be_sealed(header.is_marked) => return Err(Damage::Unsealed),
            None => Cow::Borrowed(rest),
            Some(id) => {
                let header = &record[..record.len() - rest.len()];
                let dictionary = match how {
                    Packed::Dictionary(dictionary) => Some(dictionary),
                    _ => None,
                };
                let opened = self.sealer.open(key, id, (header, dictionary), rest)?;
                self.counters.opened.fetch_add(1, Ordering::Relaxed);
                Cow::Owned(opened)
            }
        };
        let content = self.packer.unpack(how, packed, bytes as usize);
        let mut value = content.ok_or(Damage::Unpackable)?;
        let note = value.split_off(header.value_bytes as usize);
        Ok(Stored {
            value: value.into(),
            expires_at: header.expires_at,
            priority: header.priority,
            note: note.into(),
            ..Stored::default()
        })
    }
}

fn packing(choice: &Choice) -> Packing {
    match choice {
        Choice::Leave(_) => Packing::Plain,
        Choice::Zstd(_) | Choice::Contest(_) => Packing::Zstd,
        Choice::Dictionary(dictionary) => Packing::Dictionary(dictionary.id()),
        Choice::Lz4 => Packing::Lz4,
    }
}

/// Appends the header, and room for the nonce of a record that will be sealed; where the content begins.
pub(super) fn begin(header: &Header, out: &mut Vec<u8>) -> usize {
    header.write(out);
    if header.sealed_under.is_some() {
        out.extend_from_slice(&[0; NONCE_BYTES]);
    }
    out.len()
}
