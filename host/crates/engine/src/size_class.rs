//! What an allocator hands out for a request: the budget counts that, not what was asked for.

/// The size classes of the process's allocator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SizeClasses {
    /// Multiples of sixteen bytes, as glibc's malloc without its header.
    #[default]
    Sixteen,
    /// jemalloc 5.3.1 on a 64-bit machine with pages of 4 KiB: multiples of 16 up to 128, then four
    /// classes to each doubling, above 32 KiB whole pages.
    Jemalloc,
}

impl SizeClasses {
    /// Bytes handed out for a request of `bytes`, which is above zero.
    #[inline]
    pub fn usable(self, bytes: usize) -> usize {
        match self {
            Self::Jemalloc if bytes > 128 => {
                // Of the group that ends at the next power of two: an eighth of it is the step.
                let step = (bytes.next_power_of_two() / 8).min(4096);
                bytes.next_multiple_of(step)
            }
            _ => bytes.next_multiple_of(16),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SizeClasses;

    #[test]
    fn jemalloc_classes_as_its_manual_lists_them() {
        let classes = [
            (1, 16),
            (17, 32),
            (64, 64),
            (65, 80),
            (113, 128),
            (129, 160),
            (161, 192),
            (193, 224),
            (225, 256),
            (257, 320),
            (513, 640),
            (1025, 1280),
            (14_337, 16_384),
            (16_385, 20_480),
        ];
        for (asked, given) in classes {
            assert_eq!(SizeClasses::Jemalloc.usable(asked), given, "for {asked}");
        }
    }
}
