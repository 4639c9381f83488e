use thiserror::Error;

/// Why the bytes of a peer are not the Redis protocol, or more than it may send.
///
/// After one of these the place where the next message starts is unknown: answer
/// `-ERR Protocol error: {error}` and close the connection. The texts about requests are those of Redis 7.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// An inline request without an end of line within `inline_bytes_max`.
    #[error("too big inline request")]
    TooBigInline,
    /// A handshake of TLS.
    #[error("TLS is not spoken on this port")]
    Tls,
    /// A quote of an inline request is not closed, or something other than a blank follows it.
    #[error("unbalanced quotes in request")]
    UnbalancedQuotes,
    /// A header `*…` without an end of line within `inline_bytes_max`.
    #[error("too big mbulk count string")]
    TooBigMultibulkCount,
    /// A header `*…` that holds no number, or one above `args_max`.
    #[error("invalid multibulk length")]
    InvalidMultibulkLength,
    /// Something other than a bulk string where an argument starts; holds its first byte.
    #[error("expected '$', got '{}'", *.0 as char)]
    ExpectedBulk(u8),
    /// A header `$…` without an end of line within `inline_bytes_max`.
    #[error("too big bulk count string")]
    TooBigBulkCount,
    /// A header `$…` that holds no number, a negative one, or one above `bulk_bytes_max`.
    #[error("invalid bulk length")]
    InvalidBulkLength,
    /// A request that claims to be longer than `request_bytes_max`.
    #[error("too big request")]
    TooBigRequest,
    /// A reply starts with a byte that stands for no type; holds it.
    #[error("unknown reply type '{}'", *.0 as char)]
    UnknownReplyType(u8),
    /// The content of a reply does not fit its type; holds the byte of the type.
    #[error("invalid content of reply type '{}'", *.0 as char)]
    InvalidReply(u8),
    /// A line of a reply is longer than `inline_bytes_max`.
    #[error("too big reply line")]
    TooBigReplyLine,
    /// A reply whose length is not known at its start (`$?`, `*?` and their like), which no server sends unasked.
    #[error("streamed replies are not supported")]
    StreamedReply,
    /// Aggregates nested deeper than [`DEPTH_MAX`](crate::DEPTH_MAX).
    #[error("reply nested too deep")]
    NestedTooDeep,
}
