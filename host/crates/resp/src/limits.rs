/// What a peer may send before it is refused. Nothing is allocated for a length that was only claimed,
/// whatever the limits are. A request parser never takes more than `u32::MAX` bytes, whatever they say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one bulk string, its header and line end not counted. 64 MiB by default.
    pub bulk_bytes_max: usize,
    /// Arguments of one multibulk request, the command's name included; elements of one aggregate of a
    /// reply. 1,048,576 by default.
    pub args_max: usize,
    /// Bytes of an inline request, a header line or a line of a reply, up to its line end. 64 KiB by default.
    pub inline_bytes_max: usize,
    /// Bytes of one whole multibulk request as it travels. 128 MiB by default.
    pub request_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bulk_bytes_max: 64 << 20,
            args_max: 1 << 20,
            inline_bytes_max: 64 << 10,
            request_bytes_max: 128 << 20,
        }
    }
}
