//! The console in a browser: what people see once its scripts have run.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use e2e::harness::{PATIENCE, Server, eventually, run, tool};

use crate::values::ok;

/// The page as it stands some seconds after it was opened, as the browser counts them.
fn page(browser: &Path, address: &str) -> String {
    let profile = tempfile::tempdir().unwrap();
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args(["--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--virtual-time-budget=5000", "--dump-dom", address])
        .stdin(Stdio::null());
    run(&mut command, PATIENCE).stdout
}

#[test]
fn the_console_shows_figures_policies_tenants_and_why_a_key_is_there() {
    let Some(browser) = tool("chromium", "the console in a browser") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("10-broken.wasm"), "no module").unwrap();
    let policies = folder.path().display().to_string();
    let server = Server::start(&["--policies", &policies, "--memory", "16MiB"]);
    let mut client = server.client();
    let set = [
        "CACHE.SET",
        "<b>key</b>",
        "value",
        "TYPE",
        "page",
        "TAGS",
        "1",
        "spring",
    ];
    assert_eq!(client.call(&set), ok());
    client.call(&["GET", "<b>key</b>"]);
    client.call(&["GET", "none"]);

    let address = format!("http://{}/#inspect=%3Cb%3Ekey%3C%2Fb%3E", server.http());
    let expected = [
        // The server is asked, and its answer is understood.
        "data-state=\"ready\"",
        "50.0 % since the start",
        "of 16.0 MiB; resident ",
        // A policy that was refused, why, and when.
        "<strong>10-broken</strong>",
        "data-state=\"refused\"",
        "it is not WebAssembly",
        "<th scope=\"row\">default</th>",
        // What clients say is text, not a part of the page.
        "<span class=\"code\">&lt;b&gt;key&lt;/b&gt;</span>",
        "<dd>yes</dd>",
        "<dd>page</dd>",
        "<li>tag=spring</li>",
    ];
    let mut seen = String::new();
    let missing = |page: &str| expected.iter().find(|text| !page.contains(**text)).copied();
    eventually(&format!("the console shows {expected:?}"), || {
        seen = page(&browser, &address);
        missing(&seen).is_none().then_some(())
    });
}
