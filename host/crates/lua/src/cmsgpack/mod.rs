//! The library `cmsgpack`.

mod pack;
mod unpack;

use std::rc::Rc;

use mlua::{Lua, MultiValue, Result, Table, Value};

use crate::arguments::{Arguments, bad_argument};
use crate::failure::Failure;
use crate::interpreter::Bounds;
use crate::watch::Watch;
use unpack::Unpacker;

pub(crate) fn library(lua: &Lua, watch: &Rc<Watch>, bounds: Bounds) -> Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cmsgpack")?;
    library.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    let (looks, bytes_max) = (Rc::clone(watch), bounds.memory_bytes_max);
    let pack = lua.create_function(move |lua, args: Arguments| {
        if args.len() == 0 {
            let text = "bad argument #0 to 'pack' (MessagePack pack needs input.)";
            return Err(Failure::plain(lua, text));
        }
        let mut out = Vec::new();
        for value in args.iter() {
            let packed = pack::pack(value, &looks, bytes_max, &mut out);
            packed.map_err(|text| Failure::plain(lua, text))?;
        }
        lua.create_string(out)
    })?;
    library.raw_set("pack", pack)?;
    let looks = Rc::clone(watch);
    let all = lua.create_function(move |lua, args| unpack(lua, &looks, &args, "unpack", None))?;
    library.raw_set("unpack", all)?;
    let looks = Rc::clone(watch);
    let one = lua.create_function(move |lua, args: Arguments| {
        let offset = args.integer_or(lua, 1, "unpack_one", 0)?;
        unpack(lua, &looks, &args, "unpack_one", Some((1, offset)))
    })?;
    library.raw_set("unpack_one", one)?;
    let looks = Rc::clone(watch);
    let some = lua.create_function(move |lua, args: Arguments| {
        let limit = args.integer(lua, 1, "unpack_limit")?;
        let offset = args.integer_or(lua, 2, "unpack_limit", 0)?;
        unpack(lua, &looks, &args, "unpack_limit", Some((limit, offset)))
    })?;
    library.raw_set("unpack_limit", some)?;
    Ok(library)
}

/// Values out of bytes: all, or so many of them behind where the next one begins.
fn unpack(
    lua: &Lua,
    watch: &Watch,
    args: &Arguments,
    function: &str,
    part: Option<(i64, i64)>,
) -> Result<MultiValue> {
    let text = args.string(lua, 0, function)?;
    let text = text.as_bytes();
    let (limit, offset) = part.unwrap_or_default();
    if limit < 0 || offset < 0 {
        let len = text.len();
        let text = format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(Failure::plain(lua, text));
    }
    let offset = offset as usize;
    if offset > text.len() {
        let len = text.len();
        let text = format!("Start offset {offset} greater than input length {len}.");
        return Err(Failure::plain(lua, text));
    }
    let most = if limit == 0 {
        usize::MAX
    } else {
        limit as usize
    };
    let mut unpacker = Unpacker::new(lua, watch, &text[offset..]);
    let mut values = MultiValue::new();
    while values.len() < most && unpacker.left() > 0 {
        if values.len() == VALUES_MAX {
            return Err(bad_argument(lua, 0, function, "too many values"));
        }
        values.push_back(unpacker.value()?);
    }
    if limit > 0 {
        let next = match unpacker.left() {
            0 => -1.0,
            left => (text.len() - left) as f64,
        };
        values.push_front(Value::Number(next));
    }
    Ok(values)
}

/// A function of Lua returns no more.
const VALUES_MAX: usize = 7_000;
