//! redis-py, with its parser in C (hiredis) and without, and the frameworks above it.

use e2e::harness::Server;

use super::installed::{passes, python, python_script};
use crate::tls::Files;

#[test]
fn redis_py_works_in_both_versions_of_the_protocol() {
    let Some(python) = python() else { return };
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket").display().to_string();
    let flags = [
        "--unix-socket",
        &socket,
        "--memory",
        "64MiB",
        "--threads",
        "2",
    ];
    let server = Server::start(&flags);
    let (ip, port) = (server.addr().ip(), server.addr().port());
    for parser in ["hiredis", "python"] {
        let mut script = python_script(&python, "redis_py.py");
        script.args([&ip.to_string(), &port.to_string(), &socket, parser]);
        passes(&mut script, 2);
    }
}

#[test]
fn redis_py_works_over_tls() {
    let Some(python) = python() else { return };
    let files = Files::new();
    let [ca, cert, key] = ["ca", "cert", "key"].map(|name| files.shown(name));
    let required = ["--tls-client-ca", &ca, "--tls-client-auth", "required"];
    let server = files.serve(&[&["--memory", "128MiB", "--threads", "2"], &required[..]].concat());
    let mut script = python_script(&python, "redis_py_tls.py");
    script.args([&server.tls().port().to_string(), &ca, &cert, &key]);
    passes(&mut script, 2);
}

#[test]
fn django_and_flask_keep_their_values_and_sessions() {
    let Some(python) = python() else { return };
    let server = Server::start(&["--memory", "64MiB", "--threads", "2"]);
    let (ip, port) = (server.addr().ip(), server.addr().port());
    let mut script = python_script(&python, "frameworks.py");
    passes(script.args([ip.to_string(), port.to_string()]), 11);
}
