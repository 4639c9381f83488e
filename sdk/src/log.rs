//! The host's log. A line is cut off after [`LOG_BYTES_MAX`](larder_abi::LOG_BYTES_MAX) bytes, and
//! of too many lines some are dropped. Natively, and so in tests, nothing is written.

/// Something is wrong and needs a person.
pub fn error(line: &str) {
    write(1, line);
}

/// Something is not as it should be.
pub fn warn(line: &str) {
    write(2, line);
}

/// Something worth knowing happened.
pub fn info(line: &str) {
    write(3, line);
}

/// For whoever looks for a mistake.
pub fn debug(line: &str) {
    write(4, line);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(_level: u32, _line: &str) {}

#[cfg(target_arch = "wasm32")]
fn write(level: u32, line: &str) {
    host::log(
        level,
        line.as_ptr().expose_provenance() as u32,
        line.len() as u32,
    );
}

#[cfg(target_arch = "wasm32")]
mod host {
    // SAFETY: the contract says that the host provides this function with this type. It reads the
    // bytes during the call, checks that they are in memory, and changes nothing, so any arguments
    // are sound.
    #[allow(unsafe_code)]
    #[link(wasm_import_module = "larder")]
    unsafe extern "C" {
        pub(super) safe fn log(level: u32, address: u32, bytes: u32);
    }
}
