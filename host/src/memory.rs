//! How much memory the process takes, as the operating system sees it.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::ptr::null_mut;

use larder_server::Resident;

/// Resident memory of this process; `None` where there is no `/proc` to ask.
///
/// Reads into a buffer on the stack, because it is asked several times a second.
pub fn resident() -> Option<Resident> {
    let mut buffer = [0; 128];
    let length = File::open("/proc/self/statm")
        .ok()?
        .read(&mut buffer)
        .ok()?;
    let [pages, file_pages] = resident_pages(&buffer[..length])?;
    let page_bytes = rustix::param::page_size() as u64;
    Some(Resident {
        bytes: pages * page_bytes,
        file_bytes: file_pages * page_bytes,
    })
}

/// Makes jemalloc give all pages that it holds unused back to the system.
///
/// It does so by itself a second after they were freed; that is too late where one thread frees
/// and another, with an arena of its own, allocates as fast as it can.
#[allow(unsafe_code)]
pub fn release() {
    // `arena.<i>.purge` with the number that stands for all arenas.
    const PURGE_ALL: &CStr = c"arena.4096.purge";
    // SAFETY: the name ends in zero, and this control neither reads nor writes a value.
    unsafe {
        tikv_jemalloc_sys::mallctl(PURGE_ALL.as_ptr(), null_mut(), null_mut(), null_mut(), 0);
    }
}

/// The second and the third number of `statm`: pages that are resident, and those of them that are a file's.
fn resident_pages(statm: &[u8]) -> Option<[u64; 2]> {
    let mut numbers = statm.split(|byte| *byte == b' ').skip(1);
    let mut next = || str::from_utf8(numbers.next()?).ok()?.parse().ok();
    Some([next()?, next()?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_counts_and_the_third() {
        let pages = resident_pages(b"1234 567 89 1 0 2 0\n");
        assert_eq!(pages, Some([567, 89]));
        for broken in [&b""[..], b"1234", b"1234 x 3", b"1 2 x"] {
            assert_eq!(resident_pages(broken), None);
        }
    }

    #[test]
    fn what_is_touched_becomes_resident() {
        let before = resident().unwrap();
        // So large that what other tests take and give back meanwhile does not matter.
        let block = vec![1u8; 256 << 20];
        let after = resident().unwrap();
        let grown = after.bytes - before.bytes;
        assert!((1..before.bytes).contains(&before.file_bytes), "{before:?}");
        assert!(
            (192 << 20..=384 << 20).contains(&grown),
            "{grown} bytes for {}",
            block.len()
        );
    }
}
