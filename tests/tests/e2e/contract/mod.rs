//! What is promised to those who start, watch and stop the server.

mod drain;
mod refusals;
mod settings;
mod sight;
mod sockets;
