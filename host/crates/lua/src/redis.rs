//! The library `redis`.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use larder_resp::{Args, ArgsBuf, Version};
use mlua::{Error, Function, Lua, Result, Table, Value};

use crate::arguments::Arguments;
use crate::failure::{Failure, line};
use crate::script::sha1_hex;
use crate::watch::{Stop, Watch};
use crate::{Called, Host, Level, from_reply, number};

/// The state behind the library.
pub(crate) struct Redis {
    watch: Rc<Watch>,
    sha: RefCell<String>,
    version: Cell<Version>,
    failure: RefCell<Option<String>>,
    /// What runs a command while a script runs.
    port: RefCell<Option<Function>>,
    /// What is handed to it: beside the stack, which has not room for all of it twice.
    passed: RefCell<Arguments>,
}

/// What a script wants of the host.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wish {
    Call,
    Log,
    May,
}

const LEVELS: [(&str, Level); 4] = [
    ("LOG_DEBUG", Level::Debug),
    ("LOG_VERBOSE", Level::Verbose),
    ("LOG_NOTICE", Level::Notice),
    ("LOG_WARNING", Level::Warning),
];
/// They speak of replicas, of which there are none.
const REPLICATION: [(&str, i32); 5] = [
    ("REPL_NONE", 0),
    ("REPL_AOF", 1),
    ("REPL_SLAVE", 2),
    ("REPL_REPLICA", 2),
    ("REPL_ALL", 3),
];
/// The version of Redis whose commands these are.
const REDIS_VERSION: (&str, u32) = ("7.2.4", 0x0007_0204);

impl Redis {
    pub(crate) fn new(watch: Rc<Watch>) -> Self {
        Self {
            watch,
            sha: RefCell::default(),
            version: Cell::default(),
            failure: RefCell::default(),
            port: RefCell::default(),
            passed: RefCell::default(),
        }
    }

    pub(crate) fn begin(&self, sha: &str) {
        sha.clone_into(&mut self.sha.borrow_mut());
        self.version.set(Version::V2);
        self.failure.take();
    }

    /// The version of the protocol in which the script wants its replies.
    pub(crate) fn version(&self) -> Version {
        self.version.get()
    }

    pub(crate) fn fail(&self, text: String) {
        self.failure.replace(Some(text));
    }

    pub(crate) fn take_failure(&self) -> Option<String> {
        self.failure.take()
    }

    /// Runs `body`, while the library's functions reach `host`.
    pub(crate) fn with_host<R>(
        &self,
        lua: &Lua,
        host: &mut dyn Host,
        body: impl FnOnce() -> Result<R>,
    ) -> Result<R> {
        let host = RefCell::new(host);
        lua.scope(|scope| {
            let port = scope.create_function(|lua, wish: u8| {
                let args = self.passed.take();
                let mut host = host.borrow_mut();
                match wish {
                    wish if wish == Wish::Call as u8 => self.execute(lua, &mut **host, &args),
                    wish if wish == Wish::Log as u8 => log(lua, &mut **host, &args),
                    _ => may(lua, &mut **host, &args),
                }
            })?;
            self.port.replace(Some(port));
            let result = body();
            self.port.take();
            result
        })
    }

    fn execute(&self, lua: &Lua, host: &mut dyn Host, args: &Arguments) -> Result<Value> {
        self.watch.check()?;
        let args = command(lua, args)?;
        let mut out = Vec::new();
        let version = self.version.get();
        if host.call(args.args(), version, &mut out) == Called::Again {
            return Err(self.watch.stop(Stop::Again));
        }
        from_reply::value(lua, &out)
    }

    pub(crate) fn library(self: &Rc<Self>, lua: &Lua) -> Result<Table> {
        let library = lua.create_table()?;
        for (number, (name, _)) in LEVELS.iter().enumerate() {
            library.raw_set(*name, number)?;
        }
        for (name, number) in REPLICATION {
            library.raw_set(name, number)?;
        }
        library.raw_set("REDIS_VERSION", REDIS_VERSION.0)?;
        library.raw_set("REDIS_VERSION_NUM", REDIS_VERSION.1)?;
        library.raw_set("call", self.through(lua, Wish::Call, true)?)?;
        library.raw_set("pcall", self.through(lua, Wish::Call, false)?)?;
        library.raw_set("log", self.through(lua, Wish::Log, true)?)?;
        library.raw_set("acl_check_cmd", self.through(lua, Wish::May, true)?)?;
        library.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
        library.raw_set("error_reply", lua.create_function(error_reply)?)?;
        library.raw_set("status_reply", lua.create_function(status_reply)?)?;
        let is_replicating = |_: &Lua, _: Arguments| Ok(true);
        library.raw_set("replicate_commands", lua.create_function(is_replicating)?)?;
        library.raw_set("set_repl", lua.create_function(set_repl)?)?;
        let redis = Rc::clone(self);
        let setresp = lua.create_function(move |lua, args: Arguments| redis.setresp(lua, &args))?;
        library.raw_set("setresp", setresp)?;
        Ok(library)
    }

    /// A function that hands its arguments to the host; what is an error is raised where it `raises`, and
    /// returned otherwise.
    fn through(self: &Rc<Self>, lua: &Lua, wish: Wish, raises: bool) -> Result<Function> {
        let redis = Rc::clone(self);
        lua.create_function(move |lua, args: Arguments| {
            let port = redis.port.borrow().clone();
            let port = port.ok_or_else(|| raised(lua, "ERR no script is running"))?;
            redis.passed.replace(args);
            let value: Value = match port.call(wish as u8) {
                Err(error) if raises || redis.watch.stopped().is_some() => return Err(error),
                Err(error) => Failure::of(&error).to_value(lua)?,
                Ok(value) => value,
            };
            match (&value, raises) {
                (Value::Table(table), true) => match table.raw_get::<Option<String>>("err")? {
                    Some(text) => Err(raised(lua, &text)),
                    None => Ok(value),
                },
                _ => Ok(value),
            }
        })
    }

    fn setresp(&self, lua: &Lua, args: &Arguments) -> Result<()> {
        if args.len() != 1 {
            return Err(raised(lua, "ERR redis.setresp() requires one argument."));
        }
        self.version.set(match number::number_of(args.get(0)) {
            Some(2.0) => Version::V2,
            Some(3.0) => Version::V3,
            _ => return Err(raised(lua, "ERR RESP version must be 2 or 3.")),
        });
        Ok(())
    }

    /// What is called where an error is caught by nobody: notes what the client is told.
    pub(crate) fn describe(self: &Rc<Self>, lua: &Lua) -> Result<Function> {
        let redis = Rc::clone(self);
        lua.create_function(move |lua, raised: Value| {
            let at = line(lua);
            let (text, at) = match &raised {
                Value::Error(error) => {
                    let failure = Failure::of(error);
                    (failure.coded(), failure.line.or(at))
                }
                Value::Table(table) => match table.raw_get::<Value>("err")? {
                    Value::String(text) => (text.to_string_lossy(), at),
                    _ => ("ERR unknown error".to_owned(), at),
                },
                Value::String(text) => (format!("ERR {}", text.to_string_lossy()), at),
                Value::Integer(_) | Value::Number(_) | Value::Boolean(_) | Value::Nil => {
                    (format!("ERR {}", raised.to_string()?), at)
                }
                raised => (format!("ERR {}", raised.type_name()), at),
            };
            let sha = redis.sha.borrow();
            redis.fail(match at {
                Some(line) => format!("{text} script: {sha}, on @user_script:{line}."),
                None => text,
            });
            Ok("")
        })
    }
}

/// An error as `redis.call` raises it: a table, with the place where it happened.
fn raised(lua: &Lua, text: &str) -> Error {
    Error::external(Failure::reply(text.to_owned(), line(lua)))
}

/// The arguments of a command: strings, and numbers as Redis writes them.
fn command(lua: &Lua, args: &Arguments) -> Result<ArgsBuf> {
    if args.len() == 0 {
        let text = "ERR Please specify at least one argument for this redis lib call";
        return Err(raised(lua, text));
    }
    let mut command = ArgsBuf::default();
    for arg in args.iter() {
        match arg {
            Value::String(text) => command.push(&text.as_bytes()),
            Value::Integer(number) => command.push(number.to_string().as_bytes()),
            Value::Number(number) => command.push(number::general(*number, 17).as_bytes()),
            _ => {
                let text = "ERR Lua redis lib command arguments must be strings or integers";
                return Err(raised(lua, text));
            }
        }
    }
    Ok(command)
}

fn log(lua: &Lua, host: &mut dyn Host, args: &Arguments) -> Result<Value> {
    if args.len() < 2 {
        let text = "ERR redis.log() requires two arguments or more.";
        return Err(raised(lua, text));
    }
    let Some(level) = number::number_of(args.get(0)) else {
        let text = "ERR First argument must be a number (log level).";
        return Err(raised(lua, text));
    };
    let Some((_, level)) = LEVELS.get(level as usize).filter(|_| level >= 0.0) else {
        return Err(raised(lua, "ERR Invalid debug level."));
    };
    let mut text = Vec::new();
    for at in 1..args.len() {
        if let Some(part) = lua.coerce_string(args.get(at).clone())? {
            text.extend_from_slice(if at > 1 { b" " } else { b"" });
            text.extend_from_slice(&part.as_bytes());
        }
    }
    host.log(*level, &String::from_utf8_lossy(&text));
    Ok(Value::Nil)
}

fn may(lua: &Lua, host: &mut dyn Host, args: &Arguments) -> Result<Value> {
    let args = command(lua, args)?;
    let args: Args<'_> = args.args();
    let text = "ERR Invalid command passed to redis.acl_check_cmd()";
    let may = host.may(args).ok_or_else(|| raised(lua, text))?;
    Ok(Value::Boolean(may))
}

fn sha1hex(lua: &Lua, args: Arguments) -> Result<String> {
    if args.len() != 1 {
        return Err(raised(lua, "ERR wrong number of arguments"));
    }
    let text = lua.coerce_string(args.get(0).clone())?;
    Ok(text.map_or_else(|| sha1_hex(b""), |text| sha1_hex(&text.as_bytes())))
}

/// The text of an error has a code; one that has a single word lacks it.
fn error_reply(lua: &Lua, args: Arguments) -> Result<Table> {
    let [Value::String(text)] = &args.iter().cloned().collect::<Vec<_>>()[..] else {
        return field(lua, "err", "ERR wrong number or type of arguments");
    };
    let text = text.to_string_lossy();
    let text = text.strip_prefix('-').unwrap_or(&text).trim_end();
    match text.contains(' ') {
        true => field(lua, "err", text),
        false => field(lua, "err", &format!("ERR {text}")),
    }
}

fn status_reply(lua: &Lua, args: Arguments) -> Result<Table> {
    match (args.len(), args.get(0)) {
        (1, Value::String(text)) => {
            let reply = lua.create_table()?;
            reply.raw_set("ok", text)?;
            Ok(reply)
        }
        _ => field(lua, "err", "ERR wrong number or type of arguments"),
    }
}

fn set_repl(lua: &Lua, args: Arguments) -> Result<()> {
    if args.len() != 1 {
        return Err(raised(lua, "ERR redis.set_repl() requires one argument."));
    }
    match number::number_of(args.get(0)) {
        Some(flags) if (0.0..4.0).contains(&flags) => Ok(()),
        _ => {
            let text = "ERR Invalid replication flags. Please use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
            Err(raised(lua, text))
        }
    }
}

fn field(lua: &Lua, name: &str, text: &str) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set(name, text)?;
    Ok(table)
}
