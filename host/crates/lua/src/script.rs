//! A script's code and what its first line says of it.

/// What EVAL was given: code, and the flags of a first line like `#!lua flags=no-writes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    sha: String,
    body: Vec<u8>,
    code_at: usize,
    is_marked: bool,
    no_writes: bool,
}

/// Why a script's first line was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScriptError {
    /// It begins as if to name an engine, and has no end.
    #[error("Invalid script shebang")]
    Unfinished,
    /// It names another engine.
    #[error("Unexpected engine in script shebang: {0}")]
    Engine(String),
    /// It has an option that there is not.
    #[error("Unknown lua shebang option: {0}")]
    Option(String),
    /// It has a flag that there is not.
    #[error("Unexpected flag in script shebang: {0}")]
    Flag(String),
}

/// Flags that change nothing here: what they allow is allowed, or never comes up.
const IDLE_FLAGS: [&str; 4] = [
    "allow-oom",
    "allow-stale",
    "no-cluster",
    "allow-cross-slot-keys",
];

impl Script {
    /// Reads the first line.
    ///
    /// # Errors
    /// See [`ScriptError`].
    pub fn new(body: &[u8]) -> Result<Self, ScriptError> {
        let mut script = Self {
            sha: sha1_hex(body),
            body: body.to_vec(),
            code_at: 0,
            is_marked: body.starts_with(b"#!"),
            no_writes: false,
        };
        if script.is_marked {
            let end = body.iter().position(|byte| *byte == b'\n');
            script.code_at = end.ok_or(ScriptError::Unfinished)?;
            let line = String::from_utf8_lossy(&body[..script.code_at]).into_owned();
            script.read_marks(&line)?;
        }
        Ok(script)
    }

    fn read_marks(&mut self, line: &str) -> Result<(), ScriptError> {
        let mut words = line.split_ascii_whitespace();
        let engine = words.next().unwrap_or_default();
        if engine != "#!lua" {
            return Err(ScriptError::Engine(engine.to_owned()));
        }
        for word in words {
            let flags = word.strip_prefix("flags=");
            let flags = flags.ok_or_else(|| ScriptError::Option(word.to_owned()))?;
            for flag in flags.split(',').filter(|flag| !flag.is_empty()) {
                match flag {
                    "no-writes" => self.no_writes = true,
                    _ if IDLE_FLAGS.contains(&flag) => {}
                    _ => return Err(ScriptError::Flag(flag.to_owned())),
                }
            }
        }
        Ok(())
    }

    /// SHA-1 of all of it, as 40 hexadecimal digits: the name that EVALSHA knows it by.
    pub fn sha(&self) -> &str {
        &self.sha
    }

    /// Length of all of it.
    pub fn bytes(&self) -> usize {
        self.body.len()
    }

    /// Whether it says of itself that it does not write.
    pub fn no_writes(&self) -> bool {
        self.no_writes
    }

    /// Whether it says of itself that it may write, by a first line without `no-writes`.
    pub fn may_write(&self) -> bool {
        self.is_marked && !self.no_writes
    }

    /// The code behind the first line's marks; lines count from that line.
    pub(crate) fn code(&self) -> &[u8] {
        &self.body[self.code_at..]
    }
}

/// SHA-1 as 40 hexadecimal digits: the name of a script of these bytes.
pub fn sha1_hex(bytes: &[u8]) -> String {
    use sha1::Digest;
    let digest = sha1::Sha1::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
