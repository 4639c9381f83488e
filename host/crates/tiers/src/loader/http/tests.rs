use super::*;

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| (HeaderName::from_static(name), *value));
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn an_origin_says_how_long_its_values_are_good() {
    for (said, seconds) in [
        ("max-age=60", Some(60)),
        ("public, Max-Age = \"60\"", Some(60)),
        ("max-age=60, s-maxage=5", Some(5)),
        ("max-age=60, no-store", Some(0)),
        ("private, max-age=60", Some(0)),
        ("no-cache", Some(0)),
        ("max-age=never", None),
        ("public", None),
    ] {
        let found = cache_control(&headers(&[("cache-control", said)]));
        assert_eq!(found.map(|ttl| ttl.as_secs()), seconds, "{said}");
    }
    let twice = [("cache-control", "public"), ("cache-control", "max-age=1")];
    let found = cache_control(&headers(&twice));
    assert_eq!(found, Some(Duration::from_secs(1)));
    assert_eq!(cache_control(&headers(&[])), None);
}

#[test]
fn the_type_of_a_value_has_no_parameters() {
    let of = |text| data_type(&headers(&[("content-type", text)]));
    assert_eq!(
        of("Application/JSON; charset=utf-8").as_deref(),
        Some("application/json")
    );
    assert_eq!(of(" ; a=b"), None);
    assert_eq!(data_type(&headers(&[])), None);
}

#[test]
fn a_value_that_is_compressed_is_told() {
    assert!(!is_encoded(&headers(&[])));
    assert!(!is_encoded(&headers(&[("content-encoding", "Identity")])));
    assert!(is_encoded(&headers(&[("content-encoding", "gzip")])));
}

#[test]
fn headers_are_checked_and_never_shown() {
    let (name, value) = header("Authorization", "Bearer secret").unwrap();
    assert_eq!(name, "authorization");
    assert!(!format!("{value:?}").contains("secret"));
    assert_eq!(header("a b", ""), Err("is no name of a header"));
    assert_eq!(header("Host", "x"), Err("is said by the server itself"));
    let wrong = header("X", "a\nb: c").unwrap_err();
    assert_eq!(wrong, "has characters that no header may have");
}
