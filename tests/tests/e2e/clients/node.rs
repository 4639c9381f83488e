//! The libraries of Node.

use std::process::Command;

use e2e::harness::Server;

use super::installed::{node, passes};

/// Runs a script against a server of its own.
#[track_caller]
fn check(script: &str, checks: usize) {
    let Some(folder) = node() else { return };
    let server = Server::start(&["--memory", "64MiB", "--threads", "2"]);
    let (ip, port) = (server.addr().ip(), server.addr().port());
    let mut command = Command::new("node");
    command.arg(folder.join(script));
    passes(command.args([ip.to_string(), port.to_string()]), checks);
}

#[test]
fn cache_manager_keeps_its_values() {
    check("cache_manager.mjs", 2);
}

#[test]
fn ioredis_works_in_both_versions_of_the_protocol() {
    check("ioredis.mjs", 11);
}

#[test]
fn node_redis_works_in_both_versions_of_the_protocol() {
    check("node_redis.mjs", 11);
}

#[test]
fn connect_redis_keeps_sessions() {
    check("connect_redis.mjs", 2);
}

#[test]
fn rate_limiter_flexible_lets_as_many_pass_as_there_are_points() {
    check("rate_limiter.mjs", 4);
}
