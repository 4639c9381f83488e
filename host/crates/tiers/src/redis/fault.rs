//! Why there is no connection.

use redis::{ErrorKind, RedisError};

/// Why there is no connection, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody answers, or not now.
    #[error("{0} cannot be reached: {1}; start it, or look at address and network")]
    Unreachable(String, String),
    /// Nobody may sign in so.
    #[error("{0} refuses user or password: {1}; correct them in the address or the password file")]
    Refused(String, String),
    /// TLS fails.
    #[error(
        "TLS with {0} fails: {1}; name the authority of its certificate (the setting that ends in tls_ca), \
         and rediss:// only where it speaks TLS"
    )]
    Tls(String, String),
    /// It wants to know who connects.
    #[error(
        "{0} asks for a certificate of those who connect, and there is none to show; let it not (tls-auth-clients no), and name a \
         user and a password"
    )]
    AsksCertificate(String),
    /// A cluster that serves nothing.
    #[error("{0} has no slots yet; join its nodes (redis-cli --cluster create)")]
    IsEmpty(String),
    /// A cluster where none was meant.
    #[error("{0} is a node of a cluster; say redis-cluster://")]
    IsCluster(String),
    /// No cluster where one was meant.
    #[error("{0} is no cluster (cluster_enabled is off there); say redis://")]
    IsNoCluster(String),
    /// It may not be written.
    #[error("{0} is a replica; name its primary")]
    IsReplica(String),
    /// It lacks what is needed.
    #[error("{0} is version {1}; version 6.2 or later is needed")]
    TooOld(String, String),
    /// Nobody would be told of changes.
    #[error(
        "{0} does not let the user publish on the channel {1}, by which servers that share entries tell each other of what \
         they change; allow it (ACL SETUSER … &{1}), or turn the setting off that ends in share"
    )]
    NoChannel(String, String),
    /// The authorities of certificates cannot be used.
    #[error("the authorities for {0} cannot be used: {1}; name a file of PEM certificates")]
    Authorities(String, String),
}

impl ConnectError {
    /// Whether it may be otherwise without anybody changing the settings.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(..) | Self::IsEmpty(_))
    }

    pub(super) fn of(place: &str, error: &RedisError) -> Self {
        let (place, text) = (place.to_owned(), error.to_string());
        let is_refused = matches!(
            error.code(),
            Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "NOPERMISSION")
        );
        let is_refused = is_refused || error.kind() == ErrorKind::AuthenticationFailed;
        let says = |word| text.contains(word);
        let is_cut = error.is_connection_dropped() && !error.is_connection_refusal();
        let hint = match place.contains("rediss") {
            true if error.is_timeout() => " (does it speak TLS there?)",
            false if is_cut => " (where it speaks TLS alone, say rediss://)",
            _ => "",
        };
        match () {
            // The first that is said, since version 6.
            () if says("unknown command") => Self::TooOld(place, "5 or earlier".to_owned()),
            () if is_refused => Self::Refused(place, text),
            () if says("CertificateRequired") => Self::AsksCertificate(place),
            () if says("certificate") || says("InvalidContentType") => Self::Tls(place, text),
            () if error.kind() == ErrorKind::Parse => {
                let text = "what answers there does not speak the protocol of Redis";
                Self::Unreachable(place, text.to_owned())
            }
            () => Self::Unreachable(place, text + hint),
        }
    }
}
