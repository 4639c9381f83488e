//! Traces as text: comma-separated, or a key a line.

use std::io::{self, BufRead, BufReader, Read, Take, Write};
use std::str::FromStr;

use csv::{ByteRecord, ErrorKind, Position, Reader, ReaderBuilder};
use xxhash_rust::xxh3::xxh3_64;

use super::{Record, TraceError};

/// Bytes of a line at most: more is no line of a trace.
const LINE_BYTES_MAX: u64 = 1 << 20;
/// Bytes that are read at a time of what is comma-separated, and so at most of what follows a line.
const READ_BYTES: u64 = 8 << 10;

/// The names of the columns that are read. Where one is not named, the first of some usual names that
/// the file has is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// What is asked for: any text.
    pub key: Option<String>,
    /// When, in whole seconds; 0 throughout where there is none.
    pub time: Option<String>,
    /// Its bytes; 1 where there is none, or less than 0 in it.
    pub size: Option<String>,
    /// How long it lives, in whole seconds; where there is none, or nothing, 0 or less in it, for as
    /// long as there is room.
    pub ttl: Option<String>,
}

const KEY_NAMES: &[&str] = &["key", "cacheKey", "id", "object", "obj_id", "url"];
const TIME_NAMES: &[&str] = &["time", "timestamp", "clock_time"];
const SIZE_NAMES: &[&str] = &["size", "objectSize", "size_bytes", "obj_size", "bytes"];
const TTL_NAMES: &[&str] = &["ttl", "TTL", "ttl_seconds"];

impl FromStr for Columns {
    type Err = String;

    /// Reads `key=NAME,time=NAME,size=NAME,ttl=NAME`, any of them.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut columns = Self::default();
        for pair in text.split(',') {
            let (field, name) = pair
                .split_once('=')
                .ok_or_else(|| format!("'{pair}' has to be a field=column"))?;
            let place = match field.trim() {
                "key" => &mut columns.key,
                "time" => &mut columns.time,
                "size" => &mut columns.size,
                "ttl" => &mut columns.ttl,
                other => {
                    return Err(format!(
                        "'{other}' is no field; there are key, time, size, ttl"
                    ));
                }
            };
            *place = Some(name.trim().to_owned());
        }
        Ok(columns)
    }
}

/// Iterates over the records of a comma-separated trace (RFC 4180) with a line of names. A line that
/// goes on beyond a mebibyte is an error, whatever of it is quoted. After an error it yields nothing
/// more.
pub struct CsvReader<R> {
    /// Limited to what a line may have, anew for each.
    reader: Reader<Take<R>>,
    line: ByteRecord,
    key: usize,
    time: Option<usize>,
    size: Option<usize>,
    ttl: Option<usize>,
    ended: bool,
    is_empty: bool,
}

impl<R: Read> CsvReader<R> {
    /// Reads from `input`.
    ///
    /// # Errors
    /// When its first line cannot be read, or does not name a column that is needed.
    pub fn new(input: R, columns: &Columns) -> Result<Self, TraceError> {
        let mut reader = ReaderBuilder::new()
            .flexible(false)
            .buffer_capacity(READ_BYTES as usize)
            .from_reader(input.take(LINE_BYTES_MAX + READ_BYTES));
        let names = reader.byte_headers().cloned();
        let names = whole(&reader, 1, names)?;
        if names.is_empty() {
            return Err(TraceError::Empty);
        }
        let find = |wanted: &Option<String>, usual: &[&str]| {
            let at = |name: &str| names.iter().position(|found| found == name.as_bytes());
            match wanted {
                None => Ok(usual.iter().find_map(|name| at(name))),
                Some(name) => at(name).map(Some).ok_or_else(|| missing(name, &names)),
            }
        };
        let key = find(&columns.key, KEY_NAMES)?;
        Ok(Self {
            key: key.ok_or_else(|| missing(KEY_NAMES[0], &names))?,
            time: find(&columns.time, TIME_NAMES)?,
            size: find(&columns.size, SIZE_NAMES)?,
            ttl: find(&columns.ttl, TTL_NAMES)?,
            reader,
            line: ByteRecord::new(),
            ended: false,
            is_empty: true,
        })
    }

    /// The key of the record that was read last.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.line.get(self.key).unwrap_or_default()
    }

    fn record(&mut self) -> Result<Option<Record>, TraceError> {
        let line = self.reader.position().line();
        let limit = LINE_BYTES_MAX + READ_BYTES;
        self.reader.get_mut().set_limit(limit);
        let read = self.reader.read_byte_record(&mut self.line);
        if !whole(&self.reader, line, read)? {
            return match self.is_empty {
                true => Err(TraceError::Empty),
                false => Ok(None),
            };
        }
        self.is_empty = false;
        let number = |at: Option<usize>, otherwise: i64| match at {
            None => Ok(otherwise),
            Some(at) => self.number(at),
        };
        let fits = |value: i64, what: &str| {
            u32::try_from(value)
                .map_err(|_| self.wrong(format!("{what} {value} does not fit into 32 bits")))
        };
        Ok(Some(Record {
            time_seconds: fits(number(self.time, 0)?, "the time")?,
            id: xxh3_64(self.key()),
            size_bytes: match number(self.size, 1)? {
                // What some traces say where they do not know.
                ..0 => 1,
                size => fits(size, "the size")?,
            },
            next_access: None,
            ttl_seconds: fits(number(self.ttl, 0)?.max(0), "the time to live")?,
        }))
    }

    /// A whole number; a fraction is cut off, and nothing is 0.
    fn number(&self, at: usize) -> Result<i64, TraceError> {
        let field = self.line.get(at).unwrap_or_default();
        let text = String::from_utf8_lossy(field);
        let (whole, fraction) = match text.trim().split_once('.') {
            Some((whole, fraction)) => (whole, fraction),
            None => (text.trim(), ""),
        };
        // 1.7e9 is not 1.
        let is_fraction = fraction.bytes().all(|digit| digit.is_ascii_digit());
        let number = match whole {
            "" => Some(0),
            whole => whole.parse().ok(),
        };
        let wrong = || {
            let why = "is no number that can be read; it has to be in decimal digits";
            self.wrong(format!("'{text}' in column {} {why}", at + 1))
        };
        number.filter(|_| is_fraction).ok_or_else(wrong)
    }

    fn wrong(&self, why: String) -> TraceError {
        let line = self.line.position().map_or(0, Position::line);
        TraceError::Line { line, why }
    }
}

/// Writes the names of the columns of a comma-separated trace: time, key, size, ttl.
///
/// # Errors
/// Those of `out`.
pub fn write_csv_names(out: &mut impl Write) -> io::Result<()> {
    let names = [TIME_NAMES[0], KEY_NAMES[0], SIZE_NAMES[0], TTL_NAMES[0]];
    writeln!(out, "{}", names.join(","))
}

/// Writes a line of a comma-separated trace. The key is the id in decimal digits, and the next access
/// is left out.
///
/// # Errors
/// Those of `out`.
pub fn write_csv_line(record: &Record, out: &mut impl Write) -> io::Result<()> {
    let Record {
        time_seconds,
        id,
        size_bytes,
        ttl_seconds,
        ..
    } = record;
    writeln!(out, "{time_seconds},{id},{size_bytes},{ttl_seconds}")
}

fn missing(name: &str, names: &ByteRecord) -> TraceError {
    let names: Vec<_> = names.iter().map(String::from_utf8_lossy).collect();
    TraceError::Line {
        line: 1,
        why: format!(
            "there is no column '{name}'; there are {}; name them: key=…,time=…,size=…,ttl=…",
            names.join(", ")
        ),
    }
}

/// What was read of a line with that number, unless it is too long: then a part only was read.
fn whole<R: Read, T>(
    reader: &Reader<Take<R>>,
    line: u64,
    read: csv::Result<T>,
) -> Result<T, TraceError> {
    if reader.get_ref().limit() == 0 {
        let why = too_long();
        return Err(TraceError::Line { line, why });
    }
    read.map_err(|error| match error.kind() {
        ErrorKind::Io(error) => TraceError::Line {
            line,
            why: cannot_read_on(error),
        },
        _ => TraceError::Line {
            line: error.position().map_or(line, Position::line),
            why: error.to_string(),
        },
    })
}

fn too_long() -> String {
    format!("it has {LINE_BYTES_MAX} bytes or more")
}

fn cannot_read_on(error: &io::Error) -> String {
    format!("cannot read on: {error}")
}

impl<R: Read> Iterator for CsvReader<R> {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.record().transpose();
        self.ended = !matches!(read, Some(Ok(_)));
        read
    }
}

/// Iterates over a trace that is a key a line; empty lines count for nothing. After an error it yields
/// nothing more.
pub struct KeysReader<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    keys: u64,
    ended: bool,
}

impl<R: Read> KeysReader<R> {
    /// Reads from `input`.
    pub fn new(input: R) -> Self {
        Self {
            input: BufReader::new(input),
            line: Vec::new(),
            number: 0,
            keys: 0,
            ended: false,
        }
    }

    /// The key of the record that was read last.
    #[must_use]
    pub fn key(&self) -> &[u8] {
        self.line.trim_ascii()
    }

    fn record(&mut self) -> Result<Option<Record>, TraceError> {
        loop {
            self.line.clear();
            self.number += 1;
            let line = self.number;
            let wrong = |why: String| TraceError::Line { line, why };
            let mut limited = (&mut self.input).take(LINE_BYTES_MAX);
            let read = limited.read_until(b'\n', &mut self.line);
            let bytes = read.map_err(|error| wrong(cannot_read_on(&error)))?;
            if bytes as u64 == LINE_BYTES_MAX {
                return Err(wrong(too_long()));
            }
            if bytes == 0 {
                return match self.keys {
                    0 => Err(TraceError::Empty),
                    _ => Ok(None),
                };
            }
            let key = self.key();
            if !key.is_empty() {
                let id = xxh3_64(key);
                self.keys += 1;
                return Ok(Some(Record {
                    time_seconds: 0,
                    id,
                    size_bytes: 1,
                    next_access: None,
                    ttl_seconds: 0,
                }));
            }
        }
    }
}

impl<R: Read> Iterator for KeysReader<R> {
    type Item = Result<Record, TraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let read = self.record().transpose();
        self.ended = !matches!(read, Some(Ok(_)));
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Generator;

    fn csv(text: &str, columns: &str) -> Result<Vec<Record>, String> {
        let columns = match columns {
            "" => Columns::default(),
            columns => columns.parse()?,
        };
        let records = CsvReader::new(text.as_bytes(), &columns);
        let records = records.map_err(|error| error.to_string())?;
        records
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_found_by_usual_names_or_as_told() {
        let text =
            "timestamp,cacheKey,objectSize,TTL\n5,\"a,b\",10,60\n6.9,c,-1,\n7,\"a,b\",3,-1\n";
        let records = csv(text, "").unwrap();
        let fields = |record: &Record| (record.time_seconds, record.size_bytes, record.ttl_seconds);
        let found: Vec<_> = records.iter().map(fields).collect();
        assert_eq!(found, [(5, 10, 60), (6, 1, 0), (7, 3, 0)]);
        assert!(records[0].id == records[2].id && records[0].id != records[1].id);
        let told = csv("a,b,c\nx,7,8\n", "key=a, size=c").unwrap();
        assert_eq!(fields(&told[0]), (0, 8, 0));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for (text, columns, told) in [
            ("key\n", "", "empty"),
            ("", "", "empty"),
            ("a,b\n1,2\n", "", "no column 'key'; there are a, b"),
            (
                "key,size\nx,1\ny,z\n",
                "",
                "line 3: 'z' in column 2 is no number",
            ),
            ("key,size\nx,1.25e4\n", "", "line 2: '1.25e4' in column 2"),
            ("key,size\nx,1,9\n", "", "line 2"),
            (
                "key,time\nx,4294967296\n",
                "",
                "line 2: the time 4294967296",
            ),
            (
                "key,size\nx,4294967296\n",
                "",
                "line 2: the size 4294967296",
            ),
            ("key\nx\n", "size=s", "no column 's'"),
            ("key\nx\n", "kye=s", "'kye' is no field"),
        ] {
            let why = csv(text, columns).unwrap_err();
            assert!(why.contains(told), "{text:?}: {why}");
        }
    }

    #[test]
    fn a_line_that_does_not_end_is_given_up() {
        let long = "x".repeat((LINE_BYTES_MAX + 2 * READ_BYTES) as usize);
        for (text, line) in [
            (long.clone(), 1),
            (format!("key\na\n{long}"), 3),
            (format!("key,size\na,1\n\"{}", "x\n".repeat(1 << 20)), 3),
        ] {
            let why = csv(&text, "").unwrap_err();
            assert_eq!(why, format!("line {line}: it has 1048576 bytes or more"));
        }
        let whole = &long[..LINE_BYTES_MAX as usize];
        let many = "y\n".repeat(1 << 20);
        let read = csv(&format!("key\n{whole}\n{many}"), "").unwrap();
        assert_eq!(read.len(), 1 + (1 << 20));
    }

    #[test]
    fn what_cannot_be_read_on_is_told_with_its_line() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("torn"))
            }
        }
        let input = &b"key,size\na,1\nb,2\n"[..];
        let reader = CsvReader::new(input.chain(Broken), &Columns::default()).unwrap();
        let (read, failed): (Vec<_>, Vec<_>) = reader.partition(Result::is_ok);
        let failed = failed.into_iter().filter_map(Result::err);
        let failed: Vec<_> = failed.map(|error| error.to_string()).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(failed, ["line 4: cannot read on: torn"]);
    }

    #[test]
    fn what_is_written_is_read_back_without_keys_and_next_accesses() {
        let generator = Generator {
            requests: 2_000,
            size_bytes: (0, u32::MAX),
            ttl_seconds: (0, 3),
            ..Generator::default()
        };
        let made = generator.records();
        let mut text = Vec::new();
        write_csv_names(&mut text).unwrap();
        for record in &made {
            write_csv_line(record, &mut text).unwrap();
        }
        let read = csv(&String::from_utf8(text).unwrap(), "").unwrap();
        let expected = made.iter().map(|record| Record {
            id: xxh3_64(record.id.to_string().as_bytes()),
            next_access: None,
            ..*record
        });
        assert!(read.iter().copied().eq(expected));
        assert!(read.iter().any(|record| record.ttl_seconds == 0));
        assert!(read.iter().any(|record| record.ttl_seconds == 3));
    }

    #[test]
    fn keys_are_lines() {
        let read = |text: &str| KeysReader::new(text.as_bytes()).collect::<Result<Vec<_>, _>>();
        let records = read("a\n\nb\r\na").unwrap();
        assert_eq!(records.len(), 3);
        assert_eq!(records[0], records[2]);
        assert!(matches!(read("\n\n"), Err(TraceError::Empty)));
        let long = "x".repeat(LINE_BYTES_MAX as usize);
        let why = read(&format!("a\n{long}")).unwrap_err().to_string();
        assert!(why.contains("line 2"), "{why}");
    }
}
