//! The clients that people have: redis-cli and redis-py.

mod redis_cli;
mod redis_py;
