//! Which keys are wanted, in their order.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use larder_engine::KEY_BYTES_MAX;
use larder_simulator::trace::{Columns, TraceFile};

use crate::load::key_of;

/// A key.
pub(super) type Name = Box<[u8]>;
/// Several.
pub(super) type Names = Vec<Name>;

/// Keys of one warm-up.
const NAMES_MAX: usize = 10_000_000;

/// A key a line, as it stands there.
pub(super) fn of_file(path: &Path) -> anyhow::Result<Names> {
    let unreadable = || format!("cannot read {}", path.display());
    let mut input = BufReader::new(File::open(path).with_context(unreadable)?);
    let (mut names, mut line) = (Names::new(), Vec::new());
    for number in 1_u64.. {
        line.clear();
        // The longest, and the end of its line.
        let mut limited = (&mut input).take(KEY_BYTES_MAX as u64 + 2);
        if limited
            .read_until(b'\n', &mut line)
            .with_context(unreadable)?
            == 0
        {
            break;
        }
        let name = line.strip_suffix(b"\n").unwrap_or(&line);
        let name = name.strip_suffix(b"\r").unwrap_or(name);
        let shown = path.display();
        ensure!(
            name.len() <= KEY_BYTES_MAX,
            "line {number} of {shown} is longer than a key may be, {KEY_BYTES_MAX} bytes"
        );
        ensure!(
            names.len() < NAMES_MAX,
            "{shown} has more than {NAMES_MAX} lines; split it"
        );
        if !name.is_empty() {
            names.push(name.into());
        }
    }
    Ok(names)
}

/// The keys of a trace, those that are asked for most often first, and of several such those that come first.
pub(super) fn of_trace(path: &Path, columns: &Columns) -> anyhow::Result<Names> {
    let shown = path.display();
    let unreadable = || format!("cannot read the trace {shown}");
    let mut trace = TraceFile::open(path, columns).with_context(unreadable)?;
    if trace.recorded().is_some() {
        bail!(
            "{shown} was recorded without the names of its keys; --from ADDR asks the server itself"
        );
    }
    let mut counts: HashMap<Name, (u64, usize)> = HashMap::new();
    while let Some(record) = trace.next() {
        let record = record.with_context(unreadable)?;
        let id = key_of(record.id);
        let name = trace.key().unwrap_or(&id);
        if let Some((count, _)) = counts.get_mut(name) {
            *count += 1;
            continue;
        }
        let nth = counts.len();
        ensure!(nth < NAMES_MAX, "{shown} has more than {NAMES_MAX} keys");
        counts.insert(name.into(), (1, nth));
    }
    let mut names: Vec<_> = counts.into_iter().collect();
    names.sort_unstable_by_key(|(_, (count, nth))| (Reverse(*count), *nth));
    Ok(names.into_iter().map(|(name, _)| name).collect())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use larder_simulator::trace::{Generator, write};

    use super::*;

    fn texts(names: Names) -> Vec<String> {
        let text = |name: Name| String::from_utf8(name.into()).unwrap();
        names.into_iter().map(text).collect()
    }

    #[test]
    fn a_file_has_a_key_a_line_as_it_stands_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        fs::write(&path, b"b\na b \r\n\n\xff\nb").unwrap();
        let names = of_file(&path).unwrap();
        let expected: [&[u8]; 4] = [b"b", b"a b ", b"\xff", b"b"];
        assert_eq!(
            names.iter().map(|name| &**name).collect::<Vec<_>>(),
            expected
        );
        let longest = vec![b'k'; KEY_BYTES_MAX];
        fs::write(&path, [&longest[..], b"\r\nk\n"].concat()).unwrap();
        assert_eq!(of_file(&path).unwrap().len(), 2);
        fs::write(&path, [b"k\n", &longest[..], b"k\n"].concat()).unwrap();
        let error = of_file(&path).unwrap_err().to_string();
        assert!(error.starts_with("line 2 of "), "{error}");
        assert!(of_file(&folder.path().join("none")).is_err());
    }

    #[test]
    fn of_a_trace_those_come_first_that_are_asked_for_most_often() {
        let folder = tempfile::tempdir().unwrap();
        let columns = Columns::default();
        let csv = folder.path().join("a.csv");
        fs::write(
            &csv,
            "time,key,size\n1,once,5\n2,\"a,b\",5\n3,twice,5\n4,twice,5\n",
        )
        .unwrap();
        let names = of_trace(&csv, &columns).unwrap();
        assert_eq!(texts(names), ["twice", "once", "a,b"]);
        let keys = folder.path().join("a.keys");
        fs::write(&keys, "x\n y\ny\n").unwrap();
        assert_eq!(texts(of_trace(&keys, &columns).unwrap()), ["y", "x"]);

        let made = Generator {
            requests: 1_000,
            ..Generator::default()
        };
        let records = made.records();
        let oracle = folder.path().join("a.oracleGeneral");
        write(&records, &mut File::create(&oracle).unwrap()).unwrap();
        let names = texts(of_trace(&oracle, &columns).unwrap());
        assert!(names.iter().all(|name| name.len() == 16), "{names:?}");
        let count = |name: &String| {
            let id = u64::from_str_radix(name, 16).unwrap();
            records.iter().filter(|record| record.id == id).count()
        };
        let counts: Vec<_> = names.iter().map(count).collect();
        assert!(counts.is_sorted_by(|one, next| one >= next));
        assert_eq!(counts.iter().sum::<usize>(), 1_000);
    }
}
