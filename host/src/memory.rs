//! How much memory the process takes, as the operating system sees it.

use std::fs::{self, File};
use std::io::Read;
use std::sync::OnceLock;

/// Resident memory of this process in bytes; `None` where there is no `/proc` to ask.
///
/// Reads into a buffer on the stack, because it is asked several times a second.
pub fn resident_bytes() -> Option<u64> {
    let mut buffer = [0; 128];
    let length = File::open("/proc/self/statm")
        .ok()?
        .read(&mut buffer)
        .ok()?;
    let pages = resident_pages(&buffer[..length])?;
    Some(pages * page_bytes()?)
}

/// The second number of `statm`: pages that are resident.
fn resident_pages(statm: &[u8]) -> Option<u64> {
    let mut numbers = statm.split(|byte| *byte == b' ');
    str::from_utf8(numbers.nth(1)?).ok()?.parse().ok()
}

fn page_bytes() -> Option<u64> {
    static PAGE_BYTES: OnceLock<Option<u64>> = OnceLock::new();
    *PAGE_BYTES.get_or_init(|| page_bytes_of(&fs::read("/proc/self/auxv").ok()?))
}

/// Looks up the page size in what the kernel told the process at its start: pairs of words, a kind
/// and a value.
fn page_bytes_of(auxiliary: &[u8]) -> Option<u64> {
    const PAGE_SIZE: usize = 6;
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    let (words, _) = auxiliary.as_chunks::<{ size_of::<usize>() }>();
    let mut pairs = words.chunks_exact(2);
    let pair = pairs.find(|pair| word(&pair[0]) == Some(PAGE_SIZE))?;
    word(&pair[1]).map(|bytes| bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_counts() {
        assert_eq!(resident_pages(b"1234 567 89 1 0 2 0\n"), Some(567));
        for broken in [&b""[..], b"1234", b"1234 x 3"] {
            assert_eq!(resident_pages(broken), None);
        }
    }

    #[test]
    fn what_is_touched_becomes_resident() {
        assert!(page_bytes().is_some_and(|bytes| bytes >= 4096 && bytes.is_power_of_two()));
        let before = resident_bytes().unwrap();
        // So large that what other tests take and give back meanwhile does not matter.
        let block = vec![1u8; 256 << 20];
        let grown = resident_bytes().unwrap() - before;
        assert!(
            (192 << 20..=384 << 20).contains(&grown),
            "{grown} bytes for {}",
            block.len()
        );
    }
}
