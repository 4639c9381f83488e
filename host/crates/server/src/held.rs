//! What a connection keeps between two polls: the request it has read half of and the replies that its
//! client has not taken yet. Both are empty, and cost nothing, while the client keeps up.

use std::sync::Arc;

use crate::budget::{Budget, BuffersFull, Charge};
use crate::clients::Buffers;

/// Room that is made for input at once, at least; also the least that a request is grown by.
const INPUT_STEP_BYTES: usize = 16 << 10;
/// Unsent output longer than this is taken over with its buffer instead of being copied.
const COPY_BYTES_MAX: usize = 64 << 10;

/// Buffers of one connection, charged to the [`Budget`] by capacity.
pub(crate) struct Held {
    charge: Charge,
    input: Vec<u8>,
    input_at: usize,
    output: Vec<u8>,
    output_at: usize,
    /// What the connection holds beside its buffers.
    beside_bytes: usize,
}

impl Held {
    pub(crate) fn new(budget: Arc<Budget>) -> Self {
        Self {
            charge: Charge::none(budget),
            input: Vec::new(),
            input_at: 0,
            output: Vec::new(),
            output_at: 0,
            beside_bytes: 0,
        }
    }

    /// Has another party pay for all of it, from now on.
    pub(crate) fn pay_from(&mut self, budget: &Arc<Budget>) -> Result<(), BuffersFull> {
        self.charge.pay_from(budget)
    }

    /// Pays for what the connection holds beside its buffers, until this is called again or it ends;
    /// where that fails it has to end.
    pub(crate) fn hold_beside(&mut self, bytes: usize) -> Result<(), BuffersFull> {
        if bytes == self.beside_bytes {
            return Ok(());
        }
        self.beside_bytes = bytes;
        self.charge(self.input.capacity(), self.output.capacity())?;
        self.release();
        Ok(())
    }

    /// Input that is not executed yet.
    pub(crate) fn input(&self) -> &[u8] {
        &self.input[self.input_at..]
    }

    /// Keeps input that was read elsewhere. Only right while no input is held.
    pub(crate) fn keep_input(&mut self, rest: &[u8]) -> Result<(), BuffersFull> {
        debug_assert!(self.input.is_empty());
        if rest.is_empty() {
            return Ok(());
        }
        self.charge(rest.len(), self.output.capacity())?;
        self.input = rest.to_vec();
        Ok(())
    }

    /// Makes room to read more of the held input, if there is some, given that `needed_bytes` of it would
    /// help and that the parser holds `parser_bytes` about it. Memory follows what has really arrived: what
    /// a client claims at most doubles it.
    pub(crate) fn make_room(
        &mut self,
        needed_bytes: usize,
        parser_bytes: usize,
    ) -> Result<(), BuffersFull> {
        if self.input.is_empty() {
            return Ok(());
        }
        self.input.drain(..self.input_at);
        self.input_at = 0;
        let len = self.input.len();
        let least = needed_bytes.max(len + INPUT_STEP_BYTES / 4);
        let wanted = least.min((2 * len).max(len + INPUT_STEP_BYTES));
        let capacity = self.input.capacity().max(wanted);
        // While it moves it is there twice.
        let moving = if capacity > self.input.capacity() {
            self.input.capacity()
        } else {
            0
        };
        self.charge(capacity + parser_bytes + moving, self.output.capacity())?;
        self.input.reserve_exact(capacity - len);
        self.charge
            .shrink_to(self.charge.bytes().saturating_sub(moving));
        Ok(())
    }

    /// Where to read more of the held input to, if there is some.
    pub(crate) fn input_buffer(&mut self) -> Option<&mut Vec<u8>> {
        if self.input.is_empty() {
            None
        } else {
            Some(&mut self.input)
        }
    }

    /// Forgets `bytes` of the held input; frees the buffer with the last of them.
    pub(crate) fn executed(&mut self, bytes: usize) {
        self.input_at += bytes;
        if self.input_at == self.input.len() {
            self.drop_input();
        }
    }

    /// Frees the held input, executed or not.
    pub(crate) fn drop_input(&mut self) {
        self.input = Vec::new();
        self.input_at = 0;
        self.release();
    }

    /// Output that the client has not taken yet.
    pub(crate) fn output(&self) -> &[u8] {
        &self.output[self.output_at..]
    }

    /// Keeps what follows the first `sent` bytes of `out`. Only right while no output is held.
    pub(crate) fn keep_output(
        &mut self,
        out: &mut Vec<u8>,
        sent: usize,
    ) -> Result<(), BuffersFull> {
        debug_assert!(self.output.is_empty());
        let rest_bytes = out.len() - sent;
        if rest_bytes <= COPY_BYTES_MAX {
            self.charge(self.input.capacity(), rest_bytes)?;
            self.output = out[sent..].to_vec();
        } else {
            self.charge(self.input.capacity(), out.capacity())?;
            self.output = std::mem::take(out);
            self.output_at = sent;
        }
        Ok(())
    }

    /// Forgets `bytes` of the held output; frees the buffer with the last of them.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.output_at += bytes;
        if self.output_at == self.output.len() {
            self.output = Vec::new();
            self.output_at = 0;
            self.release();
        }
    }

    /// What is held, for others to see.
    pub(crate) fn buffers(&self) -> Buffers {
        let input = self.input().len();
        Buffers {
            input,
            input_free: self.input.capacity() - input,
            output: self.output.capacity(),
        }
    }

    /// Pays for buffers of these capacities, before they are allocated.
    fn charge(&mut self, input_bytes: usize, output_bytes: usize) -> Result<(), BuffersFull> {
        let wanted = self.beside_bytes + input_bytes + output_bytes;
        self.charge.grow_to(wanted)
    }

    /// Gives back what freed buffers were charged.
    fn release(&mut self) {
        let kept = self.beside_bytes + self.input.capacity() + self.output.capacity();
        self.charge.shrink_to(kept);
    }
}

#[cfg(test)]
mod tests;
