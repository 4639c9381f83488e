//! Those who are told what others do.

pub(crate) mod monitor;
