//! Messages on their way to a connection: put in by any thread, taken out by the connection's own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use larder_engine::glob::PATTERN_BYTES_MAX;
use larder_resp::{Reply, Version};

use crate::budget::{Budget, BuffersFull, Charge};

/// Bytes that may wait for one connection; one that lags further behind is cut off, as in Redis.
pub(crate) const MAIL_BYTES_MAX: usize = 32 << 20;
/// Room for mail is made in steps of at least this.
const STEP_BYTES: usize = 1024;
/// What a message has beside channel and payload: a pattern, lengths, what it is.
const FRAME_BYTES_MAX: usize = PATTERN_BYTES_MAX + 128;

/// Bytes of channel and payload that a listener can be sent for whom nothing else waits, where so many fit into one
/// reply and `budget` pays.
pub(crate) fn letter_bytes_max(output_bytes_max: usize, budget: &Budget) -> usize {
    // Room is made in powers of two.
    let paid_for = budget.bytes_max() / 2;
    let bytes_max = MAIL_BYTES_MAX.min(output_bytes_max).min(paid_for);
    bytes_max.saturating_sub(FRAME_BYTES_MAX)
}

/// See the module. What waits is paid for from the clients' buffers.
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
}

struct Inner {
    version: Version,
    bytes: Vec<u8>,
    charge: Charge,
    is_cut: bool,
    /// The connection is subscribed to something.
    is_listening: bool,
    waker: Option<Waker>,
}

/// The connection did not take its mail in time.
#[derive(Debug)]
pub(crate) struct Lagged;

/// A message, encoded for the versions of the protocol that its readers speak.
pub(crate) struct Letter<'a> {
    parts: &'a [&'a [u8]],
    encoded: [Vec<u8>; 2],
}

impl<'a> Letter<'a> {
    pub(crate) fn new(parts: &'a [&'a [u8]]) -> Self {
        Self {
            parts,
            encoded: [Vec::new(), Vec::new()],
        }
    }

    fn bytes(&mut self, version: Version) -> &[u8] {
        let encoded = match version {
            Version::V2 => &mut self.encoded[0],
            Version::V3 => &mut self.encoded[1],
        };
        if encoded.is_empty() {
            let mut reply = Reply::new(encoded, version);
            reply.push(self.parts.len());
            self.parts.iter().for_each(|part| reply.bulk(part));
        }
        encoded
    }
}

impl Mailbox {
    pub(crate) fn new(budget: Arc<Budget>, version: Version) -> Self {
        Self {
            inner: Mutex::new(Inner {
                version,
                bytes: Vec::new(),
                charge: Charge::none(budget),
                is_cut: false,
                is_listening: false,
                waker: None,
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version in which messages are written from now on.
    pub(crate) fn set_version(&self, version: Version) {
        self.lock().version = version;
    }

    /// Whether the connection is subscribed to something.
    pub(crate) fn set_listening(&self, is_listening: bool) {
        self.lock().is_listening = is_listening;
    }

    /// Has another party pay for what waits, from now on; what it has no room for is forgotten.
    pub(crate) fn pay_from(&self, budget: &Arc<Budget>) {
        let mut inner = self.lock();
        if let Err(BuffersFull) = inner.charge.pay_from(budget) {
            inner.bytes = Vec::new();
            inner.charge = Charge::none(budget.clone());
        }
    }

    /// Puts a message in and wakes the connection.
    pub(crate) fn put(&self, letter: &mut Letter<'_>) {
        let mut inner = self.lock();
        let version = inner.version;
        Self::append(&mut inner, letter.bytes(version));
    }

    /// Puts in a line that is the same in every version, and wakes the connection.
    pub(crate) fn put_line(&self, line: &[u8]) {
        Self::append(&mut self.lock(), line);
    }

    /// As [`Self::put`], of what `message` answers to the version and whether the connection is subscribed
    /// to something. Whether there was a message.
    pub(crate) fn put_if<'m>(
        &self,
        message: impl FnOnce(Version, bool) -> Option<&'m [u8]>,
    ) -> bool {
        let mut inner = self.lock();
        let message = message(inner.version, inner.is_listening);
        if let Some(message) = message {
            Self::append(&mut inner, message);
        }
        message.is_some()
    }

    fn append(inner: &mut Inner, bytes: &[u8]) {
        if inner.is_cut {
            return;
        }
        let is_first = inner.bytes.is_empty();
        if Self::make_room(inner, bytes.len()) {
            inner.bytes.extend_from_slice(bytes);
        } else {
            inner.is_cut = true;
            Self::empty(inner);
        }
        // It was woken by the first of what waits, and takes all.
        if let Some(waker) = inner.waker.as_ref().filter(|_| is_first || inner.is_cut) {
            waker.wake_by_ref();
        }
    }

    fn make_room(inner: &mut Inner, more_bytes: usize) -> bool {
        let len = inner.bytes.len();
        if len + more_bytes > MAIL_BYTES_MAX {
            return false;
        }
        if len + more_bytes > inner.charge.bytes() {
            let capacity = (len + more_bytes).next_power_of_two().max(STEP_BYTES);
            if inner.charge.grow_to(capacity).is_err() {
                return false;
            }
            inner.bytes.reserve_exact(capacity - len);
        }
        true
    }

    fn empty(inner: &mut Inner) {
        inner.bytes = Vec::new();
        inner.charge.shrink_to(0);
    }

    /// Appends what has come to `out`.
    pub(crate) fn take(&self, out: &mut Vec<u8>) {
        let mut inner = self.lock();
        if !inner.bytes.is_empty() {
            out.append(&mut inner.bytes);
            Self::empty(&mut inner);
        }
    }

    /// Forgets what has come.
    pub(crate) fn discard(&self) {
        Self::empty(&mut self.lock());
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes.len()
    }

    /// Has `waker` woken by what comes from now on.
    ///
    /// # Errors
    /// When the connection has lagged too far behind.
    pub(crate) fn arm(&self, waker: &Waker) -> Result<(), Lagged> {
        let mut inner = self.lock();
        if inner.is_cut {
            return Err(Lagged);
        }
        if !inner
            .waker
            .as_ref()
            .is_some_and(|known| known.will_wake(waker))
        {
            inner.waker = Some(waker.clone());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    fn mailbox(bytes_max: usize) -> (Arc<Budget>, Mailbox) {
        let budget = Arc::new(Budget::new(bytes_max));
        (budget.clone(), Mailbox::new(budget, Version::V2))
    }

    #[test]
    fn mail_keeps_its_order_speaks_the_version_and_is_paid_for() {
        let (budget, mailbox) = mailbox(1 << 20);
        let parts: [&[u8]; 3] = [b"message", b"c", b"1"];
        let mut letter = Letter::new(&parts);
        mailbox.put(&mut letter);
        mailbox.set_version(Version::V3);
        mailbox.put(&mut letter);
        assert_eq!(budget.used_bytes(), STEP_BYTES as u64);
        let mut out = b"+OK\r\n".to_vec();
        mailbox.take(&mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        let tail = "3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\n1\r\n";
        assert_eq!(text, format!("+OK\r\n*{tail}>{tail}"));
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn a_connection_is_woken_once_for_all_that_waits_and_when_it_is_cut_off() {
        struct Wakes(AtomicUsize);
        impl Wake for Wakes {
            fn wake(self: Arc<Self>) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        let wakes = Arc::new(Wakes(AtomicUsize::new(0)));
        let (_, mailbox) = mailbox(4 << 20);
        mailbox.arm(&wakes.clone().into()).expect("nothing came");
        for turn in 1..4 {
            for _ in 0..10 {
                mailbox.put_line(b"line");
            }
            assert_eq!(wakes.0.load(Ordering::Relaxed), turn);
            mailbox.take(&mut Vec::new());
        }
        mailbox.put_line(b"line");
        mailbox.put_line(&vec![b'x'; 8 << 20]);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 5);
        assert!(mailbox.arm(Waker::noop()).is_err());
    }

    #[test]
    fn who_lags_is_cut_off_and_holds_nothing_more() {
        let payload = vec![b'x'; 1 << 20];
        for bytes_max in [4 << 20, 1 << 30] {
            let (budget, mailbox) = mailbox(bytes_max);
            let parts: [&[u8]; 3] = [b"message", b"c", &payload];
            let mut letter = Letter::new(&parts);
            let sent = (1..).find(|_| {
                mailbox.put(&mut letter);
                mailbox.arm(Waker::noop()).is_err()
            });
            assert_eq!(sent, Some(if bytes_max > MAIL_BYTES_MAX { 32 } else { 4 }));
            assert_eq!(budget.used_bytes(), 0);
            mailbox.put(&mut letter);
            assert_eq!(budget.used_bytes(), 0);
        }
    }
}
