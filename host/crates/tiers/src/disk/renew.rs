//! Records that are taken up again: copied to the end of the log, in the form that they would have now.

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use larder_engine::tier::{TierError, TierKey};

use super::log::Log;
use super::place::Place;
use super::record::{self, HEAD_BYTES, Head};
use super::segment::Segment;
use crate::codec::{Form, Heat};

impl Log {
    /// Reads a record to the end of the buffer, without its tail. One that is damaged is counted and leaves nothing there.
    ///
    /// # Errors
    /// When the disk does not give it; that leaves nothing there, either.
    pub(super) fn lift(
        &mut self,
        segment: &Segment,
        place: Place,
    ) -> Result<Option<Head>, TierError> {
        let start = self.buffer.len();
        self.buffer.resize(start + place.bytes() as usize, 0);
        let record = &mut self.buffer[start..];
        let head = match segment.file.read_at(record, place.offset()) {
            Ok(()) => {
                let seed = segment.seed(place.offset());
                Head::read(record, seed).filter(|_| record::is_intact(record, seed))
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => {
                self.buffer.truncate(start);
                return Err(self.shared.failed("read", &error));
            }
        };
        if head.is_none() {
            self.shared.damaged.fetch_add(1, Relaxed);
        }
        let body_bytes = head.map_or(0, |head| {
            HEAD_BYTES + (head.key_bytes + head.payload_bytes) as usize
        });
        self.buffer.truncate(start + body_bytes);
        Ok(head)
    }

    /// The payload of a record that was lifted to `start`.
    pub(super) fn payload(&self, start: usize, head: &Head) -> &[u8] {
        &self.buffer[start + HEAD_BYTES + head.key_bytes as usize..]
    }

    /// How a record that was lifted to `start` from that place stands to the form that it would have now. One that was
    /// cleared is not read again.
    pub(super) fn form(&self, start: usize, head: &Head, segment: &Segment, place: Place) -> Form {
        let key = &self.buffer[start + HEAD_BYTES..][..head.key_bytes as usize];
        match self.shared.is_cleared(head.space, key, segment, place) {
            true => Form::Void,
            false => self.encoding.form(self.payload(start, head)),
        }
    }

    /// Gives a record that was lifted to `start` the form that it would have now. One that cannot be read stays as it is.
    pub(super) fn renew(&mut self, start: usize, head: &mut Head, place: Place) {
        let Some((tenant, db)) = self.shared.spaces.read().owner(head.space) else {
            return;
        };
        let payload_at = start + HEAD_BYTES + head.key_bytes as usize;
        let payload = self.buffer.split_off(payload_at);
        let key_bytes = self.buffer[start + HEAD_BYTES..].to_vec();
        let key = TierKey {
            tenant: &tenant,
            db,
            bytes: &key_bytes,
        };
        let heat = match place.is_touched() {
            true => Heat::Hot,
            false => Heat::Cold,
        };
        let decoded = self.encoding.decode(key, &payload);
        let renewed =
            decoded.and_then(|stored| self.encoding.encode(key, &stored, heat, &mut self.buffer));
        if renewed.is_err() {
            self.buffer.truncate(payload_at);
            self.buffer.extend_from_slice(&payload);
        }
        head.payload_bytes = (self.buffer.len() - payload_at) as u32;
    }
}
