use super::*;

#[test]
fn what_is_missing_or_makes_no_sense_together_is_told() {
    refused(
        &layers("http = 'none'\ntls.http = true\ntls.cert = 'c'", &[], &[]),
        r#"default: tls.key: found "none"; allowed: the path of a PEM file, because tls.http is set
        l.toml:2: tls.http: found true; allowed: false, because http is "none""#,
    );
    refused(
        &layers(
            "[tls]\nlisten = '127.0.0.1:6379'\nclient_auth = 'some'",
            &[],
            &[],
        ),
        r#"default: tls.cert: found "none"; allowed: the path of a PEM file, because tls.listen is set
        default: tls.key: found "none"; allowed: the path of a PEM file, because tls.listen is set
        l.toml:2: tls.listen: found "127.0.0.1:6379"; allowed: another port than listen has: both cannot be served on one
        l.toml:3: tls.client_auth: found "some"; allowed: "none", "optional" or "required""#,
    );
    let tls = "[tls]\nlisten = '127.0.0.1:8379'\ncert = 'c'\nkey = 'k'\n";
    refused(
        &layers(&format!("{tls}client_ca = 'ca'"), &[], &[]),
        r#"default: tls.client_auth: found "none"; allowed: "optional" or "required", because tls.client_ca is set
        l.toml:2: tls.listen: found "127.0.0.1:8379"; allowed: another port than http has: both cannot be served on one"#,
    );
    refused(
        &layers("listen = 'none'", &[], &[]),
        r#"l.toml:1: listen: found "none"; allowed: an address, because neither tls.listen nor unix_socket is set and nobody could connect"#,
    );
    refused(
        &layers("tls.client_auth = 'optional'", &[], &[]),
        r#"default: tls.client_ca: found "none"; allowed: the path of a PEM file, because tls.client_auth asks clients for certificates"#,
    );
}

#[test]
fn it_is_served_where_it_is_asked_for() {
    let tls = |text: &str| in_file(text).config.tls.served();
    let files = "tls.cert = 'c'\ntls.key = 'k'\n";
    assert_eq!(tls(files), None);
    let resp = tls(&format!("{files}tls.listen = '127.0.0.1:1'")).unwrap();
    assert_eq!(
        (resp.listen.map(|addr| addr.port()), resp.http),
        (Some(1), false)
    );
    let http = tls(&format!("{files}tls.http = true")).unwrap();
    assert_eq!((http.listen, http.http), (None, true));
}

#[test]
fn a_certificate_that_every_client_needs_is_as_good_as_a_password() {
    let tls = "tls.listen = '0.0.0.0:1'\ntls.cert = 'c'\ntls.key = 'k'\ntls.client_ca = 'a'\n";
    let with = |auth: &str, more: &str| format!("{more}\n{tls}tls.client_auth = '{auth}'");
    in_file(&with("required", "http = '0.0.0.0:80'\ntls.http = true"));
    in_file(&with("optional", "insecure = true"));
    let why = "allowed: a loopback address such as 127.0.0.1, because there are no users and \
               whoever can connect can read and change everything; --insecure allows any";
    refused(
        &layers(&with("optional", ""), &[], &[]),
        &format!("l.toml:2: tls.listen: found \"0.0.0.0:1\"; {why}"),
    );
    refused(
        &layers(&with("required", "http = '0.0.0.0:80'"), &[], &[]),
        &format!("l.toml:1: http: found \"0.0.0.0:80\"; {why}"),
    );
}
