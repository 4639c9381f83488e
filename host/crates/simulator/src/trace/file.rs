//! A trace in a file, whatever its form.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use super::lines::{Columns, CsvReader, KeysReader};
use super::{OracleReader, Record, RecordedHead, RecordedReader, TraceError};

/// The records of a file. Its name says its form: `.csv` and `.csv.zst` are comma-separated with a line
/// of names, `.txt`, `.keys` and the same with `.zst` are a key a line, `.larder` is what was recorded from a
/// server, everything else is oracleGeneral, compressed or not.
pub enum TraceFile {
    /// Records of 24 bytes.
    Oracle(OracleReader<File>),
    /// Comma-separated.
    Csv(CsvReader<Box<dyn Read + Send>>),
    /// A key a line.
    Keys(KeysReader<Box<dyn Read + Send>>),
    /// Recorded from a server.
    Recorded(RecordedReader<Box<dyn Read + Send>>),
}

impl TraceFile {
    /// Opens a file; `columns` tells what is where in a comma-separated one.
    ///
    /// # Errors
    /// When it cannot be opened, or a column is missing.
    pub fn open(path: &Path, columns: &Columns) -> Result<Self, TraceError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = name.strip_suffix(".zst").unwrap_or(&name);
        let bytes = || -> Result<Box<dyn Read + Send>, TraceError> {
            let file = File::open(path).map_err(|source| TraceError::Open { source })?;
            let file = BufReader::new(file);
            if plain == name {
                return Ok(Box::new(file));
            }
            let decoder = zstd::stream::read::Decoder::with_buffer(file);
            Ok(Box::new(decoder.map_err(|source| {
                TraceError::Compressed { offset: 0, source }
            })?))
        };
        Ok(match plain.rsplit_once('.').map(|(_, form)| form) {
            Some("csv") => Self::Csv(CsvReader::new(bytes()?, columns)?),
            Some("txt" | "keys") => Self::Keys(KeysReader::new(bytes()?)),
            Some("larder") => Self::Recorded(RecordedReader::new(bytes()?)?),
            _ => Self::Oracle(OracleReader::open(path)?),
        })
    }

    /// What a trace is called: its file without folder and endings.
    #[must_use]
    pub fn name(path: &Path) -> String {
        let file = path.file_name().unwrap_or(path.as_os_str());
        let file = file.to_string_lossy();
        let plain = file.strip_suffix(".zst").unwrap_or(&file);
        let name = plain.rsplit_once('.').map_or(plain, |(name, _)| name);
        name.to_owned()
    }

    /// What a recording begins with; `None` for all others.
    #[must_use]
    pub fn recorded(&self) -> Option<RecordedHead> {
        match self {
            Self::Recorded(reader) => Some(reader.head()),
            _ => None,
        }
    }

    /// The key of the record that was read last, where the form has it.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        match self {
            Self::Csv(reader) => Some(reader.key()),
            Self::Keys(reader) => Some(reader.key()),
            Self::Oracle(_) | Self::Recorded(_) => None,
        }
    }

    /// What its form is called.
    #[must_use]
    pub fn form(&self) -> &'static str {
        match self {
            Self::Oracle(_) => "oracleGeneral",
            Self::Csv(_) => "csv",
            Self::Keys(_) => "keys",
            Self::Recorded(_) => "larder",
        }
    }
}

impl Iterator for TraceFile {
    type Item = Result<Record, TraceError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Oracle(reader) => reader.next(),
            Self::Csv(reader) => reader.next(),
            Self::Keys(reader) => reader.next(),
            Self::Recorded(reader) => reader.next(),
        }
    }
}
