//! The `[tls]`: where TLS is spoken, and with what.

use larder_server::{ClientAuth, TlsConfig};

use super::kinds::{Address, Choice, Or, Place, Switch};
use super::reader::Reader;
use super::{Endpoints, Tls};

const CLIENT_AUTH: Choice<ClientAuth> = Choice {
    words: &[
        ("none", ClientAuth::None),
        ("optional", ClientAuth::Optional),
        ("required", ClientAuth::Required),
    ],
    note: "",
};

pub(super) fn read(reader: &mut Reader<'_>) -> Tls {
    let listen = reader.read(
        "tls.listen",
        "none",
        Or("none", Address),
        "Where the Redis protocol is served over TLS",
    );
    let http = reader.read(
        "tls.http",
        "false",
        Switch,
        "Whether HTTP is served over TLS alone",
    );
    let mut path = |key, help| reader.read(key, "none", Or("none", Place), help);
    let cert = path(
        "tls.cert",
        "The server's certificate and those that lead to its authority, in PEM",
    );
    let key = path("tls.key", "The private key of the certificate, in PEM");
    let client_ca = path(
        "tls.client_ca",
        "Authorities that sign the certificates of clients, in PEM",
    );
    let client_auth = reader.read(
        "tls.client_auth",
        "none",
        CLIENT_AUTH,
        "Whether clients show certificates of their own: none, optional or required",
    );
    Tls {
        listen,
        http,
        cert,
        key,
        client_ca,
        client_auth,
    }
}

/// Refuses what makes no sense together.
pub(super) fn check(reader: &mut Reader<'_>, endpoints: &Endpoints, tls: &Tls) {
    let others = [("listen", endpoints.listen), ("http", endpoints.http)];
    for (other, addr) in others {
        if addr == tls.listen && addr.is_some_and(|addr| addr.port() != 0) {
            let allowed = format!("another port than {other} has: both cannot be served on one");
            reader.refuse("tls.listen", &allowed);
        }
    }
    if endpoints.listen.is_none() && tls.listen.is_none() && endpoints.unix_socket.is_none() {
        reader.refuse(
            "listen",
            "an address, because neither tls.listen nor unix_socket is set and nobody could connect",
        );
    }
    if tls.http && endpoints.http.is_none() {
        reader.refuse("tls.http", "false, because http is \"none\"");
    }
    let asks = if tls.listen.is_some() {
        Some("tls.listen")
    } else {
        tls.http.then_some("tls.http")
    };
    let has_ca = tls.client_ca.is_some();
    let files = [("tls.cert", &tls.cert), ("tls.key", &tls.key)];
    for (key, _) in files.into_iter().filter(|(_, path)| path.is_none()) {
        if let Some(asks) = asks {
            reader.refuse(
                key,
                &format!("the path of a PEM file, because {asks} is set"),
            );
        }
    }
    match tls.client_auth {
        ClientAuth::None if has_ca => reader.refuse(
            "tls.client_auth",
            "\"optional\" or \"required\", because tls.client_ca is set",
        ),
        ClientAuth::Optional | ClientAuth::Required if !has_ca => reader.refuse(
            "tls.client_ca",
            "the path of a PEM file, because tls.client_auth asks clients for certificates",
        ),
        _ => {}
    }
}

impl Tls {
    /// What a server speaks TLS with; `None` where it does so nowhere.
    pub fn served(&self) -> Option<TlsConfig> {
        if self.listen.is_none() && !self.http {
            return None;
        }
        Some(TlsConfig {
            listen: self.listen,
            http: self.http,
            cert: self.cert.clone()?,
            key: self.key.clone()?,
            client_ca: self.client_ca.clone(),
            client_auth: self.client_auth,
        })
    }
}
