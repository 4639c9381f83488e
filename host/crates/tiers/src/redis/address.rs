//! Where Redis is: `redis://user:password@host:port/db`, `rediss://…` over TLS, and for a cluster
//! `redis-cluster://user:password@host:port,host:port` or `rediss-cluster://…`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use zeroize::Zeroizing;

const PORT: u16 = 6379;
/// What a password is shown as.
const HIDDEN: &str = "***";
/// What user names keep as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An address of Redis. Shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisAddress {
    /// Whether it is a cluster, of which `hosts` are some nodes.
    pub is_cluster: bool,
    /// Whether TLS is spoken.
    pub is_tls: bool,
    /// Who signs in; `None`: the default user, if anybody.
    pub user: Option<String>,
    /// What they sign in with.
    pub password: Option<Zeroizing<String>>,
    /// Names or IP addresses, with ports; one where it is no cluster.
    pub hosts: Vec<(String, u16)>,
    /// The database, 0 in a cluster.
    pub db: u32,
}

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoAddress;

impl FromStr for RedisAddress {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(NoAddress)?;
        let (is_cluster, is_tls) = match scheme {
            "redis" => (false, false),
            "rediss" => (false, true),
            "redis-cluster" => (true, false),
            "rediss-cluster" => (true, true),
            _ => return Err(NoAddress),
        };
        let (signed, rest) = match rest.rsplit_once('@') {
            Some((signed, rest)) => (signed, rest),
            None => ("", rest),
        };
        let (user, password) = match signed.split_once(':') {
            Some((user, password)) => (user, Some(Zeroizing::new(decoded(password)?))),
            None => (signed, None),
        };
        let (hosts, db) = match rest.split_once('/') {
            Some((_, db)) if is_cluster && !db.is_empty() => return Err(NoAddress),
            Some((hosts, "")) => (hosts, 0),
            Some((hosts, db)) => (hosts, db.parse().map_err(|_| NoAddress)?),
            None => (rest, 0),
        };
        let hosts: Result<Vec<_>, _> = hosts.split(',').map(host).collect();
        let hosts = hosts?;
        if hosts.len() > 1 && !is_cluster {
            return Err(NoAddress);
        }
        let user = decoded(user)?;
        Ok(Self {
            is_cluster,
            is_tls,
            user: Some(user).filter(|user| !user.is_empty()),
            password,
            hosts,
            db,
        })
    }
}

fn decoded(text: &str) -> Result<String, NoAddress> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| NoAddress)
}

/// `host`, `host:port`, `[ip]` or `[ip]:port`.
fn host(text: &str) -> Result<(String, u16), NoAddress> {
    let (name, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (name, port) = rest.split_once(']').ok_or(NoAddress)?;
            match port {
                "" => (name, None),
                port => (name, Some(port.strip_prefix(':').ok_or(NoAddress)?)),
            }
        }
        None => match text.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (text, None),
        },
    };
    let is_named = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '?');
    let port = match port {
        Some(port) => port.parse().map_err(|_| NoAddress)?,
        None => PORT,
    };
    (is_named && port != 0)
        .then(|| (name.to_owned(), port))
        .ok_or(NoAddress)
}

impl fmt::Display for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.is_tls { "s" } else { "" };
        let cluster = if self.is_cluster { "-cluster" } else { "" };
        write!(f, "redis{tls}{cluster}://")?;
        let user = self.user.as_deref().unwrap_or_default();
        let user = utf8_percent_encode(user, ESCAPED);
        match &self.password {
            Some(_) => write!(f, "{user}:{HIDDEN}@")?,
            None if self.user.is_some() => write!(f, "{user}@")?,
            None => {}
        }
        for (nth, (name, port)) in self.hosts.iter().enumerate() {
            let comma = if nth > 0 { "," } else { "" };
            match name.contains(':') {
                true => write!(f, "{comma}[{name}]:{port}")?,
                false => write!(f, "{comma}{name}:{port}")?,
            }
        }
        match self.db {
            0 => Ok(()),
            db => write!(f, "/{db}"),
        }
    }
}

impl fmt::Debug for RedisAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_their_password() {
        for (text, shown) in [
            ("redis://localhost", "redis://localhost:6379"),
            ("redis://10.0.0.1:7000/3", "redis://10.0.0.1:7000/3"),
            ("rediss://[::1]:1", "rediss://[::1]:1"),
            ("redis://[::1]/", "redis://[::1]:6379"),
            ("redis://app@h:1", "redis://app@h:1"),
            ("redis://:pa%40ss@h:1", "redis://:***@h:1"),
            ("redis://a%3Ab:p:w@h:1", "redis://a%3Ab:***@h:1"),
            (
                "redis-cluster://a:1,b,[::2]:3",
                "redis-cluster://a:1,b:6379,[::2]:3",
            ),
            ("rediss-cluster://u:p@a:1/", "rediss-cluster://u:***@a:1"),
        ] {
            let address: RedisAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown, "{text}");
            assert_eq!(format!("{address:?}"), shown, "{text}");
        }
        let address: RedisAddress = "redis://a%3Ab:p:w@h:1".parse().unwrap();
        assert_eq!(address.user.as_deref(), Some("a:b"));
        assert_eq!(
            address.password.as_ref().map(|text| text.as_str()),
            Some("p:w")
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "localhost:6379",
            "http://h:1",
            "redis://",
            "redis://:1",
            "redis://h:0",
            "redis://h:port",
            "redis://h:70000",
            "redis://a:1,b:2",
            "redis://h/db",
            "redis://[::1",
            "redis://[::1]x",
            "redis://h:1?protocol=resp3",
            "redis-cluster://a:1,",
            "redis-cluster://a:1/2",
            "redis://%ff@h:1",
        ] {
            assert_eq!(text.parse::<RedisAddress>(), Err(NoAddress), "{text}");
        }
    }
}
