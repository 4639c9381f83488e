//! Replies as Lua values.

use larder_resp::{Limits, Value as Reply, decode};
use mlua::{Error, Lua, Result, Table, Value};

/// What our own commands reply is not doubted.
const LIMITS: Limits = Limits {
    bulk_bytes_max: usize::MAX,
    args_max: usize::MAX,
    inline_bytes_max: usize::MAX,
    request_bytes_max: usize::MAX,
};

/// The one reply that `bytes` are.
pub(crate) fn value(lua: &Lua, bytes: &[u8]) -> Result<Value> {
    match decode(bytes, &LIMITS) {
        Ok(Some((reply, _))) => convert(lua, &reply),
        Ok(None) => Err(Error::runtime("ERR the reply is not whole")),
        Err(error) => Err(Error::runtime(format!("ERR {error}"))),
    }
}

fn convert(lua: &Lua, reply: &Reply) -> Result<Value> {
    let table = match reply {
        Reply::Integer(number) => return Ok(Value::Number(*number as f64)),
        Reply::Bulk(Some(bytes)) => return lua.create_string(bytes).map(Value::String),
        Reply::Bulk(None) | Reply::NullArray => return Ok(Value::Boolean(false)),
        Reply::Null => return Ok(Value::Nil),
        Reply::Boolean(truth) => return Ok(Value::Boolean(*truth)),
        Reply::Simple(text) => one(lua, "ok", text.as_str())?,
        Reply::Error(text) => one(lua, "err", text.as_str())?,
        Reply::Double(number) => one(lua, "double", *number)?,
        Reply::BigNumber(digits) => one(lua, "big_number", digits.as_str())?,
        Reply::Verbatim(text) => {
            let inner = one(lua, "format", "txt")?;
            inner.raw_set("string", text.as_str())?;
            one(lua, "verbatim_string", inner)?
        }
        Reply::Array(items) | Reply::Push(items) => {
            let table = lua.create_table_with_capacity(items.len(), 0)?;
            for (at, item) in items.iter().enumerate() {
                table.raw_set(at + 1, convert(lua, item)?)?;
            }
            table
        }
        Reply::Map(pairs) => {
            let inner = lua.create_table()?;
            for (key, value) in pairs {
                inner.raw_set(convert(lua, key)?, convert(lua, value)?)?;
            }
            one(lua, "map", inner)?
        }
        Reply::Set(items) => {
            let inner = lua.create_table()?;
            for item in items {
                inner.raw_set(convert(lua, item)?, true)?;
            }
            one(lua, "set", inner)?
        }
    };
    Ok(Value::Table(table))
}

fn one(lua: &Lua, name: &str, value: impl mlua::IntoLua) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set(name, value)?;
    Ok(table)
}
