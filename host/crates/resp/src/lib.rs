//! The Redis protocol, versions 2 and 3, without I/O.
//!
//! The server side is [`RequestParser`], which finds requests in bytes that arrive in any pieces, and
//! [`Reply`], which appends replies to a buffer. The client side is [`encode_command`], [`decode`] and,
//! for those who only count replies, [`peek`]. Redis 7.2 is the reference for what is accepted and for
//! the texts of refusals.
//!
//! ```
//! use larder_resp::{Limits, Parsed, Reply, RequestParser, Version};
//!
//! let mut parser = RequestParser::new(Limits::default());
//! let input = b"*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n";
//! let mut out = Vec::new();
//! if let Parsed::Request { args, consumed } = parser.parse(input)? {
//!     assert_eq!((args.name(), consumed), (&b"ECHO"[..], input.len()));
//!     Reply::new(&mut out, Version::V2).bulk(&args[1]);
//! }
//! assert_eq!(out, b"$2\r\nhi\r\n");
//! # Ok::<(), larder_resp::ProtocolError>(())
//! ```
#![forbid(unsafe_code)]

mod args;
mod double;
mod error;
mod head;
mod inline;
mod limits;
mod number;
mod peek;
#[cfg(test)]
mod properties;
mod reply;
mod request;
mod value;

pub use args::{Args, ArgsBuf, Iter};
pub use error::ProtocolError;
pub use limits::Limits;
pub use number::parse_integer;
pub use peek::{Peek, peek};
pub use reply::{Reply, Version, encode_command};
pub use request::{Parsed, RequestParser};
pub use value::{DEPTH_MAX, Value, decode};
