//! The memory that the host writes into before a call.
//!
//! The address leaves through [`buffer`], so whatever the host writes between two calls is seen by
//! the next: to the compiler the host is a caller that was handed the pointer and uses it while
//! nothing here is borrowed. During a call the host writes nothing, so that reading through a
//! shared borrow is sound.

use std::cell::RefCell;

/// Alignment that the contract asks for.
const ALIGNMENT: usize = 8;

struct Buffer {
    memory: Vec<u8>,
    /// Where the aligned part begins.
    start: usize,
}

thread_local! {
    static BUFFER: RefCell<Buffer> = const {
        RefCell::new(Buffer { memory: Vec::new(), start: 0 })
    };
}

/// Where `bytes` can be written, 0 where there is no room for them. The address stays the same
/// until more is asked for than ever before.
pub fn buffer(bytes: u32) -> u32 {
    BUFFER.with_borrow_mut(|buffer| {
        let wanted = (bytes as usize).max(1);
        if wanted > buffer.memory.len() - buffer.start && !buffer.grow(wanted) {
            return 0;
        }
        buffer.memory[buffer.start..]
            .as_mut_ptr()
            .expose_provenance() as u32
    })
}

impl Buffer {
    fn grow(&mut self, wanted: usize) -> bool {
        // The old one goes first, so that there are never two.
        self.memory = Vec::new();
        self.start = 0;
        let Some(whole) = wanted.checked_add(ALIGNMENT - 1) else {
            return false;
        };
        if self.memory.try_reserve_exact(whole).is_err() {
            return false;
        }
        self.memory.resize(whole, 0);
        self.start = self.memory.as_ptr().align_offset(ALIGNMENT);
        self.memory.truncate(self.start + wanted);
        true
    }
}

/// Hands the first `bytes` of what the host wrote to `reader`; less, where it never asked for room
/// for as many.
pub(super) fn read<R>(bytes: u32, reader: impl FnOnce(&[u8]) -> R) -> R {
    BUFFER.with_borrow(|buffer| {
        let written = &buffer.memory[buffer.start..];
        reader(&written[..written.len().min(bytes as usize)])
    })
}
