//! From the contents of the files to what connections are served with.

use std::sync::Arc;
use std::time::Duration;

use larder_engine::Millis;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{self, InconsistentKeys, RootCertStore, ServerConfig};

use super::files::Pems;
use super::validity::Validity;
use super::{ClientAuth, TlsConfig, TlsError};

const CERT: &str = "tls.cert";
const KEY: &str = "tls.key";
const CLIENT_CA: &str = "tls.client_ca";

/// What connections are served with.
pub(super) struct Loaded {
    pub(super) resp: Arc<ServerConfig>,
    pub(super) http: Arc<ServerConfig>,
    pub(super) validity: Validity,
}

/// Reads all files as a server does, and tells how long the certificate is valid.
///
/// # Errors
/// When a server would not start with them.
pub fn check_tls(config: &TlsConfig) -> Result<Validity, TlsError> {
    let pems = Pems::read(config)?;
    // Nobody is served with it, so nobody asks for the time.
    Ok(Loaded::new(config, &pems, || 0)?.validity)
}

impl Loaded {
    pub(super) fn new(
        config: &TlsConfig,
        pems: &Pems,
        clock: fn() -> Millis,
    ) -> Result<Self, TlsError> {
        let chain =
            certificates(&pems.cert).map_err(|why| TlsError::new(CERT, &config.cert, why))?;
        let key = private_key(&pems.key).map_err(|why| TlsError::new(KEY, &config.key, why))?;
        let validity = Validity::of(&chain[0]).ok_or_else(|| {
            let why = "its first certificate is no X.509 certificate; have it issued again";
            TlsError::new(CERT, &config.cert, why)
        })?;
        let serve = |auth| {
            let provider = Arc::new(ring::default_provider());
            let verifier = verifier(config, pems, auth, &provider)?;
            serve_with(config, provider, clock, verifier, (&chain, &key))
        };
        let resp = serve(config.client_auth)?;
        // Whoever asks for the health needs no certificate; the rest of HTTP looks for one itself.
        let mut http = serve(match config.client_auth {
            ClientAuth::Required => ClientAuth::Optional,
            auth => auth,
        })?;
        http.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            resp: Arc::new(resp),
            http: Arc::new(http),
            validity,
        })
    }
}

fn serve_with(
    config: &TlsConfig,
    provider: Arc<CryptoProvider>,
    clock: fn() -> Millis,
    verifier: Arc<dyn ClientCertVerifier>,
    (chain, key): (&[CertificateDer<'static>], &PrivateKeyDer<'static>),
) -> Result<ServerConfig, TlsError> {
    let refused = |error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TlsError::new(
            KEY,
            &config.key,
            format!(
                "it does not belong to the first certificate in {}; name the key that the \
                 certificate was made for, and put the server's own certificate first",
                config.cert.display()
            ),
        ),
        rustls::Error::InvalidCertificate(why) => TlsError::new(
            CERT,
            &config.cert,
            format!("its first certificate is refused ({why:?}); have it issued again"),
        ),
        other => TlsError::new(
            KEY,
            &config.key,
            format!("it is refused ({other}); use an RSA, ECDSA (P-256, P-384) or Ed25519 key"),
        ),
    };
    ServerConfig::builder_with_details(provider, Arc::new(Clock(clock)))
        .with_safe_default_protocol_versions()
        .map_err(refused)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.to_vec(), key.clone_key())
        .map_err(refused)
}

fn verifier(
    config: &TlsConfig,
    pems: &Pems,
    auth: ClientAuth,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let Some(path) = config
        .client_ca
        .as_deref()
        .filter(|_| auth != ClientAuth::None)
    else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let refused = |why| TlsError::new(CLIENT_CA, path, why);
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&pems.client_ca).map_err(refused)? {
        roots.add(certificate).map_err(|error| {
            refused(format!("it holds a certificate that is refused ({error})"))
        })?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match auth {
        ClientAuth::Required => builder,
        _ => builder.allow_unauthenticated(),
    };
    let built = builder.build();
    built.map_err(|error| refused(format!("it holds no authorities ({error})")))
}

/// All certificates of a file, at least one.
fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = read.map_err(|error| format!("it is no PEM ({error}); copy the file anew"))?;
    if found.is_empty() {
        let why = "it holds no certificate; PEM has lines that say BEGIN CERTIFICATE";
        return Err(why.to_owned());
    }
    Ok(found)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    const ENCRYPTED: &[u8] = b"ENCRYPTED PRIVATE KEY";
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if pem.windows(ENCRYPTED.len()).any(|at| at == ENCRYPTED) => {
            Err("the key is encrypted; decrypt it with `openssl pkey -in FILE -out NEW`".to_owned())
        }
        Err(pem::Error::NoItemsFound) => {
            Err("it holds no private key; PEM has a line that says BEGIN PRIVATE KEY".to_owned())
        }
        Err(error) => Err(format!("it is no PEM ({error}); copy the file anew")),
    }
}

/// The server's clock, by which clients' certificates are judged.
#[derive(Debug)]
struct Clock(fn() -> Millis);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_millis(self.0())))
    }
}
