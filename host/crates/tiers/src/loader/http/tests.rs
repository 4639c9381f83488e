use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use tokio::time::timeout;

use super::*;

/// How long anything may take here.
const PATIENCE: Duration = Duration::from_secs(90);

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
fn tags_are_lists_of_any_bytes() {
    let said = [("larder-tags", " a, b%2C%ff,,"), ("larder-tags", "c d")];
    let expected: [&[u8]; 3] = [b"a", b"b,\xff", b"c d"];
    assert!(tags(&headers(&said)).iter().map(|tag| &**tag).eq(expected));
    assert!(tags(&headers(&[])).is_empty());
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

/// An origin that answers one request with whatever is written, and where it listens.
fn origin(write: impl FnOnce(&mut dyn Write) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
        while lines.next().is_some_and(|line| !line.unwrap().is_empty()) {}
        write(&mut stream);
    });
    addr
}

fn load(client: &Arc<HttpClient>, addr: SocketAddr) -> Result<Option<Fetched>, LoadError> {
    let options = HttpOptions {
        url: UrlPattern::parse(&format!("http://{addr}/{{key}}")).unwrap(),
        headers: HeaderMap::new(),
        honours_cache_control: true,
        value_bytes_max: 1 << 20,
    };
    let loading = HttpLoader::new(client, options).load(crate::conformance::key("k"));
    let runtime = Builder::new_current_thread().enable_time().build().unwrap();
    let loaded = runtime.block_on(async { timeout(PATIENCE, loading).await });
    loaded.expect("a load ends")
}

#[test]
fn an_origin_that_says_only_that_it_will_answer_is_given_up() {
    const INTERIM: &str = "HTTP/1.1 103 Early Hints\r\n\r\n";
    let client = HttpClient::start("loaders", false).unwrap();
    let endless = origin(|stream| {
        let many = INTERIM.repeat(1000);
        // Until nobody listens.
        while stream.write_all(many.as_bytes()).is_ok() {}
    });
    let error = load(&client, endless).unwrap_err();
    assert_eq!(error.failure, LoadFailure::Connection);
    assert!(error.text.ends_with("interim answers (1xx)"), "{error}");
    let patient = origin(|stream| {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi";
        let all = INTERIM.repeat(INTERIMS_MAX as usize) + answer;
        stream.write_all(all.as_bytes()).unwrap();
    });
    let fetched = load(&client, patient).unwrap().unwrap();
    assert_eq!(&*fetched.value, b"hi");
}
