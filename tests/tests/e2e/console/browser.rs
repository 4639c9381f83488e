//! A browser that does as it is told, over the pipe that it has for tools.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use e2e::harness::{PATIENCE, within};
use serde_json::{Value, json};
use tempfile::TempDir;

/// One page in a browser of its own. Both end when it is dropped.
pub(super) struct Browser {
    child: Child,
    requests: ChildStdin,
    replies: Receiver<Value>,
    next_id: u64,
    session: Option<String>,
    _profile: TempDir,
}

impl Browser {
    /// Opens `address`.
    #[track_caller]
    pub(super) fn open(program: &Path, address: &str) -> Self {
        let profile = tempfile::tempdir().unwrap();
        // The pipe is descriptors 3 and 4, which are here what we have as its input and output.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null"])
            .arg(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
            ])
            .args(["--no-first-run", "--disable-background-networking"])
            .args(["--disable-component-update", "--disable-sync"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("--remote-debugging-pipe")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let (sender, replies) = channel();
        thread::spawn(move || {
            let mut message = Vec::new();
            while output
                .read_until(0, &mut message)
                .is_ok_and(|bytes| bytes > 0)
            {
                let reply = serde_json::from_slice(message.strip_suffix(b"\0").unwrap_or(&message));
                message.clear();
                if reply.is_ok_and(|reply| sender.send(reply).is_err()) {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            requests,
            replies,
            next_id: 0,
            session: None,
            _profile: profile,
        };
        let page = browser
            .order("Target.createTarget", json!({ "url": address }))
            .unwrap();
        let page = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = browser.order("Target.attachToTarget", page).unwrap();
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser
    }

    /// Waits until an expression of JavaScript is true.
    #[track_caller]
    pub(super) fn wait_for(&mut self, truth: &str) {
        let truth = format!("Boolean({truth})");
        let is_true = |value: Result<Value, String>| value.is_ok_and(|value| value == true);
        let came = within(PATIENCE, || is_true(self.value(&truth)).then_some(()));
        if came.is_none() {
            let last = self.value(&truth);
            panic!("{truth} does not come: {last:?}\n{}", self.page());
        }
    }

    /// Has JavaScript do something.
    #[track_caller]
    pub(super) fn act(&mut self, script: &str) {
        if let Err(error) = self.value(script) {
            panic!("{script}: {error}");
        }
    }

    /// The page as it stands, as HTML; empty while there is none.
    pub(super) fn page(&mut self) -> String {
        let page = self.value("document.documentElement.outerHTML");
        let page = page.ok().and_then(|page| page.as_str().map(str::to_owned));
        page.unwrap_or_default()
    }

    /// The value of an expression. There is none while one page gives way to another.
    fn value(&mut self, expression: &str) -> Result<Value, String> {
        let asked = json!({ "expression": expression, "returnByValue": true });
        let told = self.order("Runtime.evaluate", asked)?;
        match told.get("exceptionDetails") {
            Some(exception) => Err(exception.to_string()),
            None => Ok(told["result"]["value"].clone()),
        }
    }

    fn order(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.next_id += 1;
        let mut message = json!({ "id": self.next_id, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let message = format!("{message}\0");
        self.requests.write_all(message.as_bytes()).unwrap();
        loop {
            let reply = self.replies.recv_timeout(PATIENCE).unwrap();
            if reply["id"] == self.next_id {
                return match reply.get("error") {
                    Some(error) => Err(error.to_string()),
                    None => Ok(reply["result"].clone()),
                };
            }
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Asked to close it ends its own processes, too.
        let _ = self
            .requests
            .write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let ended = within(PATIENCE / 3, || self.child.try_wait().ok().flatten());
        if ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
