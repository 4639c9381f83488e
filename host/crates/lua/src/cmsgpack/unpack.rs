//! MessagePack to Lua values.

use mlua::{Error, Lua, Result, Value};

use crate::failure::Failure;
use crate::watch::{KEY_WORK, Watch};

/// How deep values may be nested.
const DEPTH_MAX: usize = 200;

/// Reads one value after another.
pub(super) struct Unpacker<'a> {
    lua: &'a Lua,
    watch: &'a Watch,
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(lua: &'a Lua, watch: &'a Watch, bytes: &'a [u8]) -> Self {
        let rest = bytes;
        Self { lua, watch, rest }
    }

    /// Bytes not read yet.
    pub(super) fn left(&self) -> usize {
        self.rest.len()
    }

    /// # Errors
    /// When it is not whole, is none, or is nested too deep; or when the script has to end.
    pub(super) fn value(&mut self) -> Result<Value> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Result<Value> {
        self.watch.work(1)?;
        let kind = self.bytes(1)?[0];
        let number = match kind {
            0x00..=0x7F => f64::from(kind),
            0xE0..=0xFF => f64::from(kind as i8),
            0x80..=0x8F => return self.map(usize::from(kind & 15), depth),
            0x90..=0x9F => return self.list(usize::from(kind & 15), depth),
            0xA0..=0xBF => return self.string(usize::from(kind & 31)),
            0xC0 => return Ok(Value::Nil),
            0xC2 | 0xC3 => return Ok(Value::Boolean(kind == 0xC3)),
            0xC4 | 0xD9 => return self.unsigned(1).and_then(|len| self.string(len as usize)),
            0xC5 | 0xDA => return self.unsigned(2).and_then(|len| self.string(len as usize)),
            0xC6 | 0xDB => return self.unsigned(4).and_then(|len| self.string(len as usize)),
            0xCA => f64::from(f32::from_bits(self.unsigned(4)? as u32)),
            0xCB => f64::from_bits(self.unsigned(8)?),
            0xCC..=0xCF => self.unsigned(1 << (kind - 0xCC))? as f64,
            0xD0..=0xD3 => {
                let bytes = 1 << (kind - 0xD0);
                let unused = 64 - 8 * bytes as u32;
                ((self.unsigned(bytes)? << unused) as i64 >> unused) as f64
            }
            0xDC => {
                return self
                    .unsigned(2)
                    .and_then(|len| self.list(len as usize, depth));
            }
            0xDD => {
                return self
                    .unsigned(4)
                    .and_then(|len| self.list(len as usize, depth));
            }
            0xDE => {
                return self
                    .unsigned(2)
                    .and_then(|len| self.map(len as usize, depth));
            }
            0xDF => {
                return self
                    .unsigned(4)
                    .and_then(|len| self.map(len as usize, depth));
            }
            _ => return Err(self.bad()),
        };
        Ok(Value::Number(number))
    }

    fn bad(&self) -> Error {
        Failure::plain(self.lua, "Bad data format in input.")
    }

    fn bytes(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            return Err(Failure::plain(self.lua, "Missing bytes in input."));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn unsigned(&mut self, len: usize) -> Result<u64> {
        let bytes = self.bytes(len)?.iter();
        Ok(bytes.fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn string(&mut self, len: usize) -> Result<Value> {
        let bytes = self.bytes(len)?;
        self.lua.create_string(bytes).map(Value::String)
    }

    /// The table grows with what is really there: `len` is only a claim.
    fn list(&mut self, len: usize, depth: usize) -> Result<Value> {
        if depth == DEPTH_MAX {
            return Err(self.bad());
        }
        let table = self.lua.create_table()?;
        for at in 1..=len {
            table.raw_set(at, self.nested(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize, depth: usize) -> Result<Value> {
        if depth == DEPTH_MAX {
            return Err(self.bad());
        }
        let table = self.lua.create_table()?;
        for _ in 0..len {
            self.watch.work(KEY_WORK)?;
            let key = self.nested(depth + 1)?;
            table.raw_set(key, self.nested(depth + 1)?)?;
        }
        Ok(Value::Table(table))
    }
}
