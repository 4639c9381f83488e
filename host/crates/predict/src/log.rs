//! What was asked for, in order, each request linked with the one before for the same key.

/// A ring of the last requests (a global history buffer: "Data cache prefetching using a global
/// history buffer", Nesbit and Smith, 2004).
#[derive(Debug)]
pub(crate) struct Log {
    keys: Vec<u64>,
    /// How far back the request before for the same key is; 0 where there is none.
    back: Vec<u32>,
    next: u32,
    len: u32,
}

impl Log {
    /// As many requests as take at most so many bytes, and a few at least.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let each = size_of::<u64>() + size_of::<u32>();
        let count = (bytes_max / each).clamp(64, 1 << 30);
        Self {
            keys: vec![0; count],
            back: vec![0; count],
            next: 0,
            len: 0,
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.keys.len() * (size_of::<u64>() + size_of::<u32>())
    }

    /// Appends a request; `before` is the position of the one before for the same key.
    pub(crate) fn push(&mut self, key: u64, before: Option<u32>) -> u32 {
        let position = self.next;
        if position == 0 {
            // Behind the last number all places are others.
            self.len = 0;
        }
        let before = before.filter(|before| self.holds(*before));
        let at = self.at(position);
        self.keys[at] = key;
        self.back[at] = before.map_or(0, |before| position.wrapping_sub(before));
        self.next = position.wrapping_add(1);
        self.len = (self.len + 1).min(self.keys.len() as u32);
        position
    }

    /// Whether it is still there.
    pub(crate) fn holds(&self, position: u32) -> bool {
        (1..=self.len).contains(&self.next.wrapping_sub(position))
    }

    /// The request before for the same key.
    pub(crate) fn before(&self, position: u32) -> Option<u32> {
        let back = self.back[self.at(position)];
        let before = position.wrapping_sub(back);
        (back != 0 && self.holds(before)).then_some(before)
    }

    /// What was asked for after a request, at most `count`.
    pub(crate) fn after(&self, position: u32, count: u32) -> impl Iterator<Item = u64> {
        let newer = self.next.wrapping_sub(position).saturating_sub(1);
        (1..=newer.min(count)).map(move |ahead| self.keys[self.at(position.wrapping_add(ahead))])
    }

    /// What was asked for up to a request and with it, latest first, at most `count`.
    pub(crate) fn until(&self, position: u32, count: u32) -> impl Iterator<Item = u64> {
        let older = (self.len + 1).saturating_sub(self.next.wrapping_sub(position));
        (0..older.min(count)).map(move |back| self.keys[self.at(position.wrapping_sub(back))])
    }

    /// The position of the last request.
    pub(crate) fn last(&self) -> Option<u32> {
        (self.len > 0).then(|| self.next.wrapping_sub(1))
    }

    fn at(&self, position: u32) -> usize {
        position as usize % self.keys.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_found_until_they_are_overwritten() {
        let mut log = Log::new(64 * 12);
        assert_eq!(log.last(), None);
        let first = log.push(1, None);
        assert!(log.after(first, 8).next().is_none());
        assert_eq!(log.until(first, 8).collect::<Vec<_>>(), [1]);
        log.push(2, None);
        let again = log.push(1, Some(first));
        log.push(3, None);
        assert_eq!(log.before(again), Some(first));
        assert_eq!(log.before(first), None);
        assert_eq!(log.after(first, 2).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(log.after(first, 9).collect::<Vec<_>>(), [2, 1, 3]);
        assert_eq!(log.until(again, 9).collect::<Vec<_>>(), [1, 2, 1]);
        for key in 0..61 {
            log.push(key, None);
        }
        assert!(!log.holds(first) && log.holds(again));
        assert_eq!(log.before(again), None);
        assert_eq!(log.last(), Some(64));
    }

    #[test]
    fn behind_the_last_number_nothing_is_known_of_those_before() {
        let mut log = Log::new(100 * 12);
        log.next = u32::MAX - 1;
        let before = log.push(1, None);
        let last = log.push(2, Some(before));
        assert_eq!((last, log.before(last)), (u32::MAX, Some(before)));
        let first = log.push(1, Some(before));
        assert_eq!((first, log.before(first)), (0, None));
        assert!(!log.holds(before) && !log.holds(last) && log.holds(first));
        assert_eq!(log.until(first, 9).collect::<Vec<_>>(), [1]);
        log.push(3, None);
        assert_eq!(log.after(first, 9).collect::<Vec<_>>(), [3]);
    }
}
