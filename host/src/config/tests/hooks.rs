use super::*;
use crate::config::{Hook, HookTo, Secret};
use larder_server::Gone;

#[test]
fn a_hook_has_defaults_and_comes_back_as_it_was_printed() {
    let text = "[[hook]]
        on = ['expire', 'evict']
        channel = 'gone'
        [[hook]]
        on = ['invalidate']
        match = 'session:*'
        url = 'https://example.org:8443/gone?x=1'
        secret = 'file:/run/secret'";
    let loaded = check(&layers(text, &[], &[])).unwrap();
    let hooks = loaded.config.store.hooks.clone();
    let expected = [
        Hook {
            on: vec![Gone::Expired, Gone::Evicted],
            pattern: "*".to_owned(),
            tenant: "default".to_owned(),
            to: HookTo::Channel("gone".to_owned()),
        },
        Hook {
            on: vec![Gone::Invalidated],
            pattern: "session:*".to_owned(),
            tenant: "default".to_owned(),
            to: HookTo::Url(
                "https://example.org:8443/gone?x=1".parse().unwrap(),
                Some(Secret::File("/run/secret".into())),
            ),
        },
    ];
    assert_eq!(hooks, expected);
    let printed = print(&loaded);
    // It may hold a secret.
    assert!(!printed.contains("gone?x=1"), "{printed}");
    let printed = printed.replace("***", "gone?x=1");
    let again = check(&layers(&printed, &[], &[])).unwrap();
    assert_eq!(again.config.store.hooks, hooks);
}

#[test]
fn what_is_wrong_with_hooks_is_told_line_by_line() {
    let text = "[[hook]]
        on = ['expire', 'expire']
        match = ''
        [[hook]]
        on = ['delete']
        url = 'http://me:hunter2@host/'
        secret = 'hunter2'
        [[hook]]
        on = ['evict']
        url = 'http://host/'
        channel = 'gone'
        role = 1
        [[hook]]
        channel = 'gone'";
    let problems = check(&layers(text, &[], &[])).unwrap_err().to_string();
    for line in [
        "l.toml:2: hook.on: found an array; allowed: an array",
        "l.toml:3: hook.match: found \"\"; allowed: a pattern of keys",
        "l.toml:1: hook.url: missing; allowed: an address",
        "l.toml:5: hook.on: found \"delete\"; allowed: an array",
        "l.toml:6: hook.url: it is none such; allowed",
        "l.toml:7: hook.secret: it is none such; allowed",
        "l.toml:11: hook.channel: found beside a url; allowed",
        "l.toml:12: hook.role: unknown key; allowed: on, match, ",
        "l.toml:13: hook.on: missing; allowed: an array",
    ] {
        assert!(problems.contains(line), "{line} is not in\n{problems}");
    }
    assert!(!problems.contains("hunter2"), "{problems}");
}
