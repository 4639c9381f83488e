//! The library `cjson`.

mod decode;
mod encode;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Result, Table, Value};

use crate::arguments::{Arguments, bad_argument};
use crate::failure::Failure;
use crate::interpreter::Bounds;
use crate::watch::Watch;

/// How deep values may be nested; scripts can ask for less.
const DEPTH_MAX: usize = 1_000;

/// What a script can choose.
#[derive(Clone, Copy)]
pub(crate) struct Choices {
    sparse: Sparse,
    encode_depth_max: usize,
    decode_depth_max: usize,
    /// Digits of a number.
    digits: usize,
    invalid_numbers: Invalid,
}

/// Which tables with holes are lists.
#[derive(Clone, Copy)]
struct Sparse {
    /// Those that are not become objects; otherwise they are an error.
    converts: bool,
    /// A list may have so many places for each item,
    ratio: usize,
    /// and always this many.
    safe: usize,
}

/// What becomes of numbers that JSON has not.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Invalid {
    Refused,
    Written,
    Null,
}

impl Default for Choices {
    fn default() -> Self {
        Self {
            sparse: Sparse {
                converts: false,
                ratio: 2,
                safe: 10,
            },
            encode_depth_max: DEPTH_MAX,
            decode_depth_max: DEPTH_MAX,
            digits: 14,
            invalid_numbers: Invalid::Refused,
        }
    }
}

/// The choices of the script that runs.
#[derive(Clone, Default)]
pub(crate) struct Settings(Rc<Cell<Choices>>);

impl Settings {
    pub(crate) fn reset(&self) {
        self.0.take();
    }
}

pub(crate) fn library(
    lua: &Lua,
    settings: &Settings,
    watch: &Rc<Watch>,
    bounds: Bounds,
) -> Result<Table> {
    let library = lua.create_table()?;
    library.raw_set("_NAME", "cjson")?;
    library.raw_set("_VERSION", "2.1.0")?;
    library.raw_set("null", Value::NULL)?;
    let (cell, looks) = (Rc::clone(&settings.0), Rc::clone(watch));
    let bytes_max = bounds.memory_bytes_max;
    let encode = lua.create_function(move |lua, args: Arguments| {
        only(lua, &args, "encode")?;
        let text = encode::encode(args.get(0), cell.get(), &looks, bytes_max);
        lua.create_string(text.map_err(|text| Failure::plain(lua, text))?)
    })?;
    library.raw_set("encode", encode)?;
    let (cell, looks) = (Rc::clone(&settings.0), Rc::clone(watch));
    let decode = lua.create_function(move |lua, args: Arguments| {
        only(lua, &args, "decode")?;
        let text: LuaString = args.string(lua, 0, "decode")?;
        decode::decode(lua, &text.as_bytes(), &looks, cell.get().decode_depth_max)
    })?;
    library.raw_set("decode", decode)?;
    choose(lua, &library, settings, "encode_sparse_array", sparse)?;
    choose(
        lua,
        &library,
        settings,
        "encode_max_depth",
        |lua, args, choices| {
            let name = "encode_max_depth";
            number(lua, args, 0, name, 1, &mut choices.encode_depth_max).map(one)
        },
    )?;
    choose(
        lua,
        &library,
        settings,
        "decode_max_depth",
        |lua, args, choices| {
            let name = "decode_max_depth";
            number(lua, args, 0, name, 1, &mut choices.decode_depth_max).map(one)
        },
    )?;
    choose(
        lua,
        &library,
        settings,
        "encode_number_precision",
        precision,
    )?;
    choose(lua, &library, settings, "encode_invalid_numbers", invalid)?;
    // These concern speed and leniency only: what is chosen is what there is.
    for name in ["encode_keep_buffer", "decode_invalid_numbers"] {
        let function = lua.create_function(|_, _: Arguments| Ok(true))?;
        library.raw_set(name, function)?;
    }
    Ok(library)
}

type Choose = fn(&Lua, &Arguments, &mut Choices) -> Result<MultiValue>;

/// A function that changes a choice, if it is given one, and tells it.
fn choose(
    lua: &Lua,
    library: &Table,
    settings: &Settings,
    name: &'static str,
    change: Choose,
) -> Result<()> {
    let cell = Rc::clone(&settings.0);
    let function = lua.create_function(move |lua, args: Arguments| {
        let mut choices = cell.get();
        let told = change(lua, &args, &mut choices)?;
        cell.set(choices);
        Ok(told)
    })?;
    library.raw_set(name, function)
}

fn sparse(lua: &Lua, args: &Arguments, choices: &mut Choices) -> Result<MultiValue> {
    let (name, sparse) = ("encode_sparse_array", &mut choices.sparse);
    if let Value::Boolean(converts) = args.get(0) {
        sparse.converts = *converts;
    }
    number(lua, args, 1, name, 0, &mut sparse.ratio)?;
    number(lua, args, 2, name, 0, &mut sparse.safe)?;
    Ok(MultiValue::from_iter([
        Value::Boolean(sparse.converts),
        Value::Number(sparse.ratio as f64),
        Value::Number(sparse.safe as f64),
    ]))
}

fn precision(lua: &Lua, args: &Arguments, choices: &mut Choices) -> Result<MultiValue> {
    let name = "encode_number_precision";
    let mut digits = choices.digits;
    number(lua, args, 0, name, 1, &mut digits)?;
    if digits > 14 {
        let text = "expected integer between 1 and 14";
        return Err(bad_argument(lua, 0, name, text));
    }
    choices.digits = digits;
    Ok(one(Value::Number(digits as f64)))
}

fn invalid(lua: &Lua, args: &Arguments, choices: &mut Choices) -> Result<MultiValue> {
    match args.get(0) {
        Value::Nil => {}
        Value::Boolean(true) => choices.invalid_numbers = Invalid::Written,
        Value::Boolean(false) => choices.invalid_numbers = Invalid::Refused,
        Value::String(text) if text.as_bytes().as_ref() == b"null" => {
            choices.invalid_numbers = Invalid::Null;
        }
        Value::String(text) if text.as_bytes().as_ref() == b"on" => {
            choices.invalid_numbers = Invalid::Written;
        }
        Value::String(text) if text.as_bytes().as_ref() == b"off" => {
            choices.invalid_numbers = Invalid::Refused;
        }
        _ => {
            let text = "invalid option";
            return Err(bad_argument(lua, 0, "encode_invalid_numbers", text));
        }
    }
    Ok(one(match choices.invalid_numbers {
        Invalid::Refused => Value::Boolean(false),
        Invalid::Written => Value::Boolean(true),
        Invalid::Null => Value::String(lua.create_string("null")?),
    }))
}

/// Changes `choice` to an argument that is given.
fn number(
    lua: &Lua,
    args: &Arguments,
    at: usize,
    name: &str,
    least: usize,
    choice: &mut usize,
) -> Result<Value> {
    if !args.get(at).is_nil() {
        let wanted = usize::try_from(args.integer(lua, at, name)?).ok();
        let wanted = wanted.filter(|wanted| (least..=i32::MAX as usize).contains(wanted));
        *choice = wanted.ok_or_else(|| {
            let text = format!("expected integer between {least} and {}", i32::MAX);
            bad_argument(lua, at, name, &text)
        })?;
    }
    Ok(Value::Number(*choice as f64))
}

fn one(value: Value) -> MultiValue {
    MultiValue::from_iter([value])
}

fn only(lua: &Lua, args: &Arguments, name: &str) -> Result<()> {
    match args.len() {
        1 => Ok(()),
        _ => Err(bad_argument(lua, 0, name, "expected 1 argument")),
    }
}
