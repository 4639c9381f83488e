//! What a client says of a value, as it is kept with the entry: one item after the other, each its kind
//! in a byte, its length in two, and its bytes. Tags come first, behind the engine's stamp.

use larder_engine::loader::Fetched;
use larder_engine::tags::{STAMP_PART, TAG_PART, UNSTAMPED};

/// One thing that a client said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item<'a> {
    Type(&'a [u8]),
    Tag(&'a [u8]),
    CostMs(u64),
    Attribute(&'a [u8], &'a [u8]),
    /// It is nobody's to see but its readers'.
    Secret,
}

const TYPE: u8 = 1;
const COST: u8 = 3;
const NAME: u8 = 4;
const VALUE: u8 = 5;
const SECRET: u8 = 6;

/// A note that says that its value is secret and nothing else; it may be the end of another.
pub const SECRET_NOTE: &[u8] = &[SECRET, 0, 0];

/// A note as its client sent it and, in the same bytes, as it is where a policy finds that its value is secret.
#[derive(Debug, Clone, Copy)]
pub(super) struct Note<'a> {
    marked: &'a [u8],
    said_bytes: usize,
}

impl Default for Note<'_> {
    fn default() -> Self {
        Self {
            marked: SECRET_NOTE,
            said_bytes: 0,
        }
    }
}

impl<'a> Note<'a> {
    /// Of the bytes that `note` has; it is marked there from now on.
    pub(super) fn new(note: &'a mut Vec<u8>) -> Self {
        let said_bytes = note.len();
        if !is_secret(note) {
            note.extend_from_slice(SECRET_NOTE);
        }
        Self {
            marked: note,
            said_bytes,
        }
    }

    /// As its client sent it.
    pub(super) fn said(self) -> &'a [u8] {
        &self.marked[..self.said_bytes]
    }

    /// Saying that the value is secret.
    pub(super) fn marked(self) -> &'a [u8] {
        self.marked
    }
}

/// Longer parts are refused before they come here.
pub(super) const PART_BYTES_MAX: usize = u16::MAX as usize;

/// The note of a value that a loader has brought.
pub fn note_of_loaded(fetched: &Fetched) -> Vec<u8> {
    let mut note = Vec::new();
    let tags = fetched.tags.iter().map(|tag| Item::Tag(tag));
    let data_type = fetched.data_type.as_ref();
    let data_type = data_type.map(|name| Item::Type(name.as_bytes()));
    tags.chain(data_type).for_each(|item| push(&mut note, item));
    note
}

/// Appends an item; tags have to come before all others.
pub(super) fn push(note: &mut Vec<u8>, item: Item<'_>) {
    if note.is_empty() && matches!(item, Item::Tag(_)) {
        note.extend_from_slice(&UNSTAMPED);
    }
    match item {
        Item::Type(name) => part(note, TYPE, name),
        Item::Tag(tag) => part(note, TAG_PART, tag),
        Item::CostMs(cost_ms) => part(note, COST, &cost_ms.to_le_bytes()),
        Item::Attribute(name, value) => {
            part(note, NAME, name);
            part(note, VALUE, value);
        }
        Item::Secret => part(note, SECRET, &[]),
    }
}

fn part(note: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    note.push(kind);
    note.extend_from_slice(&len.to_le_bytes());
    note.extend_from_slice(&bytes[..usize::from(len)]);
}

/// The items of a note; what is no item ends them.
pub(crate) fn items(note: &[u8]) -> impl Iterator<Item = Item<'_>> {
    let mut rest = note;
    std::iter::from_fn(move || {
        let mut part = next_part(&mut rest)?;
        if part.0 == STAMP_PART {
            part = next_part(&mut rest)?;
        }
        let (kind, bytes) = part;
        match kind {
            TYPE => Some(Item::Type(bytes)),
            TAG_PART => Some(Item::Tag(bytes)),
            COST => Some(Item::CostMs(u64::from_le_bytes(bytes.try_into().ok()?))),
            NAME => match next_part(&mut rest)? {
                (VALUE, value) => Some(Item::Attribute(bytes, value)),
                _ => None,
            },
            SECRET => Some(Item::Secret),
            _ => None,
        }
    })
}

/// Whether a note says that its value may leave the process only sealed.
pub fn is_secret(note: &[u8]) -> bool {
    items(note).any(|item| item == Item::Secret)
}

/// The type of a note's value, where its client has named one.
pub fn data_type(note: &[u8]) -> Option<&[u8]> {
    items(note).find_map(|item| match item {
        Item::Type(name) => Some(name),
        _ => None,
    })
}

fn next_part<'a>(rest: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&[kind, low, high], behind) = rest.split_first_chunk()?;
    let (bytes, behind) = behind.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
    *rest = behind;
    Some((kind, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_come_back_as_they_went_in() {
        let long = vec![7; PART_BYTES_MAX];
        let given = [
            Item::Tag(b"a"),
            Item::Tag(&long),
            Item::Attribute(b"name", b""),
            Item::Type(b"json"),
            Item::CostMs(u64::MAX),
            Item::Secret,
        ];
        let mut note = Vec::new();
        given.iter().for_each(|item| push(&mut note, *item));
        assert!(items(&note).eq(given));
        assert!(is_secret(&note) && !is_secret(&note[..20]) && !is_secret(b""));
        assert_eq!(data_type(&note), Some(&b"json"[..]));
        let said = note.clone();
        let both = Note::new(&mut note);
        assert_eq!(
            (both.said(), both.marked()),
            (&*said, &*said),
            "it is marked"
        );
        let mut plain = note_of_loaded(&Fetched {
            data_type: Some("t".into()),
            ..Fetched::default()
        });
        let said = plain.clone();
        let both = Note::new(&mut plain);
        assert!(both.said() == said && !is_secret(both.said()) && is_secret(both.marked()));
        assert_eq!(data_type(both.marked()), Some(&b"t"[..]));
        let none = Note::default();
        assert!(none.said().is_empty() && is_secret(none.marked()));
        assert_eq!(data_type(&note[..4]), None);
        for len in 0..40 {
            assert!(items(&note[..len]).count() <= given.len());
        }
    }

    #[test]
    fn what_a_loader_says_is_as_if_a_client_had_said_it() {
        let fetched = Fetched {
            data_type: Some("t".into()),
            tags: vec![b"a".as_slice().into(), b"b".as_slice().into()],
            ..Fetched::default()
        };
        let note = note_of_loaded(&fetched);
        assert!(note.starts_with(&UNSTAMPED));
        let expected = [Item::Tag(b"a"), Item::Tag(b"b"), Item::Type(b"t")];
        assert!(items(&note).eq(expected));
        assert!(note_of_loaded(&Fetched::default()).is_empty());
    }
}
