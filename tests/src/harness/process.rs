//! Other programs: started, watched, stopped by their own id.

use std::fs;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};

use super::patience::{PATIENCE, within};

/// Output that is kept of a stream; what follows is read and dropped, so that nobody blocks.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// A running program, its output kept. Killed when dropped.
pub struct Process {
    shown: String,
    child: Child,
    stdout: Output,
    stderr: Output,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Finished {
    /// Its exit status.
    pub status: ExitStatus,
    /// Standard output; bytes that are no UTF-8 replaced.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

/// Raises the number of descriptors that this process, and those it starts from now on, may have
/// open to what the system allows. Returns that number.
///
/// # Panics
/// When the system refuses what it says it allows.
pub fn raise_descriptor_limit() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).expect("the limit can be raised up to its maximum");
    let descriptors = limit
        .maximum
        .and_then(|maximum| usize::try_from(maximum).ok());
    descriptors.unwrap_or(usize::MAX)
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started, or has not ended after `limit`.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    let mut process = Process::start(command);
    match process.wait(limit) {
        Some(status) => process.finished(status),
        None => panic!(
            "{} has not ended within {limit:?}\n{}",
            process.shown,
            process.stderr()
        ),
    }
}

impl Process {
    /// Starts a program; its standard input is what `command` says, or the inherited one.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let shown = format!("{command:?}");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot start {shown}: {error}"),
        };
        let stdout = Output::of(child.stdout.take());
        let stderr = Output::of(child.stderr.take());
        Self {
            shown,
            child,
            stdout,
            stderr,
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// What it has written to standard error so far, as soon as `text` is there. What a program says before it answers
    /// may be read after its answer.
    ///
    /// # Panics
    /// When it has not written `text` within [`PATIENCE`].
    #[track_caller]
    pub fn said(&self, text: &str) -> String {
        let said = within(PATIENCE, || {
            Some(self.stderr()).filter(|said| said.contains(text))
        });
        match said {
            Some(said) => said,
            None => panic!("{} has not said {text:?}\n{}", self.shown, self.stderr()),
        }
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// When the system refuses, as it does when the program has ended and was waited for.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        let told = pid.map(|pid| kill_process(pid, signal));
        assert!(
            matches!(told, Some(Ok(()))),
            "no signal for {}: {told:?}",
            self.shown
        );
    }

    /// Lets its files grow to so many bytes from now on, or as they like.
    ///
    /// # Panics
    /// When the system refuses.
    #[track_caller]
    pub fn limit_files(&self, bytes: Option<u64>) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        // What is allowed at most stays, so that it can be raised again.
        let maximum = getrlimit(Resource::Fsize).maximum;
        let current = bytes.or(maximum);
        let limit = Rlimit { current, maximum };
        let limited = prlimit(pid, Resource::Fsize, limit);
        assert!(limited.is_ok(), "no limit for {}: {limited:?}", self.shown);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        // Fails when it has ended and was waited for, as it should have been.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it has.
    ///
    /// # Panics
    /// When the system does not tell.
    pub fn status(&mut self) -> Option<ExitStatus> {
        self.child
            .try_wait()
            .expect("the state of a child can be asked for")
    }

    /// Waits for its end, for `limit` at most.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        within(limit, || self.status())
    }

    /// All it said, once it has ended with `status`.
    pub fn finished(&self, status: ExitStatus) -> Finished {
        // Whoever inherited the pipes may outlive the program: then the output is what there is.
        within(PATIENCE, || {
            (self.stdout.is_whole() && self.stderr.is_whole()).then_some(())
        });
        Finished {
            status,
            stdout: self.stdout(),
            stderr: self.stderr(),
        }
    }

    /// Bytes of memory that are resident, of the program's own pages 8 MiB at most: one that was built without
    /// optimisations has far more.
    ///
    /// # Panics
    /// When it has ended, or there is no `/proc`.
    #[track_caller]
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let kib = |name| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
            kib.unwrap_or_else(|| panic!("no {name} in {path}: {status}"))
        };
        (kib("VmRSS:") - kib("RssFile:").saturating_sub(8 << 10)) * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One stream of a program, read to its end by a thread.
struct Output {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Output {
    fn of(stream: Option<impl Read + Send + 'static>) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = bytes.clone();
        let reader = stream.map(|stream| thread::spawn(move || keep(stream, &kept)));
        Self { bytes, reader }
    }

    fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn is_whole(&self) -> bool {
        self.reader.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

fn keep(mut stream: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 16 << 10];
    while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = OUTPUT_BYTES_MAX - kept.len();
        kept.extend_from_slice(&buffer[..bytes.min(room)]);
    }
}
