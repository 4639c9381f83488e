//! What a supervisor such as systemd is told, as `sd_notify(3)` describes: that the server serves, that
//! it stops, and in between that it lives.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

/// A supervisor that takes nothing for so long is not waited for.
const SEND_MAX: Duration = Duration::from_secs(1);

/// A socket of whoever started the server and wants to know how it fares.
#[derive(Debug)]
pub(crate) struct Supervisor {
    socket: UnixDatagram,
    /// How often it wants to hear that the server lives.
    watchdog: Option<Duration>,
}

impl Supervisor {
    /// The supervisor that variables of the environment name; `None` where they name none.
    ///
    /// # Errors
    /// When there is one that cannot be reached, in one sentence.
    pub(crate) fn find(
        variable: impl Fn(&str) -> Option<OsString>,
        pid: u32,
    ) -> anyhow::Result<Option<Self>> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let socket = connect(&name)
            .with_context(|| format!("NOTIFY_SOCKET {} cannot be reached", name.display()))?;
        let number = |name| variable(name)?.to_str()?.parse::<u64>().ok();
        let is_ours = match variable("WATCHDOG_PID") {
            Some(wanted) => wanted.to_str() == Some(&pid.to_string()),
            None => true,
        };
        let patience = number("WATCHDOG_USEC").filter(|us| is_ours && *us > 0);
        Ok(Some(Self {
            socket,
            // Twice as often as it has to be, so that one that comes late is not the last.
            watchdog: patience.map(|us| Duration::from_micros(us.div_ceil(2))),
        }))
    }

    /// Tells it the state, lines such as `READY=1`.
    ///
    /// # Errors
    /// When the supervisor is gone, or does not take it.
    pub(crate) fn tell(&self, state: &str) -> io::Result<()> {
        self.socket.send(state.as_bytes()).map(drop)
    }

    /// Tells it from now on that the server lives, as often as it wants to hear that, from a thread of
    /// its own and as long as `is_alive`. It ends when what is returned is dropped.
    ///
    /// # Errors
    /// When there can be no such thread.
    pub(crate) fn watch(
        &self,
        is_alive: impl Fn() -> bool + Send + 'static,
    ) -> io::Result<Option<Sender<()>>> {
        let Some(interval) = self.watchdog else {
            return Ok(None);
        };
        let socket = self.socket.try_clone()?;
        let (stop, stopped) = mpsc::channel::<()>();
        thread::Builder::new()
            .name("larder-watchdog".into())
            .spawn(move || {
                while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                    // A supervisor that is told nothing any more ends the server, which is its task.
                    if is_alive() {
                        let _ = socket.send(b"WATCHDOG=1");
                    }
                }
            })?;
        Ok(Some(stop))
    }
}

/// Connects to a socket by path, or by name in the abstract namespace behind an `@`.
fn connect(name: &OsStr) -> anyhow::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match name.as_bytes() {
        [b'/', ..] => socket.connect(Path::new(name))?,
        [b'@', name @ ..] => connect_abstract(&socket, name)?,
        _ => bail!("it is neither a path from / nor a name behind @"),
    }
    socket.set_write_timeout(Some(SEND_MAX))?;
    Ok(socket)
}

#[cfg(target_os = "linux")]
fn connect_abstract(socket: &UnixDatagram, name: &[u8]) -> anyhow::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;

    Ok(socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?)
}

#[cfg(not(target_os = "linux"))]
fn connect_abstract(_: &UnixDatagram, _: &[u8]) -> anyhow::Result<()> {
    bail!("names behind @ are known to Linux alone")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: u32 = 7;

    fn find(variables: &[(&str, &OsStr)]) -> anyhow::Result<Option<Supervisor>> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Supervisor::find(variable, PID)
    }

    fn heard(socket: &UnixDatagram) -> String {
        socket
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        let mut buffer = [0; 64];
        let bytes = socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..bytes]).into_owned()
    }

    #[test]
    fn nobody_is_told_where_nobody_asked_and_a_wrong_name_is_an_error() {
        assert!(find(&[]).unwrap().is_none());
        assert!(find(&[("NOTIFY_SOCKET", "".as_ref())]).unwrap().is_none());
        for name in ["run/notify", "/nonexistent/notify"] {
            let error = find(&[("NOTIFY_SOCKET", name.as_ref())]).unwrap_err();
            assert!(format!("{error:#}").contains(name), "{error:#}");
        }
    }

    #[test]
    fn a_socket_is_named_by_its_path_or_in_the_abstract_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let supervisor = find(&[("NOTIFY_SOCKET", path.as_os_str())]);
        supervisor.unwrap().unwrap().tell("READY=1").unwrap();
        assert_eq!(heard(&listener), "READY=1");

        #[cfg(target_os = "linux")]
        {
            use std::os::linux::net::SocketAddrExt;
            let name = format!("larder-notify-{}", std::process::id());
            let addr = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
            let listener = UnixDatagram::bind_addr(&addr).unwrap();
            let supervisor = find(&[("NOTIFY_SOCKET", format!("@{name}").as_ref())]);
            supervisor.unwrap().unwrap().tell("STOPPING=1").unwrap();
            assert_eq!(heard(&listener), "STOPPING=1");
        }
    }

    #[test]
    fn a_watchdog_hears_of_a_server_that_lives_and_of_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let with = |more: &[(&str, &OsStr)]| {
            let variables = [&[("NOTIFY_SOCKET", path.as_os_str())], more].concat();
            find(&variables).unwrap().unwrap()
        };
        assert!(with(&[]).watch(|| true).unwrap().is_none());
        let interval = ("WATCHDOG_USEC", "2000".as_ref());
        let another = with(&[interval, ("WATCHDOG_PID", "8".as_ref())]);
        assert!(another.watch(|| true).unwrap().is_none());

        let ours = with(&[interval, ("WATCHDOG_PID", "7".as_ref())]);
        assert_eq!(ours.watchdog, Some(Duration::from_millis(1)));
        let (asked, is_asked) = mpsc::channel();
        let dead = ours.watch(move || asked.send(()).is_err()).unwrap();
        is_asked.recv().unwrap();
        is_asked.recv().unwrap();
        listener.set_nonblocking(true).unwrap();
        assert!(
            listener.recv(&mut [0; 64]).is_err(),
            "nothing is said of it"
        );
        drop(dead);
        listener.set_nonblocking(false).unwrap();
        let _lives = ours.watch(|| true).unwrap();
        assert_eq!(heard(&listener), "WATCHDOG=1");
    }
}
