use std::io::{Read, Write};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};

use super::*;
use crate::ServerConfig;
use crate::testing::{Client, command, config, eventually, parts, serve};

/// As `larder hash-password` makes it, but checked in no time.
fn cheap_hash(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).expect("the least there may be");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut out = [0; 32];
    let salt = b"sixteen bytes ok";
    argon2
        .hash_password_into(password.as_bytes(), salt, &mut out)
        .expect("a password can be hashed");
    let encode = |bytes: &[u8]| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes)
    };
    format!(
        "$argon2id$v=19$m=8,t=1,p=1${}${}",
        encode(salt),
        encode(&out)
    )
}

fn user(name: &str, password: &str, rules: Option<&str>) -> UserConfig {
    UserConfig {
        name: name.into(),
        tenant: "default".into(),
        is_admin: name == "root",
        password_hashes: vec![cheap_hash(password)],
        rules: rules.map(str::to_owned),
    }
}

fn with_users(config: &mut ServerConfig) {
    config.users = vec![
        user("root", "secret", None),
        user("reader", "book", Some("+get +mget %R~book:*")),
    ];
}

const OK: &str = "+OK\r\n";
const NOAUTH: &str = "-NOAUTH Authentication required.\r\n";
const WRONGPASS: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

fn sign_in<S: Read + Write>(client: &mut Client<S>, name: &str, password: &str) {
    client.ask(
        command(&[b"AUTH", name.as_bytes(), password.as_bytes()]),
        OK,
    );
}

#[test]
fn nothing_is_done_for_strangers_but_greeting_them() {
    let server = serve(with_users);
    let mut client = server.connect();
    for line in [
        "GET a\r\n",
        "ACL WHOAMI\r\n",
        "COMMAND\r\n",
        "PING\r\n",
        "POLICY LIST\r\n",
    ] {
        client.ask(line, NOAUTH);
    }
    client.ask(
        "HELLO 3\r\n",
        "-NOAUTH HELLO must be called with the client already authenticated",
    );
    client.expect(
        ", otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the \
         client and select the RESP protocol version at the same time\r\n",
    );
    client.ask("AUTH reader wrong\r\n", WRONGPASS);
    client.ask("AUTH nobody book\r\n", WRONGPASS);
    client.ask("AUTH book\r\n", WRONGPASS);
    client.ask("AUTH a b c\r\n", "-ERR syntax error\r\n");
    client.ask("GET a\r\n", NOAUTH);
    sign_in(&mut client, "reader", "book");
    client.ask("GET book:1\r\n", "$-1\r\n");
    client.ask("QUIT\r\n", OK);
}

#[test]
fn what_strangers_send_is_small() {
    let server = serve(with_users);
    let mut client = server.connect();
    client.send(command(&[b"SET", b"k", &[b'v'; 20_000]]));
    assert!(client.rest().starts_with(b"-ERR Protocol error"));
    let mut client = server.connect();
    let auth = command(&[b"AUTH", b"root", b"secret"]);
    let set = command(&[b"SET", b"k", &[b'v'; 20_000]]);
    client.ask([auth, set].concat(), [OK, OK].concat());
}

#[test]
fn replies_keep_their_order_while_a_password_is_checked() {
    let server = serve(with_users);
    let mut client = server.connect();
    client.ask(
        "GET a\r\nAUTH root no\r\nGET a\r\nAUTH root secret\r\nSET a b\r\nGET a\r\nHELLO 2 AUTH root secret SETNAME me\r\n",
        [NOAUTH, WRONGPASS, NOAUTH, OK, OK, "$1\r\nb\r\n", "*14\r\n$6\r\nserver\r\n"].concat(),
    );
}

#[test]
fn others_are_served_while_somebody_waits_for_a_wrong_password() {
    let server = serve(|config| {
        with_users(config);
        config.threads = 1;
    });
    let (mut wrong, mut right) = (server.connect(), server.connect());
    sign_in(&mut right, "root", "secret");
    for _ in 0..4 {
        wrong.send("AUTH reader no\r\n");
    }
    for _ in 0..100 {
        right.ask("SET a b\r\n", OK);
    }
    wrong.expect(WRONGPASS.repeat(4));
}

#[test]
fn an_address_that_guesses_is_locked_out_even_with_the_right_password() {
    let server = serve(with_users);
    let users = &server.shared.users;
    let address = Address::of_peer("127.0.0.1:1");
    for n in 0..10 {
        users
            .failures
            .note(&n.to_string(), address, server.shared.now());
    }
    let mut client = server.connect();
    client.ask(
        "AUTH reader book\r\n",
        "-WRONGPASS too many wrong passwords from your address, try again in 30 s\r\n",
    );
    client.ask("GET a\r\n", NOAUTH);
}

#[test]
fn a_change_takes_effect_on_connections_that_are_there() {
    let server = serve(with_users);
    let (mut root, mut reader) = (server.connect(), server.connect());
    sign_in(&mut root, "root", "secret");
    sign_in(&mut reader, "reader", "book");
    let denied = "-NOPERM User reader has no permissions to run the 'set' command\r\n";
    let no_key = "-NOPERM No permissions to access a key\r\n";
    reader.ask("SET book:1 x\r\n", denied);
    reader.ask("GET other\r\n", no_key);
    root.ask("ACL SETUSER reader +set\r\n", OK);
    reader.ask("SET book:1 x\r\n", no_key);
    root.ask("ACL SETUSER reader ~book:*\r\n", OK);
    reader.ask("SET book:1 x\r\n", OK);
    reader.ask(
        "ACL SETUSER reader +@all\r\n",
        "-NOPERM User reader has no permissions to run the 'acl|setuser' command\r\n",
    );
    root.ask("ACL SETUSER reader +@all\r\n", OK);
    reader.ask(
        "ACL SETUSER reader allkeys\r\n",
        "-NOPERM only an administrator may do this\r\n",
    );
    root.ask("ACL DELUSER reader\r\n", ":1\r\n");
    assert_eq!(reader.rest(), b"", "it ends at once");
    root.ask("ACL SETUSER reader on >new +@all ~* &*\r\n", OK);
    root.ask("GET book:1\r\n", "$1\r\nx\r\n");
    root.ask(
        "ACL SETUSER boss on >new +@all ~* &*\r\nACL DELUSER root\r\n",
        "+OK\r\n:1\r\n",
    );
    assert_eq!(root.rest(), b"", "it ends once that is answered");
}

#[test]
fn a_password_that_changed_is_not_remembered() {
    let server = serve(with_users);
    let mut root = server.connect();
    sign_in(&mut root, "root", "secret");
    for _ in 0..3 {
        sign_in(&mut server.connect(), "reader", "book");
    }
    let reader = server.shared.users.find("reader").expect("it is there");
    let now = server.shared.now();
    let passwords = &server.shared.users.passwords;
    assert!(passwords.remembers(&reader, b"book", now));
    assert!(!passwords.remembers(&reader, b"books", now));
    assert!(!passwords.remembers(&reader, b"book", now + 300_000));
    root.ask("ACL SETUSER reader resetpass >other\r\n", OK);
    let mut client = server.connect();
    client.ask("AUTH reader book\r\n", WRONGPASS);
    sign_in(&mut client, "reader", "other");
}

#[test]
fn a_tenant_has_so_many_places_and_gives_them_back() {
    let server = serve(|config| {
        with_users(config);
        config.tenant_limits = vec![TenantLimits {
            ops_per_second_max: None,
            connections_max: Some(1),
        }];
    });
    let (mut first, mut second) = (server.connect(), server.connect());
    sign_in(&mut first, "root", "secret");
    sign_in(&mut first, "reader", "book");
    second.ask(
        "AUTH root secret\r\n",
        "-ERR max number of clients reached\r\n",
    );
    second.ask("GET a\r\n", NOAUTH);
    first.send("QUIT\r\n");
    first.rest();
    drop(first);
    let quota = server
        .shared
        .users
        .quota(server.shared.engine.default_tenant())
        .cloned();
    let quota = quota.expect("each tenant has one");
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while quota.connections() > 0 && std::time::Instant::now() < deadline {
        std::thread::yield_now();
    }
    sign_in(&mut second, "root", "secret");
}

#[test]
fn requests_beyond_the_rate_are_delayed_and_none_is_refused() {
    let server = serve(|config| {
        config.tenant_limits = vec![TenantLimits {
            ops_per_second_max: Some(2_000),
            connections_max: None,
        }];
    });
    let mut client = server.connect();
    client.ask("PING\r\n".repeat(500), "+PONG\r\n".repeat(500));
    client.ask("PING\r\n", "+PONG\r\n");
    // Neither a long run nor another connection is a way around it.
    server.connect().ask("PING\r\n", "+PONG\r\n");
    let quota = server
        .shared
        .users
        .quota(server.shared.engine.default_tenant());
    let (times, time) = quota.expect("each tenant has one").throttled();
    assert!(
        times > 0 && time > Duration::from_millis(10),
        "{times} times, {time:?}"
    );
}

#[test]
fn configured_rules_that_are_none_allow_nothing() {
    let shared = crate::Shared::new(config(), parts());
    let tenant = shared.engine.default_tenant();
    let broken = UserConfig {
        name: "a".into(),
        tenant: tenant.name().into(),
        rules: Some("+@all nonsense".into()),
        ..UserConfig::default()
    };
    let profile = Profile::of(&broken);
    assert!(!profile.is_enabled && !profile.rights.is_everything());
    for (rules, why) in [
        (
            "+nosuch",
            "'+nosuch': Unknown command or category name in ACL",
        ),
        ("(+get", "'(+get': unmatched parenthesis"),
        ("~* ~a", "'~a': Adding a pattern after the * pattern"),
    ] {
        let error = check_rules(rules).expect_err(rules);
        assert!(error.starts_with(why), "{error}");
    }
    check_rules("+@read -get (+set ~a*) %R~b &c").expect("all of these are rules");
}

#[test]
fn hashes_are_whole_argon2id_and_not_too_costly() {
    let hash = hash_password(b"secret", b"sixteen bytes ok").expect("it can be hashed");
    assert_eq!(check_password_hash(&hash), Ok(()));
    let secret = secret::Secret::argon2(&hash).expect("it is one");
    assert!(secret.matches(b"secret", &[0; 32]) && !secret.matches(b"Secret", &[0; 32]));
    assert_eq!(secret.to_string(), hash);
    for wrong in [
        "secret",
        "$argon2id$v=19$m=8,t=1,p=1",
        &hash.replace("argon2id", "argon2i"),
        &hash.replace("m=19456", "m=65537"),
        &hash.replace("t=2", "t=11"),
    ] {
        assert!(check_password_hash(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn whoever_is_no_administrator_sees_their_tenants_clients_and_ends_nobody_but_themselves() {
    let server = serve(|config| {
        with_users(config);
        config.users.push(user("ann", "a", None));
    });
    let (mut root, mut ann) = (server.connect(), server.connect());
    sign_in(&mut root, "root", "secret");
    sign_in(&mut ann, "ann", "a");
    let not_admin = "-NOPERM only an administrator may do this\r\n";
    ann.ask("CLIENT KILL ID 1\r\n", not_admin);
    ann.ask("CLIENT KILL USER root\r\n", not_admin);
    ann.ask("CLIENT KILL USER nobody\r\n", not_admin);
    ann.ask("CLIENT KILL ID 3\r\n", ":0\r\n");
    ann.ask("CLIENT KILL USER ann\r\n", ":0\r\n");
    ann.send("CLIENT KILL USER ann SKIPME no\r\n");
    assert_eq!(ann.rest(), b":1\r\n");
    root.ask("PING\r\n", "+PONG\r\n");
    root.ask(
        "CLIENT KILL USER nobody\r\n",
        "-ERR No such user 'nobody'\r\n",
    );
}

#[test]
fn who_waited_while_the_address_was_locked_out_is_refused() {
    let server = serve(with_users);
    let (users, address) = (&server.shared.users, Address::of_peer("10.0.0.1:1"));
    let denial = || Denial {
        context: "toplevel",
        client: String::new(),
    };
    let check = |password: &[u8]| {
        let checked = users.check_password("reader", password, address, denial());
        checked.map(|_| ()).map_err(|(refused, _)| refused)
    };
    assert_eq!(check(b"book"), Ok(()));
    for _ in 0..10 {
        assert_eq!(check(b"wrong"), Err(Refused::Wrong));
    }
    let left_ms = 30_000;
    assert_eq!(check(b"book"), Err(Refused::LockedOut { left_ms }));
}

#[test]
fn policies_of_other_tenants_are_an_administrators() {
    let shared = crate::Shared::new(config(), crate::testing::parts_of(&["default", "other"]));
    let tenant = shared.engine.default_tenant();
    let user = |is_admin| {
        let user = shared.users.user("u", tenant, is_admin, Profile::default());
        ["*", "default", "other"].map(|name| user.knows_policies_of(name))
    };
    assert_eq!(user(false), [true, true, false]);
    assert_eq!(user(true), [true; 3]);
}

#[test]
fn who_may_no_longer_hear_a_channel_hears_nothing_more() {
    let server = serve(with_users);
    let (mut root, mut reader) = (server.connect(), server.connect());
    sign_in(&mut root, "root", "secret");
    sign_in(&mut reader, "reader", "book");
    root.ask("ACL SETUSER reader +subscribe &news\r\n", OK);
    let begun = "*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n";
    reader.ask("SUBSCRIBE news\r\n", begun);
    let message = "*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$1\r\n1\r\n";
    root.ask("PUBLISH news 1\r\n", ":1\r\n");
    reader.expect(message);
    root.ask(
        "ACL SETUSER reader &other\r\nPUBLISH news 1\r\n",
        "+OK\r\n:1\r\n",
    );
    reader.expect(message);
    root.ask(
        "ACL SETUSER reader resetchannels\r\nPUBLISH news 2\r\n",
        "+OK\r\n:1\r\n",
    );
    assert_eq!(reader.rest(), b"");
}

#[test]
fn who_may_no_longer_watch_is_shown_nothing_more() {
    for (asked, right) in [
        ("MONITOR", "monitor"),
        ("CLIENT TRACKING ON BCAST", "client|tracking"),
    ] {
        let server = serve(with_users);
        let (mut root, mut reader) = (server.connect(), server.connect());
        sign_in(&mut root, "root", "secret");
        sign_in(&mut reader, "reader", "book");
        root.ask(format!("ACL SETUSER reader +hello +{right}\r\n"), OK);
        reader.send(format!("HELLO 3\r\n{asked}\r\n"));
        let follows = |shared: &crate::Shared| {
            let tenants = shared.engine.tenants().iter();
            let clients = tenants.map(|tenant| shared.tracking_figures(tenant).clients);
            shared.census().monitoring + clients.sum::<u64>()
        };
        eventually(|| follows(&server.shared) == 1);
        root.ask("SET shown 1\r\n", OK);
        let (mut told, mut byte) = (String::new(), [0]);
        while !told.contains("shown") {
            reader.stream.read_exact(&mut byte).expect("it is told");
            told.push(byte[0].into());
        }
        root.ask(
            format!("ACL SETUSER reader -{right}\r\nSET hidden 1\r\n"),
            "+OK\r\n+OK\r\n",
        );
        let rest = reader.rest();
        assert!(!rest.windows(6).any(|part| part == b"hidden"), "{asked}");
    }
}

#[test]
fn who_signs_in_needs_nothing_of_what_others_hold() {
    let server = serve(|config| {
        with_users(config);
        config.client_buffers_bytes_max = 4 << 20;
    });
    let mut root = server.connect();
    sign_in(&mut root, "root", "secret");
    root.ask("MULTI\r\n", OK);
    for _ in 0..2 {
        root.ask(command(&[b"SET", b"k", &[b'x'; 1_050_000]]), "+QUEUED\r\n");
    }
    assert!(server.shared.buffers.used_bytes() > 2 << 20);
    let mut reader = server.connect();
    sign_in(&mut reader, "reader", "book");
    root.ask("EXEC\r\n", "*2\r\n+OK\r\n+OK\r\n");
}
