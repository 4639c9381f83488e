//! The HTTP API, held against its own description: requests that it allows, those it does not, and sequences
//! of them.

use std::process::{Command, Stdio};

use e2e::harness::{PATIENCE, Server, run};

use super::installed::{python, sources};

#[test]
fn the_http_api_does_what_its_description_says() {
    let Some(python) = python() else { return };
    let server = Server::start(&["--memory", "32MiB"]);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", server.http());
    let config = sources().join("python/schemathesis.toml");
    let mut command = Command::new(python.with_file_name("schemathesis"));
    command
        // It leaves what it learned where it runs.
        .current_dir(folder.path())
        .arg("--config-file")
        .arg(config)
        .args(["run", &format!("{url}/openapi.json"), "--url", &url])
        .args([
            "--phases",
            "coverage,fuzzing,stateful",
            "--max-examples",
            "10",
        ])
        .args(["--seed", "1", "--workers", "1", "--request-timeout", "60"])
        .args(["--suppress-health-check", "all", "--no-color"])
        .stdin(Stdio::null());
    let finished = run(&mut command, PATIENCE * 3);
    assert!(
        finished.status.success(),
        "{}\n{}",
        finished.stdout,
        finished.stderr
    );
    let asked = server.metric("larder_http_responses_total");
    assert!(asked > 100.0, "{asked} requests");
}
