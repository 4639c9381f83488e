//! Values over HTTP. The key becomes a part of an address whose rest is fixed, and nothing that is answered leads
//! elsewhere, so nobody who chooses keys chooses who is asked.

mod url;

use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::ext::on_informational;
use hyper::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE};
use hyper::{Request, Response, StatusCode};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use larder_engine::loader::{Fetched, Fetching, LoadError, LoadFailure, Loader};
use larder_engine::tier::TierKeyBuf;
use percent_encoding::percent_decode;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

pub use hyper::header::{HeaderMap, HeaderName, HeaderValue};
pub use url::UrlPattern;

/// Connections to one host that wait for the next load, and for how long.
const IDLE_MAX: usize = 32;
const IDLE_TIME: Duration = Duration::from_secs(30);
/// Answers of 1xx before the one that counts.
const INTERIMS_MAX: u32 = 16;
/// Bytes that are read at once, so that no connection keeps the thread for long, and that the head of an answer may have.
const BUFFER_BYTES_MAX: usize = 64 << 10;
/// Threads that look up names.
const LOOK_UPS_MAX: usize = 4;
/// A value as it is, not compressed.
const AS_IT_IS: &str = "identity";
/// The header with the tags of a value.
const TAGS: HeaderName = HeaderName::from_static("larder-tags");
/// Longest type of a value that is kept with it.
const TYPE_BYTES_MAX: usize = 64;

/// A loader over HTTP: 200 is a value, 404 and 410 say that there is none, all else is a failure.
#[derive(Clone)]
pub struct HttpLoader {
    client: Arc<HttpClient>,
    options: Arc<HttpOptions>,
}

/// How a loader over HTTP asks.
#[derive(Debug)]
pub struct HttpOptions {
    /// Where.
    pub url: UrlPattern,
    /// What it says beside.
    pub headers: HeaderMap,
    /// Whether the origin may say how long its values are good.
    pub honours_cache_control: bool,
    /// Longest value.
    pub value_bytes_max: usize,
}

impl HttpLoader {
    /// One that asks through `client`, for values as they are unless its headers ask for others.
    pub fn new(client: &Arc<HttpClient>, mut options: HttpOptions) -> Self {
        let encoding = options.headers.entry(ACCEPT_ENCODING);
        encoding.or_insert(HeaderValue::from_static(AS_IT_IS));
        Self {
            client: Arc::clone(client),
            options: Arc::new(options),
        }
    }

    async fn ask(self, key: TierKeyBuf) -> Result<Option<Fetched>, LoadError> {
        let options = &self.options;
        let mut request = Request::new(Full::default());
        *request.uri_mut() = options.url.of(&key.bytes)?;
        *request.headers_mut() = options.headers.clone();
        let response = self.client.request(request).await;
        let response = response.map_err(|why| self.broken(&why))?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND | StatusCode::GONE => return Ok(None),
            status => {
                let text = format!("{} answers {status}", options.url.place());
                return Err(LoadError::new(LoadFailure::Status, text));
            }
        }
        let (head, body) = response.into_parts();
        if is_encoded(&head.headers) && options.headers[ACCEPT_ENCODING] == AS_IT_IS {
            let text = format!(
                "{} answers with a value that is compressed",
                options.url.place()
            );
            return Err(LoadError::new(LoadFailure::Status, text));
        }
        let body = Limited::new(body, options.value_bytes_max).collect().await;
        let value = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => {
                let (url, bytes) = (options.url.place(), options.value_bytes_max);
                let text = format!("{url} answers with a value of more than {bytes} bytes");
                LoadError::new(LoadFailure::TooLarge, text)
            }
            false => self.broken(&causes(&*error)),
        })?;
        let ttl = cache_control(&head.headers).filter(|_| options.honours_cache_control);
        Ok(Some(Fetched {
            value: Vec::from(value.to_bytes()).into(),
            ttl,
            data_type: data_type(&head.headers),
            tags: tags(&head.headers),
        }))
    }

    fn broken(&self, why: &str) -> LoadError {
        let text = format!("{}: {why}", self.options.url.place());
        LoadError::new(LoadFailure::Connection, text)
    }
}

/// What went wrong, and all that led to it.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

impl Loader for HttpLoader {
    fn load(&self, key: TierKeyBuf) -> Fetching {
        let asking = self.clone().ask(key);
        let runtime = self
            .client
            .runtime
            .as_ref()
            .map(|runtime| runtime.handle().clone());
        Box::pin(async move {
            // What nobody waits for any more ends with the set.
            let mut asked = JoinSet::new();
            if let Some(runtime) = runtime {
                asked.spawn_on(asking, &runtime);
            }
            let answer = asked.join_next().await.and_then(Result::ok);
            answer.unwrap_or_else(|| {
                let text = "the load was given up";
                Err(LoadError::new(LoadFailure::Connection, text))
            })
        })
    }
}

/// Whether a value is not what came.
fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all(CONTENT_ENCODING).iter();
    encodings.any(|encoding| {
        !encoding
            .as_bytes()
            .eq_ignore_ascii_case(AS_IT_IS.as_bytes())
    })
}

/// How long a value is good, if its origin says so: what is not to be kept is good for no time.
fn cache_control(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(CACHE_CONTROL).iter();
    let texts: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
    let words = || texts.iter().flat_map(|text| text.split(',')).map(str::trim);
    let is = |word: &str, name: &str| word.eq_ignore_ascii_case(name);
    if words().any(|word| {
        ["no-store", "no-cache", "private"]
            .iter()
            .any(|name| is(word, name))
    }) {
        return Some(Duration::ZERO);
    }
    let seconds = |name: &str| {
        let mut pairs = words().filter_map(|word| word.split_once('='));
        let (_, seconds) = pairs.find(|(word, _)| is(word.trim(), name))?;
        seconds.trim().trim_matches('"').parse().ok()
    };
    // What is said to caches that many share comes first.
    seconds("s-maxage")
        .or_else(|| seconds("max-age"))
        .map(Duration::from_secs)
}

/// The type without its parameters.
fn data_type(headers: &HeaderMap) -> Option<Box<str>> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let name = text.split(';').next()?.trim().to_ascii_lowercase();
    (1..=TYPE_BYTES_MAX)
        .contains(&name.len())
        .then(|| name.into())
}

/// Its tags: a list with commas between, percent-encoded as where clients give them.
fn tags(headers: &HeaderMap) -> Vec<Box<[u8]>> {
    let lists = headers.get_all(TAGS).iter();
    let tags = lists.flat_map(|list| list.as_bytes().split(|byte| *byte == b','));
    let tags = tags.map(<[u8]>::trim_ascii).filter(|tag| !tag.is_empty());
    tags.map(|tag| percent_decode(tag).collect()).collect()
}

/// A header, of which nothing is shown anywhere.
///
/// # Errors
/// What is wrong with it; its value is not told.
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    const OURS: [&str; 4] = ["connection", "content-length", "host", "transfer-encoding"];
    let name: HeaderName = name.parse().map_err(|_| "is no name of a header")?;
    if OURS.contains(&name.as_str()) {
        return Err("is said by the server itself");
    }
    let mut value =
        HeaderValue::from_str(value).map_err(|_| "has characters that no header may have")?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// Asks over HTTP, on a thread of its own, for all loaders, or tells for all hooks. Connections are kept open for the next load.
pub struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// There until this ends.
    runtime: Option<Runtime>,
}

impl HttpClient {
    /// A client with a thread of that name; with `speaks_tls` one that trusts the authorities that the system trusts.
    ///
    /// # Errors
    /// When its thread cannot be had, or those authorities.
    pub fn start(thread: &str, speaks_tls: bool) -> io::Result<Arc<Self>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(LOOK_UPS_MAX)
            .thread_name(thread)
            .enable_all()
            .build()?;
        let provider = ring::default_provider();
        let connector = HttpsConnectorBuilder::new();
        let connector = match speaks_tls {
            true => connector.with_provider_and_native_roots(provider)?,
            false => {
                let nobody = ClientConfig::builder_with_provider(provider.into())
                    .with_safe_default_protocol_versions()
                    .map_err(io::Error::other)?
                    .with_root_certificates(RootCertStore::empty());
                connector.with_tls_config(nobody.with_no_client_auth())
            }
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_TIME)
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(BUFFER_BYTES_MAX)
            .build(connector.https_or_http().enable_http1().build());
        Ok(Arc::new(Self {
            client,
            runtime: Some(runtime),
        }))
    }

    /// Has something done on its thread.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(work);
        }
    }

    /// Sends a request; what is answered beside the status is not read.
    pub(crate) async fn send(&self, request: Request<String>) -> Result<StatusCode, String> {
        let request = request.map(|body| Full::new(Bytes::from(body)));
        Ok(self.request(request).await?.status())
    }

    /// Asks for an answer, of which the body is still to come; or why there is none.
    async fn request(
        &self,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, String> {
        // Otherwise they are passed over, however many come.
        let interims = Arc::new(Semaphore::new(0));
        let counted = Arc::clone(&interims);
        on_informational(&mut request, move |_| counted.add_permits(1));
        let too_many = pin!(interims.acquire_many(INTERIMS_MAX + 1));
        let answer = pin!(self.client.request(request));
        match select(too_many, answer).await {
            Either::Left(_) => Err(format!("more than {INTERIMS_MAX} interim answers (1xx)")),
            Either::Right((answer, _)) => answer.map_err(|error| causes(&error)),
        }
    }
}

/// The last loader may end within another runtime, where nothing may be waited for.
impl Drop for HttpClient {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
