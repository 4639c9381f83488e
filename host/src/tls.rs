//! TLS of the commands that ask a server.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme, StreamOwned, WantsVerifier,
};

/// A connection that speaks TLS.
pub(crate) type Encrypted<S> = StreamOwned<ClientConnection, S>;

/// Trusts servers whose certificates the authorities in a file have signed, and shows a certificate of its
/// own if there is one: its file, and that of its key.
///
/// # Errors
/// When a file cannot be read, or holds something else.
pub(crate) fn trusting(
    authorities: &Path,
    own: Option<(&Path, &Path)>,
) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(authorities)? {
        let wrong = || {
            format!(
                "{} holds a certificate that is wrong",
                authorities.display()
            )
        };
        roots.add(authority).with_context(wrong)?;
    }
    let builder = builder()?.with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let wrong = || format!("{} holds no key that is not encrypted", key.display());
            let private = PrivateKeyDer::from_pem_file(key).with_context(wrong)?;
            let unfit = || format!("{} and {} do not fit", cert.display(), key.display());
            builder
                .with_client_auth_cert(certificates(cert)?, private)
                .with_context(unfit)?
        }
    };
    Ok(Arc::new(config))
}

/// Trusts any server: for those who tell nothing to it and believe little of it.
///
/// # Errors
/// When TLS cannot be set up.
pub(crate) fn trusting_anyone() -> anyhow::Result<Arc<ClientConfig>> {
    let anyone = Arc::new(Anyone(ring::default_provider()));
    let builder = builder()?.dangerous();
    let builder = builder.with_custom_certificate_verifier(anyone);
    Ok(Arc::new(builder.with_no_client_auth()))
}

fn builder() -> anyhow::Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    Ok(builder.with_safe_default_protocol_versions()?)
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let wrong = || format!("cannot read certificates from {}", path.display());
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> = read.with_context(wrong)?;
    ensure!(!found.is_empty(), "{} holds no certificate", path.display());
    Ok(found)
}

/// Goes through the handshake with the server called `host`.
///
/// # Errors
/// When it fails.
pub(crate) fn open<S: Read + Write>(
    config: Arc<ClientConfig>,
    host: &str,
    socket: S,
) -> io::Result<Encrypted<S>> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
    let session = ClientConnection::new(config, name).map_err(io::Error::other)?;
    let mut stream = StreamOwned::new(session, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

#[derive(Debug)]
struct Anyone(CryptoProvider);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
