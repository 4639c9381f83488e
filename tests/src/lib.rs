//! End-to-end tests: the harness that starts real servers, and the bodies of the fuzz targets.
#![forbid(unsafe_code)]

pub mod fuzz;
pub mod harness;
