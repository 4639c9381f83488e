//! The servers that are measured: started on a port of their own, watched from outside, stopped.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A server has to be ready by then.
const START_MAX: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// The Redis protocol.
    Resp,
    /// memcached's text protocol.
    Memcached,
}

/// Which server, and how it is started.
#[derive(Debug, Clone)]
pub enum Kind {
    /// The program of this repository.
    Larder {
        /// Where the program lies.
        program: PathBuf,
        /// Workers; its default when `None`.
        threads: Option<usize>,
        /// What lies in its folder of policies: names there, and modules.
        policies: Vec<(&'static str, Vec<u8>)>,
        /// What lies below its memory, as its setting of that name says.
        l2: String,
        /// What else it is told at its start.
        flags: &'static [&'static str],
    },
    /// Debian's `redis-server` with one thread, LRU and no persistence.
    Redis,
    /// `memcached` with one worker.
    Memcached,
}

impl Kind {
    /// The program, its threads and what evicts.
    pub fn name(&self) -> String {
        match self {
            Self::Larder { threads: None, .. } => "larder s3-fifo, default threads".to_owned(),
            Self::Larder {
                threads: Some(threads),
                ..
            } => {
                let plural = if *threads == 1 { "" } else { "s" };
                format!("larder s3-fifo, {threads} thread{plural}")
            }
            Self::Redis => "redis-server allkeys-lru, 1 thread".to_owned(),
            Self::Memcached => "memcached, 1 thread".to_owned(),
        }
    }

    /// Where `larder` lies when nobody says: beside this program.
    pub fn larder_beside() -> PathBuf {
        let own = env::current_exe().unwrap_or_default();
        own.with_file_name("larder")
    }

    /// The rivals whose programs are installed.
    pub fn rivals() -> Vec<Self> {
        let mut all = vec![Self::Redis, Self::Memcached];
        all.retain(|kind| installed(kind.program()));
        all
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Memcached => Protocol::Memcached,
            Self::Larder { .. } | Self::Redis => Protocol::Resp,
        }
    }

    /// Larder with no policy but the native ones, in memory alone.
    pub fn larder(program: &Path, threads: Option<usize>) -> Self {
        Self::Larder {
            program: program.to_path_buf(),
            threads,
            policies: Vec::new(),
            l2: "none".to_owned(),
            flags: &[],
        }
    }

    /// Puts the policies where the server will look.
    fn prepare(&self, data: &Path) -> Result<()> {
        let Self::Larder { policies, .. } = self else {
            return Ok(());
        };
        let folder = data.join("policies.d");
        fs::create_dir_all(&folder)?;
        for (name, module) in policies {
            fs::write(folder.join(format!("{name}.wasm")), module)?;
        }
        Ok(())
    }

    fn program(&self) -> &Path {
        match self {
            Self::Larder { program, .. } => program,
            Self::Redis => Path::new("redis-server"),
            Self::Memcached => Path::new("memcached"),
        }
    }

    fn command(&self, port: u16, memory_mib: Option<u64>, data: &Path) -> Command {
        let mut command = Command::new(self.program());
        match self {
            Self::Larder {
                threads, l2, flags, ..
            } => {
                command.args(["serve", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
                command.arg("--data").arg(data).args(["--l2", l2]);
                command.args(*flags);
                if let Some(threads) = threads {
                    command.args(["--threads", &threads.to_string()]);
                }
                if let Some(mib) = memory_mib {
                    command.args(["--memory", &format!("{mib}MiB")]);
                }
            }
            Self::Redis => {
                command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
                command.args([
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--io-threads",
                    "1",
                    "--dir",
                ]);
                command.arg(data);
                if let Some(mib) = memory_mib {
                    command.args(["--maxmemory", &format!("{mib}mb")]);
                    command.args(["--maxmemory-policy", "allkeys-lru"]);
                }
            }
            Self::Memcached => {
                command.args([
                    "-l",
                    "127.0.0.1",
                    "-p",
                    &port.to_string(),
                    "-U",
                    "0",
                    "-t",
                    "1",
                ]);
                command.args([
                    "-u",
                    "nobody",
                    "-m",
                    &memory_mib.unwrap_or(1024).to_string(),
                ]);
            }
        }
        command
    }
}

/// Whether a program can be found.
pub fn installed(program: &Path) -> bool {
    let paths = env::var_os("PATH").unwrap_or_default();
    program.is_file() || env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// A running server; it ends when this is dropped.
pub struct Server {
    child: Child,
    address: SocketAddr,
    protocol: Protocol,
    _data: TempDir,
}

impl Server {
    /// Starts a server, with `memory_mib` or its default, and waits until it is ready.
    ///
    /// # Errors
    /// When the program cannot be started or is not ready in time.
    pub fn start(kind: &Kind, memory_mib: Option<u64>) -> Result<Self> {
        let data = TempDir::new()?;
        kind.prepare(data.path())?;
        let port = free_port()?;
        let mut command = kind.command(port, memory_mib, data.path());
        let child = command
            .stdin(Stdio::null())
            .stdout(match kind {
                Kind::Larder { .. } => Stdio::piped(),
                Kind::Redis | Kind::Memcached => Stdio::null(),
            })
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", kind.program().display()))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self {
            child,
            address,
            protocol: kind.protocol(),
            _data: data,
        };
        let ready = match kind {
            Kind::Larder { .. } => server.read_address(),
            Kind::Redis | Kind::Memcached => server.await_connection(),
        };
        ready.with_context(|| format!("{} does not start: {command:?}", kind.name()))?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it speaks.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).context("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Resident memory in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.child.id())
    }

    /// Time all its threads have spent on a processor, in user and in system mode.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> Result<Duration> {
        cpu(self.child.id())
    }

    /// The same of its threads of one name; zero where there is none.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_of(&self, thread: &str) -> Result<Duration> {
        cpu_of(self.child.id(), |name| name == thread)
    }

    /// Larder says where it listens, once it does.
    fn read_address(&mut self) -> Result<()> {
        let output = self.child.stdout.take().context("no output")?;
        let (send, receive) = mpsc::channel();
        // Reads on to the end, so that the pipe never fills.
        thread::spawn(move || {
            let lines = BufReader::new(output).lines();
            lines
                .map_while(Result::ok)
                .for_each(|line| drop(send.send(line)));
        });
        let deadline = Instant::now() + START_MAX;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            let line = receive
                .recv_timeout(rest)
                .context("it does not say that it is ready")?;
            let word = line.split(' ').find_map(|word| word.strip_prefix("resp="));
            if let (true, Some(address)) = (line.starts_with("larder ready"), word) {
                self.address = address
                    .parse()
                    .with_context(|| format!("address in '{line}'"))?;
                return Ok(());
            }
        }
    }

    fn await_connection(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_MAX;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{status}");
            }
            ensure!(Instant::now() < deadline, "it takes no connection");
            thread::sleep(POLL);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time all threads of a process have spent on a processor, in user and in system mode.
///
/// # Errors
/// When there is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    let sum = cpu_of(process, |_| true)?;
    ensure!(
        !sum.is_zero(),
        "this system does not count the time of the threads of process {process}"
    );
    Ok(sum)
}

/// The same of the threads whose names fit.
fn cpu_of(process: u32, fits: impl Fn(&str) -> bool) -> Result<Duration> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task")).context("the process has ended")? {
        // One that ended since takes its time with it: servers keep theirs.
        let thread = thread?.path();
        let read = |what: &str| fs::read_to_string(thread.join(what)).unwrap_or_default();
        if fits(read("comm").trim_end()) {
            let first = read("schedstat").split(' ').next().map(str::parse::<u64>);
            sum += first.and_then(Result::ok).unwrap_or(0);
        }
    }
    Ok(Duration::from_nanos(sum))
}

/// Resident memory of a process in bytes.
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(process: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix(" kB"));
    let kib: u64 = kib.context("no VmRSS: the process has ended")?.parse()?;
    Ok(kib * 1024)
}

/// A port that nobody uses at the moment.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
