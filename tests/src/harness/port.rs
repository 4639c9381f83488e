//! Ports for those who cannot be told to take a free one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the ports that the system hands out by itself, so that no connection gets one by chance
/// between two servers.
const FIRST: u16 = 12_000;
const COUNT: u32 = 18_000;

/// An address of this machine alone that nobody listens on at the moment; another one each time.
///
/// # Panics
/// When there is none left.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    for _ in 0..COUNT {
        // Processes that run at the same time begin apart.
        let taken = TAKEN.fetch_add(1, Ordering::Relaxed);
        let number = process::id().wrapping_mul(97).wrapping_add(taken);
        let port = FIRST + (number % COUNT) as u16;
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(addr).is_ok() {
            return addr;
        }
    }
    panic!("no port from {FIRST} on is free");
}
