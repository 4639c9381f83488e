//! Request traces: reading recorded ones, and generating stand-ins for them.
//!
//! ```
//! use larder_simulator::trace::{Generator, OracleReader, Record, write};
//!
//! let made = Generator { requests: 1_000, ..Generator::default() }.records();
//! let mut file = Vec::new();
//! write(&made, &mut file).unwrap();
//! let read: Result<Vec<Record>, _> = OracleReader::new(file.as_slice()).unwrap().collect();
//! assert_eq!(read.unwrap(), made);
//! ```

mod file;
mod generate;
mod lines;
mod link;
mod oracle;
mod random;
mod record;
mod recorded;
mod zipf;

pub use file::TraceFile;
pub use generate::Generator;
pub use lines::{Columns, CsvReader, KeysReader, write_csv_line, write_csv_names};
pub use link::link_file;
pub use oracle::{OracleReader, TraceError};
pub use record::{RECORD_BYTES, Record, write};
pub use recorded::{RecordedHead, RecordedReader};

pub use random::{Random, mix};
pub use zipf::Zipf;
