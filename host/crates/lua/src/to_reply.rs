//! Lua values as replies.

use larder_resp::{Reply, Version};
use mlua::{Error, Lua, Result, Table, Value};

use crate::number::{number_of, truncated};
use crate::watch::Watch;

/// Writes what a script returned.
pub(crate) struct Writer<'a> {
    pub(crate) lua: &'a Lua,
    pub(crate) watch: &'a Watch,
    /// The version that the script has chosen.
    pub(crate) script_version: Version,
    pub(crate) bytes_max: usize,
}

/// How deep tables may be nested.
const DEPTH_MAX: usize = 64;

impl Writer<'_> {
    /// # Errors
    /// When it is nested too deep or becomes too long; what was written until then is to be thrown away.
    pub(crate) fn write(&self, value: &Value, reply: &mut Reply<'_>) -> Result<()> {
        self.value(value, reply, 0)
    }

    fn value(&self, value: &Value, reply: &mut Reply<'_>, depth: usize) -> Result<()> {
        if reply.out_len() > self.bytes_max {
            return Err(Error::runtime(
                "the reply of the script exceeds limits.output_max",
            ));
        }
        self.watch.work(1)?;
        match value {
            Value::String(text) => reply.bulk(&text.as_bytes()),
            Value::Integer(number) => reply.integer(*number),
            Value::Number(number) => reply.integer(truncated(*number)),
            Value::Boolean(truth) if self.script_version == Version::V3 => reply.boolean(*truth),
            Value::Boolean(true) => reply.integer(1),
            Value::Table(_) if depth == DEPTH_MAX => {
                return Err(Error::runtime("reached lua stack limit"));
            }
            Value::Table(table) => return self.table(table, reply, depth + 1),
            _ => reply.null(),
        }
        Ok(())
    }

    /// A table is what its first field of these names says; without them it is a list.
    fn table(&self, table: &Table, reply: &mut Reply<'_>, depth: usize) -> Result<()> {
        self.watch.check()?;
        if let Value::String(text) = table.raw_get("err")? {
            reply.error(&text.to_string_lossy());
        } else if let Value::String(text) = table.raw_get("ok")? {
            reply.simple(&text.to_string_lossy());
        } else if let Some(number) = number_of(&table.raw_get("double")?) {
            reply.double(number);
        } else if let Value::Table(map) = table.raw_get("map")? {
            reply.map(map.pairs::<Value, Value>().count());
            for pair in map.pairs::<Value, Value>() {
                let (key, value) = pair?;
                self.value(&key, reply, depth)?;
                self.value(&value, reply, depth)?;
            }
        } else if let Value::Table(set) = table.raw_get("set")? {
            reply.set(set.pairs::<Value, Value>().count());
            for pair in set.pairs::<Value, Value>() {
                self.value(&pair?.0, reply, depth)?;
            }
        } else if let Value::String(digits) = table.raw_get("big_number")? {
            reply.big_number(&digits.to_string_lossy().replace(['\r', '\n'], " "));
        } else if let Value::Table(verbatim) = table.raw_get("verbatim_string")? {
            let text = verbatim.raw_get::<Value>("string")?;
            let text = self.lua.coerce_string(text)?;
            reply.verbatim(&text.map_or(String::new(), |text| text.to_string_lossy()));
        } else {
            return self.list(table, reply, depth);
        }
        Ok(())
    }

    /// The items up to the first that is nil.
    fn list(&self, table: &Table, reply: &mut Reply<'_>, depth: usize) -> Result<()> {
        let mut len = 0;
        while !table.raw_get::<Value>(len + 1)?.is_nil() {
            self.watch.work(1)?;
            len += 1;
        }
        reply.array(len);
        (1..=len).try_for_each(|at| self.value(&table.raw_get(at)?, reply, depth))
    }
}
