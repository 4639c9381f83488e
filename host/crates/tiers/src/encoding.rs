//! What becomes of values on their way out of the process and back.

use larder_engine::LABEL_NOTE_BYTES_MAX;
use larder_engine::tier::{Stored, TierKey};

use crate::codec::{Form, Heat, Named};

/// Gives entries the form in which they lie in a tier. The tier's checksums are over that form, so it may be anything that
/// its own decoding understands.
pub trait Encoding: Send + Sync + 'static {
    /// The form's name and version. A folder that was written in another one begins anew.
    fn name(&self) -> &'static str;

    /// Appends an entry's form to `out`. `heat` is how often it is likely to be read.
    ///
    /// # Errors
    /// Why it cannot be kept, in a sentence; what is behind the old end of `out` is cut off.
    fn encode(
        &self,
        key: TierKey<'_>,
        stored: &Stored,
        heat: Heat,
        out: &mut Vec<u8>,
    ) -> Result<(), String>;

    /// The entry that has this form.
    ///
    /// # Errors
    /// Why it is none that was written under this key, in a sentence.
    fn decode(&self, key: TierKey<'_>, bytes: &[u8]) -> Result<Stored, String>;

    /// How a form stands to the one that its entry would have now.
    fn form(&self, bytes: &[u8]) -> Form {
        let _ = bytes;
        Form::Current
    }

    /// What a form cannot be read without.
    fn named(&self, bytes: &[u8]) -> Named {
        let _ = bytes;
        Named::default()
    }

    /// About how many bytes the entry of a form has.
    fn entry_bytes(&self, bytes: &[u8]) -> u64 {
        bytes.len() as u64
    }

    /// Bytes of memory that making and reading forms takes.
    fn memory_bytes(&self) -> u64 {
        0
    }
}

/// As it is: expiry, bytes of the note, priority, note and value.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl Encoding for Plain {
    fn name(&self) -> &'static str {
        "plain 1"
    }

    fn encode(
        &self,
        _: TierKey<'_>,
        stored: &Stored,
        _: Heat,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        if stored.note.len() > LABEL_NOTE_BYTES_MAX {
            return Err(format!("a note of {} bytes is too long", stored.note.len()));
        }
        out.extend_from_slice(&stored.expires_at.unwrap_or(0).to_le_bytes());
        out.extend_from_slice(&(stored.note.len() as u32).to_le_bytes());
        out.push(stored.priority);
        out.extend_from_slice(&stored.note);
        out.extend_from_slice(&stored.value);
        Ok(())
    }

    fn decode(&self, _: TierKey<'_>, bytes: &[u8]) -> Result<Stored, String> {
        const CUT: &str = "it is cut short";
        let (expiry, rest) = bytes.split_first_chunk().ok_or(CUT)?;
        let (note_bytes, rest) = rest.split_first_chunk().ok_or(CUT)?;
        let (priority, rest) = rest.split_first().ok_or(CUT)?;
        let note_bytes = u32::from_le_bytes(*note_bytes) as usize;
        let (note, value) = rest
            .split_at_checked(note_bytes)
            .ok_or("its note is cut short")?;
        Ok(Stored {
            value: value.into(),
            expires_at: Some(u64::from_le_bytes(*expiry)).filter(|expiry| *expiry != 0),
            priority: *priority,
            note: note.into(),
            ..Stored::default()
        })
    }
}
