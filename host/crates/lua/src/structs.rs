//! The library `struct`: values to and from bytes, as a format says.

use mlua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};

use crate::arguments::{Arguments, bad_argument};
use crate::failure::Failure;
use crate::interpreter::Bounds;
use crate::number::truncated;

/// Bytes of the longest integer.
const INTEGER_MAX: usize = 32;
const ALIGNMENT_MAX: usize = 8;

pub(crate) fn library(lua: &Lua, bounds: Bounds) -> Result<Table> {
    let library = lua.create_table()?;
    let bytes_max = bounds.memory_bytes_max;
    let pack = lua.create_function(move |lua, args| pack(lua, &args, bytes_max))?;
    library.raw_set("pack", pack)?;
    library.raw_set("unpack", lua.create_function(unpack)?)?;
    library.raw_set("size", lua.create_function(size)?)?;
    Ok(library)
}

/// One item of a format.
struct Item {
    option: u8,
    bytes: usize,
    /// Bytes to skip before it.
    padding: usize,
    is_big: bool,
}

/// Reads a format item by item.
struct Format<'a> {
    lua: &'a Lua,
    function: &'static str,
    rest: &'a [u8],
    is_big: bool,
    alignment: usize,
}

impl<'a> Format<'a> {
    fn new(lua: &'a Lua, function: &'static str, text: &'a [u8]) -> Self {
        Self {
            lua,
            function,
            rest: text,
            is_big: false,
            alignment: 1,
        }
    }

    /// The next item, which is to stand at `at`.
    fn next(&mut self, at: usize) -> Result<Option<Item>> {
        while let Some((&option, rest)) = self.rest.split_first() {
            self.rest = rest;
            let bytes = match option {
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'f' => 4,
                b'l' | b'L' | b'T' | b'd' => 8,
                b's' => 0,
                b'c' => self.number().unwrap_or(1),
                b'i' | b'I' => self.number().unwrap_or(4),
                b' ' => continue,
                b'<' | b'=' | b'>' => {
                    self.is_big = option == b'>';
                    continue;
                }
                b'!' => {
                    self.alignment = self.number().unwrap_or(ALIGNMENT_MAX);
                    if !self.alignment.is_power_of_two() {
                        let text = format!("alignment {} is not a power of 2", self.alignment);
                        return Err(Failure::plain(self.lua, text));
                    }
                    continue;
                }
                option => {
                    let text = format!("invalid format option '{}'", char::from(option));
                    return Err(bad_argument(self.lua, 0, self.function, &text));
                }
            };
            if matches!(option, b'i' | b'I') && bytes > INTEGER_MAX {
                let text = format!("integral size {bytes} is larger than limit of {INTEGER_MAX}");
                return Err(Failure::plain(self.lua, text));
            }
            let unit = bytes.min(self.alignment);
            let is_aligned = option == b'c' || unit == 0;
            return Ok(Some(Item {
                option,
                bytes,
                padding: if is_aligned {
                    0
                } else {
                    at.next_multiple_of(unit) - at
                },
                is_big: self.is_big,
            }));
        }
        Ok(None)
    }

    fn number(&mut self) -> Option<usize> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(digits.count());
        self.rest = rest;
        match digits {
            [] => None,
            digits => str::from_utf8(digits)
                .ok()?
                .parse()
                .ok()
                .or(Some(usize::MAX / 2)),
        }
    }
}

fn pack(lua: &Lua, args: &Arguments, bytes_max: usize) -> Result<LuaString> {
    let format = args.string(lua, 0, "pack")?;
    let format = format.as_bytes();
    let mut format = Format::new(lua, "pack", &format);
    let (mut out, mut at) = (Vec::new(), 1);
    while let Some(item) = format.next(out.len())? {
        out.resize(out.len() + item.padding, 0);
        match item.option {
            b'x' => {
                out.push(0);
                continue;
            }
            b's' | b'c' => {
                let text = args.string(lua, at, "pack")?;
                let text = text.as_bytes();
                let bytes = if item.bytes == 0 {
                    text.len()
                } else {
                    item.bytes
                };
                let Some(text) = text.get(..bytes) else {
                    return Err(bad_argument(lua, at + 1, "pack", "string too short"));
                };
                out.extend_from_slice(text);
                if item.option == b's' {
                    out.push(0);
                }
            }
            b'f' => {
                let number = args.number(lua, at, "pack")? as f32;
                append(&mut out, number.to_bits().into(), &item);
            }
            b'd' => {
                let number = args.number(lua, at, "pack")?;
                append(&mut out, number.to_bits(), &item);
            }
            _ => {
                let number = args.number(lua, at, "pack")?;
                append(&mut out, truncated(number) as u64, &item);
            }
        }
        at += 1;
        if out.len() > bytes_max {
            return Err(Failure::plain(lua, "not enough memory"));
        }
    }
    lua.create_string(out)
}

/// The lowest bytes of a number, in the item's order.
fn append(out: &mut Vec<u8>, number: u64, item: &Item) {
    let start = out.len();
    let bytes = number.to_le_bytes().into_iter().chain(std::iter::repeat(0));
    out.extend(bytes.take(item.bytes));
    if item.is_big {
        out[start..].reverse();
    }
}

fn unpack(lua: &Lua, args: Arguments) -> Result<MultiValue> {
    let (format, data) = (
        args.string(lua, 0, "unpack")?,
        args.string(lua, 1, "unpack")?,
    );
    let (format, data) = (format.as_bytes(), data.as_bytes());
    let at = args.integer_or(lua, 2, "unpack", 1)?;
    let at = usize::try_from(at).ok().and_then(|at| at.checked_sub(1));
    let text = "offset must be 1 or greater";
    let mut at = at.ok_or_else(|| bad_argument(lua, 2, "unpack", text))?;
    let mut format = Format::new(lua, "unpack", &format);
    let too_short = || bad_argument(lua, 1, "unpack", "data string too short");
    let mut values = MultiValue::new();
    while let Some(item) = format.next(at)? {
        at = at.saturating_add(item.padding);
        let mut bytes = item.bytes;
        if item.option == b'c' && bytes == 0 {
            bytes = match values.pop_back() {
                Some(Value::Number(bytes)) if bytes >= 0.0 => bytes as usize,
                _ => return Err(Failure::plain(lua, "format 'c0' needs a previous size")),
            };
        }
        let rest = data.get(at..).ok_or_else(too_short)?;
        if item.option == b's' {
            let end = rest.iter().position(|byte| *byte == 0);
            bytes = end.ok_or_else(|| Failure::plain(lua, "unfinished string in data"))?;
        }
        let field = rest.get(..bytes).ok_or_else(too_short)?;
        at += bytes + usize::from(item.option == b's');
        let value = match item.option {
            b'x' => continue,
            b's' | b'c' => Value::String(lua.create_string(field)?),
            _ => Value::Number(number(field, &item)),
        };
        values.push_back(value);
    }
    values.push_back(Value::Number((at + 1) as f64));
    Ok(values)
}

fn number(field: &[u8], item: &Item) -> f64 {
    let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
    let bits = match item.is_big {
        true => field.iter().fold(0, add),
        false => field.iter().rev().fold(0, add),
    };
    match item.option {
        b'f' => f64::from(f32::from_bits(bits as u32)),
        b'd' => f64::from_bits(bits),
        option if option.is_ascii_uppercase() => bits as f64,
        _ => {
            let unused = 64 - 8 * item.bytes.clamp(1, 8) as u32;
            ((bits << unused) as i64 >> unused) as f64
        }
    }
}

fn size(lua: &Lua, args: Arguments) -> Result<f64> {
    let format = args.string(lua, 0, "size")?;
    let format = format.as_bytes();
    let mut format = Format::new(lua, "size", &format);
    let mut at = 0_usize;
    while let Some(item) = format.next(at)? {
        let no_size = |option| -> Error {
            let text = format!("option '{option}' has no fixed size");
            bad_argument(lua, 0, "size", &text)
        };
        match (item.option, item.bytes) {
            (b's', _) => return Err(no_size("s")),
            (b'c', 0) => return Err(no_size("c0")),
            (_, bytes) => at = at.saturating_add(item.padding).saturating_add(bytes),
        }
    }
    Ok(at as f64)
}
