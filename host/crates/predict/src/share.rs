//! How often something was so of late.

/// A share that leans to the latest.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Share {
    share: f32,
    seen: u32,
}

impl Share {
    /// One that so many speak against before any is seen: few prove nothing.
    pub(crate) fn against(seen: u32) -> Self {
        Self { share: 0.0, seen }
    }

    /// Notes one more, of so many that count.
    pub(crate) fn told(&mut self, is_so: bool, window: u32) {
        self.seen = (self.seen + 1).min(window);
        let one = f32::from(u8::from(is_so));
        self.share += (one - self.share) / self.seen as f32;
    }

    /// The share, if at least so many were seen.
    pub(crate) fn of_at_least(&self, seen: u32) -> Option<f32> {
        (self.seen >= seen).then_some(self.share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_mean_at_first_and_follows_what_changes() {
        let mut share = Share::default();
        assert_eq!(share.of_at_least(1), None);
        (0..8).for_each(|number| share.told(number % 2 == 0, 16));
        assert_eq!(share.of_at_least(8), Some(0.5));
        assert_eq!(share.of_at_least(9), None);
        (0..100).for_each(|_| share.told(true, 16));
        assert!(share.of_at_least(16).is_some_and(|share| share > 0.99));
    }
}
