//! Policies as WebAssembly: they are checked, compiled, limited, tested and run here, and kept in
//! step with the folder that they are dropped into.
//!
//! | module | what |
//! |---|---|
//! | `sandbox` | the engine, its limits, and what becomes of a file before it may run |
//! | `policy` | a loaded policy, its instances, and what they may do |
//! | `folder` | the folder, its events, side-cars, when a file counts as complete |
//! | [`chain`] | how the answers of several policies make one verdict |
//! | `keeper` | which policy is in force where, since when and why |
//!
//! Nothing outside this crate names wasmtime. Whatever a guest returns is checked before it is
//! believed: addresses and lengths against its memory, answers against the contract in
//! [`larder_abi`]. What breaks a rule is an offence: it is counted, logged and returned as
//! [`larder_engine::Unfit`], and the instance is never called again.

pub mod chain;
mod check;
mod folder;
mod keeper;
mod native;
mod policy;
mod sandbox;

pub use check::{Checked, CheckedParameter, check};
pub use keeper::{Keeper, KeeperConfig, REFUSED_AND_STAYS};
pub use native::native_setup;
pub use policy::{Decisions, Figures, Manifest, Parameter, Policy};
pub use sandbox::{Given, Limits, Refusal, Sandbox, SandboxConfig, Settings};

#[cfg(test)]
mod testing;
