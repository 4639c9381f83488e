//! A server to test against, and a client that speaks bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use larder_engine::below::Below;
use larder_engine::tier::CodecFigures;
use larder_engine::{Engine, EngineConfig, Millis, SizeClasses, TenantConfig, Undecided, native};
use larder_policy_s3_fifo::S3Fifo;
use larder_resp::Version;

use crate::clients::{Kind, Origin};
use crate::{Drained, LogControl, Login, Parts, Running, ServerConfig, Session, Shared, start};

/// A reply that takes longer than this is a failure.
const PATIENCE: Duration = Duration::from_secs(20);
const NOW: Millis = 1_700_000_000_000;
const MEMORY_BYTES: u64 = 64 << 20;

pub(crate) fn parts() -> Parts {
    parts_of(&["default"])
}

/// With tenants of these names.
pub(crate) fn parts_of(tenants: &[&str]) -> Parts {
    parts_over(tenants, |_| None)
}

/// With tenants of these names, and that below the memory of each.
pub(crate) fn parts_over(
    tenants: &[&str],
    below: impl Fn(&str) -> Option<Arc<dyn Below>>,
) -> Parts {
    let tenant = |name: &&str| TenantConfig {
        name: (*name).into(),
        memory_bytes: MEMORY_BYTES / tenants.len() as u64,
        evictor: native("s3-fifo", S3Fifo::default),
        reuse: None,
        below: below(name),
        vault: None,
    };
    let engine = Engine::new(EngineConfig {
        memory_bytes: MEMORY_BYTES,
        threads: 1,
        seed: 1,
        size_classes: SizeClasses::Sixteen,
        start_ms: NOW,
        volatile_only: false,
        tenants: tenants.iter().map(tenant).collect(),
    });
    Parts {
        engine: Arc::new(engine.expect("the configuration is valid")),
        deciders: Arc::new(Undecided),
        policies: Arc::new(Undecided),
        levels: None,
        codec: Arc::new(CodecFigures::default),
        foresight: None,
        hooks: Vec::new(),
        clock: || NOW,
        monotonic_ns: || 0,
        resident: || None,
        release_memory: || (),
        run_id: "0".repeat(40),
        random: |bytes| {
            bytes.fill(7);
            Ok(())
        },
        log: LogControl {
            read: || "info".into(),
            check: |text| match text {
                "loud" => Err("no level".into()),
                _ => Ok(()),
            },
            change: |_| (),
        },
    }
}

/// The session of a client, number 42.
pub(crate) fn session(shared: &Shared, version: Version) -> Session {
    session_of(shared, 42, version)
}

/// The session of a client with a number of its own, which others see.
pub(crate) fn session_of(shared: &Shared, id: u64, version: Version) -> Session {
    let login = Login::new(&shared.users).expect("there is room");
    let origin = Origin {
        kind: Kind::Tcp,
        peer: format!("127.0.0.1:{id}").into(),
        local: "127.0.0.1:6379".into(),
        descriptor: 8,
    };
    let mut session = Session::new(id, login, origin, shared.now());
    session.set_version(version);
    shared.clients.add(&session.client);
    session
}

/// Settings for a test: a free port, and HTTP off.
pub(crate) fn config() -> ServerConfig {
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    ServerConfig {
        listen: Some(listen),
        ..ServerConfig::default()
    }
}

/// A server with `tweak`ed settings on a free port.
pub(crate) fn serve(tweak: impl FnOnce(&mut ServerConfig)) -> Server {
    let mut config = config();
    tweak(&mut config);
    serve_with(config, parts())
}

pub(crate) fn serve_with(config: ServerConfig, parts: Parts) -> Server {
    let shared = Arc::new(Shared::new(config, parts));
    let running = start(shared.clone(), Arc::new(|| "larder_up 1\n".into()));
    let running = running.expect("the server starts");
    running.open();
    Server { shared, running }
}

pub(crate) struct Server {
    pub(crate) shared: Arc<Shared>,
    pub(crate) running: Running,
}

impl Server {
    pub(crate) fn connect(&self) -> Client<TcpStream> {
        let addr = self.running.resp_addr().expect("it is on");
        let stream = TcpStream::connect(addr).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_write_timeout(Some(PATIENCE)).expect("not zero");
        stream.set_nodelay(true).expect("connected");
        Client { stream }
    }

    pub(crate) fn drain(self) -> Drained {
        block_on(self.running.drain())
    }
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn eventually(is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < 3 * PATIENCE, "it never came to be");
        thread::yield_now();
    }
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    runtime.expect("a runtime can be made").block_on(future)
}

/// A client of the Redis protocol that counts bytes and understands none.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
}

impl<S: Read + Write> Client<S> {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// Reads as much as `expected` has and compares.
    #[track_caller]
    pub(crate) fn expect(&mut self, expected: impl AsRef<[u8]>) {
        let expected = expected.as_ref();
        let mut got = vec![0; expected.len()];
        self.stream
            .read_exact(&mut got)
            .expect("the server replies");
        if got != expected {
            let at = got.iter().zip(expected).take_while(|(a, b)| a == b).count();
            let end = (at + 80).min(got.len());
            let got = String::from_utf8_lossy(&got[at..end]);
            panic!("reply differs at byte {at}, from there it is {got:?}");
        }
    }

    #[track_caller]
    pub(crate) fn ask(&mut self, request: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
        self.send(request);
        self.expect(expected);
    }

    /// Reads until the server closes, as it should and not by a reset, and returns what came before.
    #[track_caller]
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return got,
                Ok(bytes) => got.extend_from_slice(&buffer[..bytes]),
                Err(error) => panic!("the server did not close the connection: {error}"),
            }
        }
    }
}

/// One request as a multibulk.
pub(crate) fn command(args: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    larder_resp::encode_command(&mut out, args);
    out
}

/// A bulk string as it travels.
pub(crate) fn bulk(value: &[u8]) -> Vec<u8> {
    let mut out = format!("${}\r\n", value.len()).into_bytes();
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
    out
}
