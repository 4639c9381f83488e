//! Certificates for tests, and clients that know them.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    ALL_VERSIONS, ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    SupportedProtocolVersion,
};

use crate::testing::Client;
use crate::tls::{ClientAuth, TlsConfig};

/// A reply that takes longer than this is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who signs certificates.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM.
pub(super) struct Issued {
    pub(super) cert: String,
    pub(super) key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names are wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        Self(CertifiedIssuer::self_signed(params, key).expect("it signs"))
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for localhost.
    pub(super) fn issue(&self) -> Issued {
        let params = CertificateParams::new(vec!["localhost".to_owned()]);
        let key = KeyPair::generate().expect("a key can be made");
        let cert = params.expect("a right name").signed_by(&key, &self.0);
        Issued {
            cert: cert.expect("it signs").pem(),
            key: key.serialize_pem(),
        }
    }

    /// A client that trusts this authority, and shows a certificate if it has one.
    pub(super) fn client(&self, own: Option<&Issued>) -> ClientConfig {
        self.client_of(own, ALL_VERSIONS)
    }

    /// One that knows only these versions of TLS.
    pub(super) fn client_of(
        &self,
        own: Option<&Issued>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("it is an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .expect("the versions are known")
            .with_root_certificates(roots);
        let Some(own) = own else {
            return builder.with_no_client_auth();
        };
        let chain = CertificateDer::pem_slice_iter(own.cert.as_bytes());
        let chain = chain.collect::<Result<_, _>>().expect("it is PEM");
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).expect("it is PEM");
        let config = builder.with_client_auth_cert(chain, key);
        config.expect("they fit")
    }
}

/// A folder with the files of a server.
pub(super) struct Files {
    folder: TempDir,
}

impl Files {
    pub(super) fn new(issued: &Issued) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let files = Self { folder };
        files.write("cert.pem", &issued.cert);
        files.write("key.pem", &issued.key);
        files
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("it can be written");
    }

    /// Settings with these files, on a port that is free.
    pub(super) fn config(&self) -> TlsConfig {
        TlsConfig {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            http: false,
            cert: self.path("cert.pem"),
            key: self.path("key.pem"),
            client_ca: None,
            client_auth: ClientAuth::None,
        }
    }

    /// The same, asking for certificates of an authority's.
    pub(super) fn asking(&self, authority: &Authority, client_auth: ClientAuth) -> TlsConfig {
        self.write("ca.pem", &authority.pem());
        TlsConfig {
            client_ca: Some(self.path("ca.pem")),
            client_auth,
            ..self.config()
        }
    }
}

pub(super) type TlsClient = Client<StreamOwned<ClientConnection, TcpStream>>;

/// A connection whose handshake is still to come.
pub(super) fn connect(addr: SocketAddr, config: ClientConfig) -> TlsClient {
    let name = "localhost".try_into().expect("a right name");
    let session = ClientConnection::new(Arc::new(config), name).expect("it can begin");
    let stream = StreamOwned::new(session, plain(addr));
    Client { stream }
}

/// A connection without TLS.
pub(super) fn plain(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
    stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
    stream
}
