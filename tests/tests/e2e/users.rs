//! Users and tenants, as strangers meet them.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use e2e::harness::{Client, Server, eventually, larder};
use larder_resp::Value;

use crate::values::{NIL, bulk, error_text, ok};

/// What `larder hash-password` makes of a password that another program writes.
pub(crate) fn hash_password(password: &str) -> String {
    let mut child = larder(["hash-password"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(password.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

fn sign_in(server: &Server, name: &str, password: &str) -> Client {
    let mut client = server.client();
    assert_eq!(client.call(&["AUTH", name, password]), ok());
    client
}

#[track_caller]
fn refused(client: &mut Client, request: &[&str], begins: &str) {
    let text = error_text(client.call(request));
    assert!(text.starts_with(begins), "{request:?}: {text}");
}

/// The tenants that INFO tells a client of.
fn tenants(client: &mut Client) -> Vec<String> {
    let named = |line: &str| Some(line.strip_prefix("tenant_")?.split(':').next()?.to_owned());
    let Value::Bulk(Some(info)) = client.call(&["INFO", "tenants"]) else {
        panic!("INFO is text");
    };
    let info = String::from_utf8_lossy(&info);
    info.lines().filter_map(named).collect()
}

#[test]
fn users_work_on_their_own_tenant_and_an_administrator_changes_them_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("larder.toml");
    let hash = hash_password("secret");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let text = format!(
        "[[tenant]]\nname = 'a'\nmemory = '32MiB'\n[[tenant]]\nname = 'b'\nmemory = '32MiB'
        [[user]]\nname = 'root'\nadmin = true\npassword = '{hash}'
        [[user]]\nname = 'ann'\ntenant = 'a'\npassword = '{hash}'
        [[user]]\nname = 'bob'\ntenant = 'b'\npassword = '{hash}'\nrules = '+@all -del ~*'\n"
    );
    fs::write(&config, text).unwrap();
    let server = Server::start(&["--config", &config.display().to_string()]);

    let mut stranger = server.client();
    refused(
        &mut stranger,
        &["SET", "k", "v"],
        "NOAUTH Authentication required.",
    );
    refused(&mut stranger, &["AUTH", "ann", "guess"], "WRONGPASS ");
    refused(&mut stranger, &["GET", "k"], "NOAUTH ");
    eventually("the wrong password is counted", || {
        (server.metric("larder_auth_failures_total") == 1.0).then_some(())
    });

    let (mut ann, mut bob) = (
        sign_in(&server, "ann", "secret"),
        sign_in(&server, "bob", "secret"),
    );
    let mut root = sign_in(&server, "root", "secret");
    assert_eq!(ann.call(&["SET", "k", "of a"]), ok());
    assert_eq!(bob.call(&["GET", "k"]), NIL);
    assert_eq!(bob.call(&["SET", "k", "of b"]), ok());
    assert_eq!(bob.call(&["FLUSHALL"]), ok());
    assert_eq!(bob.call(&["DBSIZE"]), Value::Integer(0));
    assert_eq!(ann.call(&["GET", "k"]), bulk("of a"));
    assert_eq!(root.call(&["GET", "k"]), NIL);
    assert_eq!(tenants(&mut ann), ["a"]);
    assert_eq!(tenants(&mut root), ["default", "a", "b"]);

    refused(
        &mut bob,
        &["DEL", "k"],
        "NOPERM User bob has no permissions to run the 'del' command",
    );
    refused(&mut bob, &["ACL", "SETUSER", "bob", "+del"], "NOPERM ");
    assert_eq!(
        root.call(&["ACL", "SETUSER", "bob", "+del", "resetkeys", "~own:*"]),
        ok()
    );
    assert_eq!(bob.call(&["DEL", "own:k"]), Value::Integer(0));
    refused(
        &mut bob,
        &["DEL", "k"],
        "NOPERM No permissions to access a key",
    );
    assert_eq!(root.call(&["ACL", "DELUSER", "ann"]), Value::Integer(1));
    assert_eq!(ann.receive(), None, "her connection ends at once");
    refused(&mut stranger, &["AUTH", "ann", "secret"], "WRONGPASS ");
    assert_eq!(server.metric("larder_denied_total"), 5.0);
}
