//! The arguments of a function that a script calls, read as Lua's own functions read theirs.

use mlua::{FromLuaMulti, Lua, LuaString, MultiValue, Result, Value};

use crate::failure::Failure;

/// Arguments in order.
#[derive(Default)]
pub(crate) struct Arguments(MultiValue);

impl FromLuaMulti for Arguments {
    fn from_lua_multi(values: MultiValue, _lua: &Lua) -> Result<Self> {
        Ok(Self(values))
    }
}

impl Arguments {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, at: usize) -> &Value {
        self.0.get(at).unwrap_or(&Value::Nil)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Value> {
        self.0.iter()
    }

    /// A string, or a number as one.
    pub(crate) fn string(&self, lua: &Lua, at: usize, function: &str) -> Result<LuaString> {
        match self.get(at) {
            Value::String(string) => Ok(string.clone()),
            value => {
                let text = lua.coerce_string(value.clone())?;
                text.ok_or_else(|| self.wrong(lua, at, function, "string"))
            }
        }
    }

    pub(crate) fn number(&self, lua: &Lua, at: usize, function: &str) -> Result<f64> {
        let number = lua.coerce_number(self.get(at).clone())?;
        number.ok_or_else(|| self.wrong(lua, at, function, "number"))
    }

    /// A number without its fraction.
    pub(crate) fn integer(&self, lua: &Lua, at: usize, function: &str) -> Result<i64> {
        Ok(self.number(lua, at, function)? as i64)
    }

    /// A number without its fraction, or `default` in the place of nothing.
    pub(crate) fn integer_or(
        &self,
        lua: &Lua,
        at: usize,
        function: &str,
        default: i64,
    ) -> Result<i64> {
        match self.get(at) {
            Value::Nil => Ok(default),
            _ => self.integer(lua, at, function),
        }
    }

    /// The complaint about an argument of another type.
    pub(crate) fn wrong(&self, lua: &Lua, at: usize, function: &str, wanted: &str) -> mlua::Error {
        let got = match self.0.get(at) {
            None => "no value",
            Some(value) => type_name(value),
        };
        let text = format!("{wanted} expected, got {got}");
        bad_argument(lua, at, function, &text)
    }
}

/// The complaint about an argument.
pub(crate) fn bad_argument(lua: &Lua, at: usize, function: &str, text: &str) -> mlua::Error {
    // What a method is called on is not counted.
    let is_method = |debug: &mlua::debug::Debug<'_>| debug.names().name_what == Some("method");
    let is_method = lua.inspect_stack(0, is_method).unwrap_or(false);
    let text = match (at + 1).checked_sub(usize::from(is_method)) {
        Some(0) | None => format!("calling '{function}' on bad self"),
        Some(at) => format!("bad argument #{at} to '{function}' ({text})"),
    };
    Failure::plain(lua, text)
}

/// A type as Lua names it.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Integer(_) | Value::Number(_) => "number",
        Value::LightUserData(_) | Value::UserData(_) | Value::Error(_) => "userdata",
        value => value.type_name(),
    }
}
