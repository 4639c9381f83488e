//! The macros of `larder-sdk`, which re-exports them; use them from there.
#![forbid(unsafe_code)]

mod export;
mod field;
mod json;
mod parameters;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct the parameters of a policy: implements `Parameters` and `Default`.
///
/// Each field is a parameter of its name; its doc comment becomes the manifest's `about`. Types:
/// `u8` to `u64`, `i8` to `i64`, `f64`, `bool`, `String`, `Vec<String>`, `std::time::Duration` and
/// `larder_sdk::Size`. Each needs `#[parameter(default = …)]`; numbers, durations and sizes may
/// have `min` and `max` too, without which whole numbers range as far as their type does (and at
/// most to `i64::MAX`). Durations and sizes are texts: `"30s"`, `"4KiB"`. The host checks what a
/// side-car file says before a policy sees it.
#[proc_macro_derive(Parameters, attributes(parameter))]
pub fn derive_parameters(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    parameters::derive(&input)
        .unwrap_or_else(|error| parameters::stand_in(&input, error))
        .into()
}

/// Makes a crate a policy.
///
/// Defines `pub const MANIFEST: &str` and, where the crate is built for `wasm32`, the functions of
/// the contract and the section with the manifest. To be called once, in the root of a crate of
/// type `cdylib`:
///
/// ```text
/// larder_sdk::export! {
///     name: "s3-fifo",             // 1 to 64 of a-z 0-9 _ -
///     about: "one line",
///     eviction: S3Fifo,            // at least one of these five; the types may be the same, and
///     should_cache: Gate,          // must have the same `Policy::Parameters`
///     ttl: Rules,
///     priority: Rules,
///     security: Rules,
///     value_prefix_bytes: 64,      // optional: how much of a value the last four see, up to 4096
/// }
/// ```
///
/// The version is that of the crate.
#[proc_macro]
pub fn export(input: TokenStream) -> TokenStream {
    let export = parse_macro_input!(input as export::Export);
    export.expand().into()
}
