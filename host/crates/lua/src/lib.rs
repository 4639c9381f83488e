//! Lua 5.1 for scripts: sandboxed, bounded in time and memory.
//!
//! An [`Interpreter`] runs [`Script`]s one after another; none sees what another left behind. What a
//! script asks of the server goes through a [`Host`]; how far it is and how it is ended from elsewhere
//! through its [`Progress`]. The texts of errors are those of Redis 7.0.
#![forbid(unsafe_code)]

mod arguments;
mod bit;
mod cjson;
mod cmsgpack;
mod failure;
mod from_reply;
mod host;
mod interpreter;
mod number;
mod pattern;
mod progress;
mod random;
mod redis;
mod script;
mod strings;
mod structs;
mod to_reply;
mod watch;

/// The stack that a thread needs to run scripts: what they nest, Lua bounds by number, not by bytes.
pub const STACK_BYTES: usize = 8 << 20;

pub use host::{Called, Host, Level};
pub use interpreter::{Bounds, Ended, Interpreter, Run};
pub use progress::{Kill, Progress};
pub use script::{Script, ScriptError, sha1_hex};
