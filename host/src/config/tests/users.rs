use super::*;

/// Of the password "secret".
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c2l4dGVlbiBieXRlcyBvaw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn hashed(text: &str) -> String {
    text.replace("HASH", HASH)
}

#[test]
fn users_have_a_tenant_passwords_and_rules() {
    let text = hashed(
        "[[tenant]]\nname = 'a'\nmemory = '64MiB'
        [[user]]\nname = 'root'\npassword = 'HASH'\nadmin = true
        [[user]]\nname = 'app'\npassword = ['HASH', 'HASH']\ntenant = 'a'\nrules = ['+@all -@dangerous', '~app:*']
        [[user]]\nname = 'guest'\npassword = 'none'\nrules = '+get ~public:*'",
    );
    let loaded = in_file(&text);
    let users = &loaded.config.store.users;
    let brief: Vec<_> = users
        .iter()
        .map(|user| {
            (
                &*user.name,
                user.passwords.len(),
                &*user.tenant,
                user.is_admin,
                user.rules.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        brief,
        [
            ("root", 1, "default", true, None),
            ("app", 2, "a", false, Some("+@all -@dangerous ~app:*")),
            ("guest", 0, "default", false, Some("+get ~public:*")),
        ]
    );
    let printed = print(&loaded);
    assert_eq!(in_file(&printed).config, loaded.config, "{printed}");
}

#[test]
fn what_is_wrong_with_users_is_told_line_by_line() {
    let text = hashed(
        "[[user]]
        password = 'secret'
        [[user]]
        name = 'a'
        tenant = 'b'
        admin = 'yes'
        rules = '+nosuch'
        role = 1
        [[user]]
        name = 'a'
        password = ['HASH', 'none']
        rules = 'nopass'
        [user.x]
        y = 1",
    );
    let password = "what `larder hash-password` prints, an array of several, or \"none\" for a user who needs no password";
    let rules =
        "rules as ACL SETUSER takes them, such as \"+@read ~cache:* &*\", without passwords";
    refused(
        &layers(&text, &[], &[]),
        &format!(
            "l.toml:1: user.name: missing; allowed: 1 to 64 characters of a-z, 0-9, _ and -
            l.toml:2: user.password: password hash string missing field; allowed: {password}
            l.toml:3: user.password: missing; allowed: {password}
            l.toml:5: user.tenant: found \"b\"; allowed: a tenant: \"default\"
            l.toml:6: user.admin: found \"yes\"; allowed: true or false
            l.toml:7: user.rules: '+nosuch': Unknown command or category name in ACL; allowed: {rules}
            l.toml:8: user.role: unknown key; allowed: name, password, tenant, admin, rules
            l.toml:10: user.name: found \"a\", as on line 4; allowed: a name no other user has
            l.toml:11: user.password: password hash string missing field; allowed: {password}
            l.toml:12: user.rules: found a password, or a rule about passwords; allowed: {rules}
            l.toml:13: user.x: unknown key; allowed: name, password, tenant, admin, rules"
        ),
    );
}

#[test]
fn with_passwords_others_may_connect() {
    let user = |name: &str, password: &str| {
        hashed(&format!(
            "listen = '0.0.0.0:1'\n[[user]]\nname = '{name}'\npassword = '{password}'"
        ))
    };
    in_file(&user("app", "HASH"));
    in_file(&user("default", "HASH"));
    for name in ["default", "guest"] {
        refused(
            &layers(&user(name, "none"), &[], &[]),
            &format!(
                "l.toml:1: listen: found \"0.0.0.0:1\"; allowed: a loopback address such as 127.0.0.1, because user \"{name}\" needs no password and whoever can connect can read and change everything; --insecure allows any"
            ),
        );
    }
}
