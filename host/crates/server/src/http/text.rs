//! Bytes in addresses and headers: percent-encoding and what is built of it.

use super::problem::{Answer, Problem};

/// The bytes that `text` stands for.
pub(super) fn decode(text: &str) -> Answer<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        match (digit(rest.next()), digit(rest.next())) {
            (Some(high), Some(low)) => bytes.push((high << 4 | low) as u8),
            _ => {
                return Err(Problem::bad(
                    "a % is not followed by two hexadecimal digits",
                ));
            }
        }
    }
    Ok(bytes)
}

/// `bytes` as they may stand in a header: what has a meaning in a list is encoded, and all that is no
/// plain character.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_graphic() && !b"%,=\"".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The items of a list with commas between, decoded; spaces around them do not count.
pub(super) fn items(list: &str) -> Answer<Vec<Vec<u8>>> {
    let items = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    items.map(decode).collect()
}

/// The pairs of a list `name=value,…`, decoded.
pub(super) fn pairs(list: &str) -> Answer<Vec<(Vec<u8>, Vec<u8>)>> {
    let items = list
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let pair = |item: &str| match item.split_once('=') {
        Some((name, value)) => Ok((decode(name)?, decode(value)?)),
        None => Err(Problem::bad("attributes are written name=value,name=value")),
    };
    items.map(pair).collect()
}

/// The parameters behind the `?` of an address, which all have to be of `known`.
pub(super) struct Query<'a>(Vec<(&'a str, String)>);

impl<'a> Query<'a> {
    pub(super) fn new(query: Option<&'a str>, known: &[&str]) -> Answer<Self> {
        let mut found: Vec<(&str, String)> = Vec::new();
        let parts = query.unwrap_or_default().split('&');
        for part in parts.filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&name) {
                let known = match known {
                    [] => "none".to_owned(),
                    known => known.join(", "),
                };
                return Err(Problem::bad(format!(
                    "there is no parameter '{name}' here; known are: {known}"
                )));
            }
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Problem::bad(format!(
                    "the parameter '{name}' is given twice"
                )));
            }
            let value = String::from_utf8(decode(&value.replace('+', "%20"))?)
                .map_err(|_| Problem::bad(format!("the parameter '{name}' is no UTF-8")))?;
            found.push((name, value));
        }
        Ok(Self(found))
    }

    /// The value of a parameter, decoded.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The number of the database, 0 where none is named.
    pub(super) fn db(&self) -> Answer<u8> {
        let Some(text) = self.get("db") else {
            return Ok(0);
        };
        text.parse()
            .ok()
            .filter(|db| *db < larder_engine::DATABASES)
            .ok_or_else(|| Problem::bad(DB_RANGE))
    }
}

pub(super) const DB_RANGE: &str = "db is the number of a database, 0 to 15";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = encode(&bytes);
        assert!(text.is_ascii() && !text.contains([',', '=', ' ']));
        assert_eq!(decode(&text).unwrap(), bytes);
        for broken in ["%", "%4", "%zz", "a%", "%+1", "%€"] {
            assert!(decode(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn lists_are_split_before_they_are_decoded() {
        assert_eq!(items(" a%2Cb , c,, ").unwrap(), [&b"a,b"[..], b"c"]);
        assert_eq!(
            pairs("a=1, b%3D=x=y").unwrap(),
            [
                (b"a".to_vec(), b"1".to_vec()),
                (b"b=".to_vec(), b"x=y".to_vec())
            ]
        );
        assert!(pairs("a").is_err());
    }

    #[test]
    fn parameters_are_known_and_given_once() {
        let query = Query::new(Some("db=%33&type=a+b%2B"), &["db", "type"]).unwrap();
        assert_eq!(query.db().unwrap(), 3);
        assert_eq!(query.get("type"), Some("a b+"));
        assert_eq!(query.get("other"), None);
        for wrong in ["dbs=1", "db=1&db=1", "type", "db=%FF"] {
            assert!(Query::new(Some(wrong), &["db"]).is_err(), "{wrong}");
        }
        for wrong in ["db=16", "db=-1", "db="] {
            let query = Query::new(Some(wrong), &["db"]).unwrap();
            assert!(query.db().is_err(), "{wrong}");
        }
    }
}
