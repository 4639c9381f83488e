//! Keys that may be asked for soon, and what speaks for them.

/// How a candidate was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It comes next in a family whose keys are asked for one after another.
    Sequence,
    /// It followed what was just asked for, earlier.
    Follows,
    /// Its own rhythm says that it is due.
    Due,
    /// The walk over all keys came by.
    Walk,
}

impl Source {
    /// Kinds of them.
    pub(crate) const COUNT: usize = 4;

    /// What stands for it among the features: higher where more is known.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Walk => 0,
            Self::Due => 1,
            Self::Follows => 2,
            Self::Sequence => 3,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Follows => "follows",
            Self::Due => "due",
            Self::Walk => "walk",
        }
    }
}

/// A key that may be asked for soon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) key: u64,
    pub(crate) source: Source,
    /// How long it has been right: steps of the sequence, requests around the trigger that were the
    /// same before, gaps of a rhythm.
    pub(crate) run: f32,
    /// How often it came true, 0 to 1.
    pub(crate) support: f32,
    /// How far ahead it is, in steps or requests.
    pub(crate) ahead: f32,
    /// Whether it was drawn at random, whatever speaks for it.
    pub(crate) is_drawn: bool,
    /// Its size, where nothing is known of it itself.
    pub(crate) size_bytes: u32,
}
