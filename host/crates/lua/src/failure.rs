//! Errors as scripts see them.

use mlua::{Error, Lua, Result, Value};

/// The name that a script's code has in messages.
pub(crate) const SOURCE: &str = "@user_script";

/// An error that Rust code raised in a script.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Failure {
    pub(crate) text: String,
    /// Set for what scripts see as a table with the field `err`, as they see what `redis.call` raises.
    is_reply: bool,
    pub(crate) line: Option<usize>,
}

impl Failure {
    /// One that a script sees as a table; `text` has its code in front.
    pub(crate) fn reply(text: String, line: Option<usize>) -> Self {
        Self {
            text,
            is_reply: true,
            line,
        }
    }

    /// One that a script sees as a string: `text` behind the place where it happened.
    pub(crate) fn plain(lua: &Lua, text: impl std::fmt::Display) -> Error {
        let line = line(lua);
        let place = line.map_or(String::new(), |line| format!("user_script:{line}: "));
        Error::external(Self {
            text: format!("{place}{text}"),
            is_reply: false,
            line,
        })
    }

    /// What Rust code raised, out of what mlua made of it.
    pub(crate) fn of(error: &Error) -> Self {
        match error {
            Error::CallbackError { cause, .. } | Error::WithContext { cause, .. } => {
                Self::of(cause)
            }
            _ => error.downcast_ref().cloned().unwrap_or_else(|| Self {
                text: match error {
                    Error::RuntimeError(text) => text.clone(),
                    Error::MemoryError(_) => "not enough memory".to_owned(),
                    error => error.to_string(),
                },
                is_reply: false,
                line: None,
            }),
        }
    }

    /// Its text, with a code in front.
    pub(crate) fn coded(&self) -> String {
        match self.is_reply {
            true => self.text.clone(),
            false => format!("ERR {}", self.text),
        }
    }

    /// The value that a script sees when it catches this.
    pub(crate) fn to_value(&self, lua: &Lua) -> Result<Value> {
        if !self.is_reply {
            return lua.create_string(&self.text).map(Value::String);
        }
        let table = lua.create_table()?;
        table.raw_set("err", self.text.as_str())?;
        if let Some(line) = self.line {
            table.raw_set("source", SOURCE)?;
            table.raw_set("line", line)?;
        }
        Ok(Value::Table(table))
    }
}

/// The line of the script that is being executed.
pub(crate) fn line(lua: &Lua) -> Option<usize> {
    /// Of the functions called, so many are looked at: those between here and the script's own are few.
    const LEVELS_MAX: usize = 8;
    (0..LEVELS_MAX).find_map(|level| {
        lua.inspect_stack(level, |debug| {
            (debug.source().source.as_deref() == Some(SOURCE)).then(|| debug.current_line())
        })
        .flatten()
        .flatten()
    })
}
