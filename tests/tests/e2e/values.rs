//! Replies, written down briefly.

use larder_resp::Value;

/// `+OK`.
pub(crate) fn ok() -> Value {
    Value::Simple("OK".into())
}

/// A string of bytes.
pub(crate) fn bulk(bytes: impl AsRef<[u8]>) -> Value {
    Value::Bulk(Some(bytes.as_ref().to_vec()))
}

/// The absence of a value in RESP2.
pub(crate) const NIL: Value = Value::Bulk(None);

/// The text of an error.
#[track_caller]
pub(crate) fn error_text(reply: Value) -> String {
    match reply {
        Value::Error(text) => text,
        other => panic!("no error: {other:?}"),
    }
}
