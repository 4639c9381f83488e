//! The clients that people have: redis-cli, and the libraries of Python and Node with the frameworks above
//! them; and a tool that makes requests of the HTTP API's description. What a script checks was tried against
//! `redis-server` first.

mod installed;
mod node;
mod redis_cli;
mod redis_py;
mod schemathesis;
