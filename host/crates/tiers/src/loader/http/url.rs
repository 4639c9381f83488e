//! Addresses of keys.

use std::fmt;

use hyper::Uri;
use larder_engine::loader::{LoadError, LoadFailure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// What stands for the key in an address.
const KEY: &str = "{key}";
/// All but what RFC 3986 calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// An address with `{key}` in its path or query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPattern {
    text: String,
    is_tls: bool,
}

impl UrlPattern {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with it, to follow "the address".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (before, _) = text.split_once(KEY).ok_or("does not have {key}")?;
        let uri: Result<Uri, _> = text.replace(KEY, "k").parse();
        let uri = uri.map_err(|_| "is none that HTTP knows")?;
        let scheme = uri.scheme_str().unwrap_or_default();
        let authority = uri.authority();
        let Some(authority) = authority.filter(|_| ["http", "https"].contains(&scheme)) else {
            return Err("does not begin with http:// or https:// and a host");
        };
        if authority.as_str().contains('@') {
            return Err("names a user: say who asks in headers");
        }
        // Scheme, two slashes and host are before it, and the slash behind them.
        if before.split('/').count() < 4 {
            return Err("has {key} in its host, which has to be fixed");
        }
        Ok(Self {
            text: text.to_owned(),
            is_tls: scheme == "https",
        })
    }

    /// Whether TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// What is told of it: a query may hold secrets.
    pub(super) fn place(&self) -> &str {
        self.text.split('?').next().unwrap_or_default()
    }

    /// The address of a key. One of which a part means the folder itself or the one above could lead out of the
    /// address's folder, so it has none.
    pub(super) fn of(&self, key: &[u8]) -> Result<Uri, LoadError> {
        let leads_away = |part: &[u8]| part == b"." || part == b"..";
        let refused = |why: &str| LoadError::new(LoadFailure::Refused, why);
        if key.split(|byte| b"/\\".contains(byte)).any(leads_away) {
            return Err(refused(
                "a part of the key is . or .., which means a folder",
            ));
        }
        let key = percent_encode(key, ESCAPED).to_string();
        let address = self.text.replace(KEY, &key).parse();
        address.map_err(|_| refused("the key makes the address too long"))
    }
}

impl fmt::Display for UrlPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_fixed_and_the_key_a_part_of_the_rest() {
        for (text, why) in [
            ("http://host/keys", "does not have {key}"),
            (
                "http://{key}/keys",
                "has {key} in its host, which has to be fixed",
            ),
            (
                "http://{key}.host/{key}",
                "has {key} in its host, which has to be fixed",
            ),
            (
                "http://host:{key}",
                "has {key} in its host, which has to be fixed",
            ),
            (
                "ftp://host/{key}",
                "does not begin with http:// or https:// and a host",
            ),
            (
                "/keys/{key}",
                "does not begin with http:// or https:// and a host",
            ),
            (
                "http://me:secret@host/{key}",
                "names a user: say who asks in headers",
            ),
            ("http://ho st/{key}", "is none that HTTP knows"),
        ] {
            assert_eq!(UrlPattern::parse(text), Err(why), "{text}");
        }
        assert!(
            UrlPattern::parse("https://host:8443/a/{key}?again={key}")
                .unwrap()
                .is_tls()
        );
    }

    #[test]
    fn whatever_bytes_a_key_has_it_stays_in_its_place() {
        let url = UrlPattern::parse("http://host/a/{key}.json?of={key}").unwrap();
        let of = |key: &[u8]| {
            url.of(key)
                .map(|uri| uri.to_string())
                .map_err(|error| error.text)
        };
        assert_eq!(
            of(b"playlist:1").unwrap(),
            "http://host/a/playlist%3A1.json?of=playlist%3A1"
        );
        assert_eq!(
            of(b"\xff\0 /?#&=%\r\n{key}").unwrap(),
            "http://host/a/%FF%00%20%2F%3F%23%26%3D%25%0D%0A%7Bkey%7D.json?of=%FF%00%20%2F%3F%23%26%3D%25%0D%0A%7Bkey%7D"
        );
        assert_eq!(url.place(), "http://host/a/{key}.json");
        assert!(of(b"a..b/...").is_ok());
        for key in ["..", ".", "a/../b", "../b", "a\\..", "a/."] {
            assert!(of(key.as_bytes()).is_err(), "{key}");
        }
        assert!(of(&[0; 60_000]).is_err());
    }
}
