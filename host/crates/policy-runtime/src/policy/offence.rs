//! How a policy broke the rules.

use std::fmt;
use std::time::Duration;

use wasmtime::Trap;

/// Characters of a guest's own words that are told; they are repeated wherever its state is.
const COMPLAINT_CHARS_MAX: usize = 300;

/// An offence in one of the functions of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Offence {
    /// It spent its CPU time.
    Deadline(Duration),
    /// It trapped.
    Trap(String),
    /// It trapped after it was refused more memory.
    Memory {
        wanted_bytes: usize,
        allowed_bytes: usize,
    },
    /// It answered, or handed over an address, against the contract.
    Wrong(String),
}

/// Raised within a guest whose time is spent.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the time is spent")]
pub(super) struct TimeSpent;

/// Raised within a guest that calls the host with what cannot be.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(super) struct WrongCall(pub(super) String);

/// What the host knows beside the error itself.
pub(super) struct Circumstances {
    pub(super) allowance: Duration,
    /// Bytes of memory that the call was refused, and bytes that it may have.
    pub(super) denied: Option<(usize, usize)>,
    /// The last error that it logged in this call.
    pub(super) complaint: Option<String>,
}

impl Offence {
    /// The offence behind an error that ended a call.
    pub(super) fn of(error: &wasmtime::Error, circumstances: &Circumstances) -> Self {
        if error.is::<TimeSpent>() {
            return Self::Deadline(circumstances.allowance);
        }
        if let Some(wrong) = error.downcast_ref::<WrongCall>() {
            return Self::Wrong(wrong.0.clone());
        }
        if let Some((wanted_bytes, allowed_bytes)) = circumstances.denied {
            return Self::Memory {
                wanted_bytes,
                allowed_bytes,
            };
        }
        let trap = error.downcast_ref::<Trap>();
        let why = match trap {
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        let why = why.trim_start_matches("wasm trap: ");
        let Some(complaint) = &circumstances.complaint else {
            return Self::Trap(why.to_owned());
        };
        let complaint: String = complaint.chars().take(COMPLAINT_CHARS_MAX).collect();
        Self::Trap(match trap {
            // How a panic ends a call, which says no more than that it was one.
            Some(Trap::UnreachableCodeReached) => complaint,
            _ => format!("{why}, after it logged: {complaint}"),
        })
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(allowance) => {
                write!(
                    f,
                    "took more than the {allowance:?} of CPU time that it has"
                )
            }
            Self::Trap(why) => write!(f, "trapped: {why}"),
            Self::Memory {
                wanted_bytes,
                allowed_bytes,
            } => write!(
                f,
                "trapped for want of memory: it asked for {wanted_bytes} bytes in all, and \
                 {allowed_bytes} are allowed"
            ),
            Self::Wrong(why) => write!(f, "{why}"),
        }
    }
}
