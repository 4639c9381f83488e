//! One Lua state, and scripts that run in it one after another.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use larder_resp::{Reply, Version};
use mlua::chunk::ChunkMode;
use mlua::debug::HookTriggers;
use mlua::state::{GcIncParams, GcMode, LuaOptions};
use mlua::{Error, Function, Lua, Result, StdLib, Table, Value, VmState};

use crate::failure::{Failure, SOURCE};
use crate::redis::Redis;
use crate::watch::{Stop, Watch};
use crate::{Host, Progress, Script, bit, cjson, cmsgpack, random, strings, structs, to_reply};

/// What a script may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Memory of the Lua state, in bytes.
    pub memory_bytes_max: usize,
    /// How long a script may run.
    pub time_max: Duration,
    /// The longest reply.
    pub reply_bytes_max: usize,
}

/// What a script is run with.
pub struct Run<'a> {
    /// The script.
    pub script: &'a Script,
    /// What it finds in `KEYS`.
    pub keys: &'a [&'a [u8]],
    /// What it finds in `ARGV`.
    pub arguments: &'a [&'a [u8]],
    /// In which the client wants its reply.
    pub version: Version,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With a reply, which may be an error.
    Replied(Vec<u8>),
    /// As the host wanted it to begin anew; nothing is replied.
    Again,
}

/// A Lua state.
pub struct Interpreter {
    lua: Lua,
    bounds: Bounds,
    watch: Rc<Watch>,
    progress: Arc<Progress>,
    redis: Rc<Redis>,
    json: cjson::Settings,
    launch: Function,
    compiled: HashMap<String, Function>,
}

/// After so many instructions of Lua the bounds are looked at. One may be a call of a function that takes
/// milliseconds.
const INSTRUCTIONS: u32 = 250;
/// Compiled scripts that are kept.
const COMPILED_MAX: usize = 500;
/// A share of the memory that what is kept between runs may have.
const KEPT_PART: usize = 4;

impl Interpreter {
    /// A state that can run scripts.
    ///
    /// # Errors
    /// When the memory allowed is too little for that.
    pub fn new(bounds: Bounds) -> std::result::Result<Self, String> {
        Self::build(bounds).map_err(|error| format!("a Lua state cannot be made: {error}"))
    }

    fn build(bounds: Bounds) -> Result<Self> {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        lua.set_memory_limit(bounds.memory_bytes_max)?;
        // Lua 5.1 does not collect when memory is short, so it has to collect early.
        lua.gc_set_mode(GcMode::Incremental(
            GcIncParams::default().pause(120).step_multiplier(400),
        ));
        let progress = Arc::<Progress>::default();
        let watch = Rc::new(Watch::new(Arc::clone(&progress), bounds.time_max));
        let every = HookTriggers::new().every_nth_instruction(INSTRUCTIONS);
        let hook = Rc::clone(&watch);
        lua.set_hook(every, move |_, _| hook.check().map(|()| VmState::Continue))?;
        let redis = Rc::new(Redis::new(Rc::clone(&watch)));
        let json = cjson::Settings::default();
        let native = lua.create_table()?;
        let globals = lua.globals();
        for name in ["string", "table", "math"] {
            native.raw_set(name, globals.raw_get::<Table>(name)?)?;
        }
        strings::install(&lua, &native.raw_get("string")?, &watch, bounds)?;
        random::install(&lua, &native.raw_get("math")?)?;
        native.raw_set("redis", redis.library(&lua)?)?;
        native.raw_set("bit", bit::library(&lua)?)?;
        native.raw_set("cmsgpack", cmsgpack::library(&lua, &watch, bounds)?)?;
        native.raw_set("struct", structs::library(&lua, bounds)?)?;
        native.raw_set("cjson", cjson::library(&lua, &json, &watch, bounds)?)?;
        let explain = explain(&lua, &watch)?;
        let describe = redis.describe(&lua)?;
        let prelude = lua.load(include_str!("prelude.lua")).set_name("=prelude");
        let launch = prelude.call((native, explain, describe))?;
        progress.hold(lua.used_memory());
        Ok(Self {
            lua,
            bounds,
            watch,
            progress,
            redis,
            json,
            launch,
            compiled: HashMap::new(),
        })
    }

    /// How far its script is.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Compiles a script, if that was not done yet.
    ///
    /// # Errors
    /// What a client is told of its mistakes.
    pub fn compile(&mut self, script: &Script) -> std::result::Result<(), String> {
        if self.compiled.contains_key(script.sha()) {
            return Ok(());
        }
        if self.compiled.len() >= COMPILED_MAX {
            self.compiled.clear();
        }
        let chunk = self.lua.load(script.code()).set_name(SOURCE);
        match chunk.set_mode(ChunkMode::Text).into_function() {
            Ok(function) => {
                self.compiled.insert(script.sha().to_owned(), function);
                Ok(())
            }
            Err(Error::SyntaxError { message, .. }) => Err(format!(
                "ERR Error compiling script (new function): {message}"
            )),
            Err(error) => Err(format!(
                "ERR Error compiling script (new function): {}",
                Failure::of(&error).text
            )),
        }
    }

    /// Runs a script to its end, whatever that is.
    pub fn run(&mut self, run: Run<'_>, host: &mut dyn Host) -> Ended {
        self.tidy();
        if let Err(text) = self.compile(run.script) {
            return error(&text);
        }
        let (sha, version) = (run.script.sha(), run.version);
        let function = self.compiled[sha].clone();
        self.redis.begin(sha);
        self.json.reset();
        self.watch.begin();
        let mut out = Vec::new();
        let ended = self
            .execute(function, run, host)
            .and_then(|value| self.write(&value, version, &mut out));
        self.watch.end();
        self.progress.hold(self.lua.used_memory());
        match (self.watch.stopped(), ended) {
            (Some(Stop::Again), _) => Ended::Again,
            (None, Ok(())) => Ended::Replied(out),
            // It ends with the reason, even if that was caught somewhere.
            (Some(stop), Ok(())) => error(&Failure::of(&self.watch.stop(stop)).text),
            (_, Err(raised)) => error(&self.redis.take_failure().unwrap_or_else(|| {
                let text = Failure::of(&raised).text;
                format!("ERR Error running script {sha}, {text}")
            })),
        }
    }

    fn execute(&self, chunk: Function, run: Run<'_>, host: &mut dyn Host) -> Result<Value> {
        let list = |items: &[&[u8]]| -> Result<Table> {
            let list = self.lua.create_table()?;
            for (at, item) in items.iter().enumerate() {
                list.raw_set(at + 1, self.lua.create_string(item)?)?;
            }
            Ok(list)
        };
        let (keys, arguments) = (list(run.keys)?, list(run.arguments)?);
        let (ok, value) = self.redis.with_host(&self.lua, host, || {
            self.launch.call::<(bool, Value)>((chunk, keys, arguments))
        })?;
        match (ok, value) {
            (true, value) => Ok(value),
            (false, Value::String(text)) => Err(Error::RuntimeError(text.to_string_lossy())),
            (false, _) => Err(Error::RuntimeError("execution failure".to_owned())),
        }
    }

    fn write(&self, value: &Value, version: Version, out: &mut Vec<u8>) -> Result<()> {
        let writer = to_reply::Writer {
            lua: &self.lua,
            watch: &self.watch,
            script_version: self.redis.version(),
            bytes_max: self.bounds.reply_bytes_max,
        };
        if let Err(error) = writer.write(value, &mut Reply::new(out, version)) {
            self.redis.fail(format!("ERR {}", Failure::of(&error).text));
            return Err(error);
        }
        Ok(())
    }

    /// What scripts left behind goes before it is in the next one's way.
    fn tidy(&mut self) {
        let kept_bytes_max = self.bounds.memory_bytes_max / KEPT_PART;
        if self.lua.used_memory() < kept_bytes_max {
            return;
        }
        for _ in 0..2 {
            // It only fails where a finaliser does, and scripts can have none.
            let _ = self.lua.gc_collect();
            if self.lua.used_memory() < kept_bytes_max {
                return;
            }
            self.compiled.clear();
        }
    }
}

fn error(text: &str) -> Ended {
    let mut out = Vec::new();
    Reply::new(&mut out, Version::V2).error(text);
    Ended::Replied(out)
}

/// Makes of what was raised what a script sees, and raises again what it must not catch. Where it is
/// `caught`, a table becomes the text of its field `err`, as in Redis.
fn explain(lua: &Lua, watch: &Rc<Watch>) -> Result<Function> {
    let watch = Rc::clone(watch);
    lua.create_function(move |lua, (raised, is_caught): (Value, bool)| {
        if watch.stopped().is_some() {
            watch.check()?;
        }
        let raised = match raised {
            Value::Error(error) => Failure::of(&error).to_value(lua)?,
            raised => raised,
        };
        if let (Value::Table(table), true) = (&raised, is_caught) {
            let text: Value = table.raw_get("err")?;
            if text.is_string() {
                return Ok(text);
            }
        }
        Ok(raised)
    })
}

#[cfg(test)]
mod tests;
