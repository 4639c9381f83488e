//! Larder as strangers meet it: the real program, over real sockets.
#![forbid(unsafe_code)]

mod clients;
mod contract;
mod hostile;
mod values;
