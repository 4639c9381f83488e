//! The console in a browser: what people see once its scripts have run, and what its buttons do.

mod browser;

use std::fs;

use e2e::harness::{Server, drop_policy, eventually, policy, tool};

use crate::users::hash_password;
use crate::values::ok;
use browser::Browser;

#[test]
fn the_console_shows_figures_policies_tenants_and_why_a_key_is_there() {
    let Some(program) = tool("chromium", "the console in a browser") else {
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
    let mut browser = Browser::open(&program, &address);
    for text in [
        // The server is asked, and its answer is understood.
        "data-state=\"ready\"",
        "50.0 % since the start",
        "of 16.0 MiB; resident ",
        // A policy that was refused, why, and when.
        "<strong>10-broken</strong>",
        "data-state=\"refused\"",
        "it is not WebAssembly",
        "<th scope=\"row\">default</th>",
        // How long commands took.
        "<th scope=\"row\">cache.set</th>",
        // What clients say is text, not a part of the page.
        "<span class=\"code\">&lt;b&gt;key&lt;/b&gt;</span>",
        "<dd>yes</dd>",
        "<dd>page</dd>",
        "<li>tag=spring</li>",
    ] {
        eventually(&format!("the console shows {text}"), || {
            browser.page().contains(text).then_some(())
        });
    }
}

/// What finds an element by its id.
fn by_id(id: &str) -> String {
    format!("document.getElementById('{id}')")
}

#[test]
fn the_console_lets_people_in_and_shows_what_was_slow() {
    let Some(program) = tool("chromium", "signing in to the console") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("larder.toml");
    let hash = hash_password("sécret");
    let user = format!("[[user]]\nname = 'root'\nadmin = true\npassword = '{hash}'\n");
    fs::write(&config, user).unwrap();
    let server = Server::start(&["--config", &config.display().to_string()]);
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", "root", "sécret"]), ok());
    let slower = ["CONFIG", "SET", "slowlog-log-slower-than"];
    assert_eq!(client.call(&[&slower[..], &["0"]].concat()), ok());
    assert_eq!(client.call(&["SET", "<i>slow</i>", "x"]), ok());
    assert_eq!(client.call(&[&slower[..], &["-1"]].concat()), ok());

    let mut browser = Browser::open(&program, &format!("http://{}/", server.http()));
    let [form, main, news] = ["sign-in", "main", "news"].map(by_id);
    browser.wait_for(&format!("{form} && !{form}.hidden && {main}.hidden"));
    let sign_in = |password: &str| {
        let [user, field, form] = ["user", "password", "sign-in-form"].map(by_id);
        format!("{user}.value = 'root'; {field}.value = '{password}'; {form}.requestSubmit()")
    };
    browser.act(&sign_in("guess"));
    browser.wait_for(&format!("{news}.textContent.startsWith('Not signed in')"));
    browser.act(&sign_in("sécret"));
    let state = by_id("state");
    browser.wait_for(&format!(
        "{state}.dataset.state === 'ready' && !{main}.hidden"
    ));
    let log = by_id("slowlog");
    browser.wait_for(&format!("{log}.textContent.includes('SET <i>slow</i> x')"));
}

#[test]
fn the_console_does_what_its_buttons_say() {
    let Some(program) = tool("chromium", "the buttons of the console") else {
        return;
    };
    let server = Server::start(&["--memory", "16MiB"]);
    drop_policy(
        &server.policies(),
        "20-lru.wasm",
        &fs::read(policy("lru")).unwrap(),
    );
    let mut browser = Browser::open(&program, &format!("http://{}/", server.http()));
    for (label, state) in [("Disable", "disabled"), ("Enable", "active")] {
        let card = "[...document.querySelectorAll('.policy')]\
            .find((card) => card.querySelector('strong').textContent === '20-lru')";
        let button = format!(
            "[...({card}?.querySelectorAll('button') ?? [])]\
             .find((button) => button.textContent === '{label}')"
        );
        browser.wait_for(&button);
        browser.act(&format!("{card}.open = true; {button}.click()"));
        browser.wait_for(&format!("{}.open", by_id("confirm")));
        browser.act("document.querySelector('#confirm [value=yes]').click()");
        let badge = format!("{card}.querySelector('.badge')");
        browser.wait_for(&format!("{badge}.dataset.state === '{state}'"));
        server.await_policy("20-lru", state);
    }
}
