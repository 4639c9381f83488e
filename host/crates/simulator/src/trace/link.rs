//! When is an object asked for again? Whoever goes over a trace backwards knows.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::oracle::field;
use super::record::{ID_AT, NEXT_ACCESS_AT, next_access_bytes};
use super::{RECORD_BYTES, Record};
use crate::IdMap;

/// Records of a file that are in memory at once: 1.5 MiB.
const CHUNK_RECORDS: usize = 64 * 1024;

/// Fills in the next access of each record.
pub(super) fn link(records: &mut [Record]) {
    let mut next = IdMap::default();
    for (index, record) in records.iter_mut().enumerate().rev() {
        record.next_access = next.insert(record.id, index as u64);
    }
}

/// Fills in the next access of each record of a plain oracleGeneral file, in place. Whatever stood
/// there counts for nothing, nor does what comes behind the last whole record. Memory is bounded by
/// the objects, some 20 to 60 bytes each, not by the length.
///
/// # Errors
/// Those of `file`; its next accesses are then partly filled in.
pub fn link_file(file: &mut (impl Read + Write + Seek)) -> io::Result<()> {
    link_chunks(file, CHUNK_RECORDS)
}

fn link_chunks(file: &mut (impl Read + Write + Seek), chunk_records: usize) -> io::Result<()> {
    let mut next = IdMap::default();
    let mut chunk = vec![[0; RECORD_BYTES]; chunk_records];
    let mut end = file.seek(SeekFrom::End(0))? / RECORD_BYTES as u64;
    while end > 0 {
        let start = end.saturating_sub(chunk_records as u64);
        let records = &mut chunk[..(end - start) as usize];
        let place = SeekFrom::Start(start * RECORD_BYTES as u64);
        file.seek(place)?;
        file.read_exact(records.as_flattened_mut())?;
        for (at, record) in records.iter_mut().enumerate().rev() {
            let id = u64::from_le_bytes(field(record, ID_AT));
            let later = next.insert(id, start + at as u64);
            record[NEXT_ACCESS_AT..].copy_from_slice(&next_access_bytes(later));
        }
        file.seek(place)?;
        file.write_all(records.as_flattened())?;
        end = start;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::trace::{OracleReader, Random, write};

    /// Few objects, so that each comes often; next accesses that are wrong.
    fn records(count: usize, seed: u64) -> Vec<Record> {
        let mut random = Random::new(seed);
        let record = |index| Record {
            time_seconds: index as u32,
            id: random.below(1 + count as u64 / 4),
            size_bytes: 1,
            next_access: Some(7),
            ttl_seconds: 0,
        };
        (0..count).map(record).collect()
    }

    /// What it has to be, found by looking.
    fn naive(records: &[Record]) -> Vec<Option<u64>> {
        let later = |index: usize| {
            let same = |other: &usize| records[*other].id == records[index].id;
            (index + 1..records.len())
                .find(same)
                .map(|found| found as u64)
        };
        (0..records.len()).map(later).collect()
    }

    #[test]
    fn next_accesses_are_those_of_a_naive_search_whatever_the_chunk() {
        for (count, chunks) in [
            (1, &[1, 2][..]),
            (2, &[1, 2]),
            (97, &[1, 2, 3, 7, 96, 97, 98]),
            (400, &[1, 13, 399, 400, 1_000]),
        ] {
            for (seed, &chunk_records) in chunks.iter().enumerate() {
                let mut records = records(count, seed as u64);
                let expected = naive(&records);
                let mut file = Vec::new();
                write(&records, &mut file).unwrap();
                link_chunks(&mut Cursor::new(&mut file), chunk_records).unwrap();
                link(&mut records);
                let linked = OracleReader::new(file.as_slice()).unwrap();
                let linked: Vec<_> = linked.collect::<Result<_, _>>().unwrap();
                assert_eq!(linked, records, "{count} in chunks of {chunk_records}");
                let found: Vec<_> = linked.iter().map(|record| record.next_access).collect();
                assert_eq!(found, expected, "{count} in chunks of {chunk_records}");
            }
        }
    }

    #[test]
    fn an_empty_file_stays_empty() {
        let mut file = Cursor::new(Vec::new());
        link_file(&mut file).unwrap();
        assert!(file.into_inner().is_empty());
    }
}
