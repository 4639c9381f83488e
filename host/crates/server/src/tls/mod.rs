//! TLS in front of the Redis protocol and of HTTP: the certificate in force, read anew when its files
//! change, and what was counted of handshakes.

mod acceptor;
mod files;
mod load;
mod stream;
mod validity;

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread;
use std::time::Duration;

use larder_engine::Millis;
use tokio_rustls::rustls;
use tracing::{info, warn};

use crate::stats::bump;
use files::{Digest, Pems};
use load::Loaded;

pub(crate) use acceptor::Acceptor;
pub use files::TlsError;
pub use load::check_tls;
pub(crate) use stream::{Opened, TlsStream};
pub use validity::Validity;

/// What a client of the Redis protocol is told that speaks without TLS where nothing else is spoken.
pub const NEEDS_TLS: &str =
    "ERR this port speaks TLS alone: connect with TLS (redis-cli --tls), or to a port without it";

/// What an open connection may hold within TLS, whatever its client sends: keys, and a record that came in part
/// (18 KiB).
pub const TLS_CONNECTION_BYTES: u64 = 32 << 10;

/// Time between two looks at the files.
const LOOK_INTERVAL_NS: u64 = 1_000_000_000;
/// Pause before it is asked again whether it is time for one.
const PAUSE: Duration = Duration::from_millis(250);
/// That connections are turned away is said once in so long.
const WARN_INTERVAL_MS: u64 = 60_000;

/// Where TLS is spoken, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Address of the Redis protocol over TLS; port 0 lets the system choose.
    pub listen: Option<SocketAddr>,
    /// Whether HTTP speaks TLS alone.
    pub http: bool,
    /// The certificate and those that lead to its authority, in PEM.
    pub cert: PathBuf,
    /// The certificate's private key, in PEM.
    pub key: PathBuf,
    /// Authorities that sign the certificates of clients, in PEM.
    pub client_ca: Option<PathBuf>,
    /// Whether clients show certificates of their own.
    pub client_auth: ClientAuth,
}

/// Whether clients show certificates of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked for one.
    #[default]
    None,
    /// A client may have none, but no wrong one.
    Optional,
    /// A client without one is turned away.
    Required,
}

/// Which protocol is spoken within TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Within {
    Resp,
    Http,
}

/// What TLS has counted since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TlsTotals {
    /// Handshakes that came to their end.
    pub done: u64,
    /// Handshakes that failed: no common version, a certificate that is missing or not trusted.
    pub failed: u64,
    /// Connections that ended before their handshake did, cut off or by themselves.
    pub unfinished: u64,
    /// Clients turned away because they spoke without TLS.
    pub plaintext: u64,
    /// Clients turned away because too many handshakes went on, or there was no room in the clients' buffers.
    pub crowded: u64,
    /// Changed files that were taken.
    pub reloads: u64,
    /// Changed files that were refused.
    pub reloads_refused: u64,
    /// When the certificate in force ends, in Unix seconds; 0 where there is no TLS.
    pub not_after_s: u64,
}

#[derive(Default)]
struct Counters {
    done: AtomicU64,
    failed: AtomicU64,
    unfinished: AtomicU64,
    plaintext: AtomicU64,
    crowded: AtomicU64,
    reloads: AtomicU64,
    reloads_refused: AtomicU64,
}

/// What TLS is spoken with. Connections go on with what was in force when they began.
pub(crate) struct Tls {
    config: TlsConfig,
    clock: fn() -> Millis,
    in_force: RwLock<Loaded>,
    looked: Mutex<Looked>,
    warned_ms: AtomicU64,
    counters: Counters,
}

/// What was found at a look: what the files hold, or why they cannot be read.
type Found = Result<Digest, String>;

struct Looked {
    at_ns: u64,
    /// What was loaded, or refused, last.
    known: Found,
    /// What the last look found, if that was something else. It is loaded when the next look finds the same:
    /// certificate and key are often replaced one after the other.
    unsettled: Option<Found>,
}

impl Tls {
    /// Loads everything.
    ///
    /// # Errors
    /// When a file cannot be read, holds something else, or does not fit the others.
    pub(crate) fn new(config: TlsConfig, clock: fn() -> Millis) -> Result<Self, TlsError> {
        let pems = Pems::read(&config)?;
        let loaded = Loaded::new(&config, &pems, clock)?;
        let looked = Looked {
            at_ns: 0,
            known: Ok(pems.digest()),
            unsettled: None,
        };
        warn_of_time(&config, loaded.validity, clock());
        Ok(Self {
            config,
            clock,
            in_force: RwLock::new(loaded),
            looked: Mutex::new(looked),
            warned_ms: AtomicU64::new(0),
            counters: Counters::default(),
        })
    }

    pub(crate) fn config(&self) -> &TlsConfig {
        &self.config
    }

    /// What a new connection is served with.
    fn server_config(&self, within: Within) -> Arc<rustls::ServerConfig> {
        let in_force = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        match within {
            Within::Resp => in_force.resp.clone(),
            Within::Http => in_force.http.clone(),
        }
    }

    /// Looks at the files from time to time, as long as somebody uses what they hold. That takes a thread of its
    /// own: where they are on a file system that hangs nobody else waits.
    pub(crate) fn watch(self: &Arc<Self>, monotonic_ns: fn() -> u64) -> io::Result<()> {
        let watched = Arc::downgrade(self);
        let look = move || {
            while let Some(tls) = watched.upgrade() {
                // A panic was reported where it happened, and what is in force stays so.
                let _ = catch_unwind(AssertUnwindSafe(|| tls.look_in_time(monotonic_ns())));
                drop(tls);
                thread::sleep(PAUSE);
            }
        };
        let thread = thread::Builder::new().name("larder-certs".into());
        thread.spawn(look).map(drop)
    }

    /// Looks at the files, if it is time to.
    pub(crate) fn look_in_time(&self, now_ns: u64) {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if now_ns.saturating_sub(looked.at_ns) >= LOOK_INTERVAL_NS {
            looked.at_ns = now_ns;
            self.look(&mut looked);
        }
    }

    /// Looks at the files, and takes what two looks found alike.
    fn look(&self, looked: &mut Looked) {
        let read = Pems::read(&self.config);
        let found = match &read {
            Ok(pems) => Ok(pems.digest()),
            Err(error) => Err(error.to_string()),
        };
        if found == looked.known {
            looked.unsettled = None;
            return;
        }
        if looked.unsettled.as_ref() != Some(&found) {
            looked.unsettled = Some(found);
            return;
        }
        looked.unsettled = None;
        looked.known = found;
        match read.and_then(|pems| Loaded::new(&self.config, &pems, self.clock)) {
            Ok(loaded) => {
                bump(&self.counters.reloads);
                let cert = self.config.cert.display();
                info!(%cert, "the certificate's files changed: new connections get what they hold now");
                warn_of_time(&self.config, loaded.validity, (self.clock)());
                *self
                    .in_force
                    .write()
                    .unwrap_or_else(PoisonError::into_inner) = loaded;
            }
            Err(error) => {
                bump(&self.counters.reloads_refused);
                warn!(%error, "the certificate's files changed and are refused: the ones before stay in force");
            }
        }
    }

    /// Counts a connection that there was no room for, and says so once in a while.
    fn note_crowded(&self) {
        bump(&self.counters.crowded);
        let (now, last) = ((self.clock)(), self.warned_ms.load(Ordering::Relaxed));
        if now.saturating_sub(last) >= WARN_INTERVAL_MS {
            self.warned_ms.store(now, Ordering::Relaxed);
            warn!(
                "no room for a TLS handshake, its connection is closed: too many go on at once, or those who \
                 have not signed in hold their part of limits.client_buffers_max"
            );
        }
    }

    pub(crate) fn totals(&self) -> TlsTotals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let in_force = self.in_force.read().unwrap_or_else(PoisonError::into_inner);
        TlsTotals {
            done: load(&counters.done),
            failed: load(&counters.failed),
            unfinished: load(&counters.unfinished),
            plaintext: load(&counters.plaintext),
            crowded: load(&counters.crowded),
            reloads: load(&counters.reloads),
            reloads_refused: load(&counters.reloads_refused),
            not_after_s: in_force.validity.not_after_s,
        }
    }
}

/// Says so where clients that look at the certificate's time refuse it.
fn warn_of_time(config: &TlsConfig, validity: Validity, now: Millis) {
    if let Some(why) = validity.wrong_at(now / 1000) {
        let cert = config.cert.display();
        warn!(%cert, "the certificate {why}: clients that check it refuse it");
    }
}

#[cfg(test)]
mod tests;
