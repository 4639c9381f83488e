//! What the operating system counts of this process, as `/proc/self` tells it.

use std::fs;

/// The unit of time in `/proc/self/stat`, the same on every architecture that Linux shows to programs.
const TICKS_A_SECOND: f64 = 100.0;

/// What `/proc/self/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessStat {
    /// Processor time spent in the program.
    pub user_seconds: f64,
    /// Processor time spent in the system on its behalf.
    pub system_seconds: f64,
    /// Threads.
    pub threads: u64,
    /// Address space.
    pub virtual_bytes: u64,
}

impl ProcessStat {
    /// As it is now; `None` where there is no `/proc`.
    pub fn read() -> Option<Self> {
        Self::parse(&fs::read_to_string("/proc/self/stat").ok()?)
    }

    /// Fields are counted behind the name of the program, which stands in parentheses and may contain
    /// anything: the 14th, 15th, 20th and 23rd of the line.
    fn parse(stat: &str) -> Option<Self> {
        let (_, behind_name) = stat.rsplit_once(')')?;
        let fields: Vec<_> = behind_name.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            user_seconds: field(14)? as f64 / TICKS_A_SECOND,
            system_seconds: field(15)? as f64 / TICKS_A_SECOND,
            threads: field(20)?,
            virtual_bytes: field(23)?,
        })
    }
}

/// Open file descriptors of this process.
pub fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}

/// File descriptors that it may have open.
pub fn open_files_max() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// Memory of the machine in bytes.
pub(crate) fn machine_memory_bytes() -> Option<u64> {
    let memory = fs::read_to_string("/proc/meminfo").ok()?;
    let line = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_behind_any_name() {
        let stat = "7 (a) R 1 (b) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20 0 4 0 99 4096 7";
        let expected = ProcessStat {
            user_seconds: 2.5,
            system_seconds: 0.31,
            threads: 4,
            virtual_bytes: 4096,
        };
        assert_eq!(ProcessStat::parse(stat), Some(expected));
        for broken in ["", "7 (a) R 1"] {
            assert_eq!(ProcessStat::parse(broken), None);
        }
    }

    #[test]
    fn this_process_is_told() {
        let stat = ProcessStat::read().unwrap();
        assert!(stat.threads >= 1 && stat.virtual_bytes > 1 << 20);
        assert!(open_files().unwrap() <= open_files_max().unwrap());
        assert!(machine_memory_bytes().unwrap() > 1 << 26);
    }
}
