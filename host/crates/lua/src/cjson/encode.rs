//! Lua values to JSON.

use mlua::{Table, Value};

use super::{Choices, DEPTH_MAX, Invalid};
use crate::arguments::type_name;
use crate::number::{general, number_of};
use crate::watch::Watch;

type Outcome<T> = Result<T, String>;

struct Encoder<'a> {
    choices: Choices,
    watch: &'a Watch,
    bytes_max: usize,
    out: Vec<u8>,
}

/// # Errors
/// What of the value JSON has not; that it is longer than `bytes_max` or too deep; or that the script has
/// to end, which it does whatever it makes of this.
pub(super) fn encode(
    value: &Value,
    choices: Choices,
    watch: &Watch,
    bytes_max: usize,
) -> Outcome<Vec<u8>> {
    let mut encoder = Encoder {
        choices,
        watch,
        bytes_max,
        out: Vec::new(),
    };
    encoder.value(value, 0)?;
    Ok(encoder.out)
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Outcome<()> {
        self.watch.work(1).map_err(|stop| stop.to_string())?;
        if self.out.len() > self.bytes_max {
            return Err("not enough memory".to_owned());
        }
        match value {
            Value::Nil => self.out.extend_from_slice(b"null"),
            Value::LightUserData(pointer) if pointer.0.is_null() => {
                self.out.extend_from_slice(b"null");
            }
            Value::Boolean(truth) => self.out.extend_from_slice(truth.to_string().as_bytes()),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Table(table) => return self.table(table, depth + 1),
            value => {
                let name = type_name(value);
                return Err(format!("Cannot serialise {name}: type not supported"));
            }
        }
        Ok(())
    }

    fn number(&mut self, number: f64) -> Outcome<()> {
        match (number.is_finite(), self.choices.invalid_numbers) {
            (false, Invalid::Refused) => {
                return Err("Cannot serialise number: must not be NaN or Inf".to_owned());
            }
            (false, Invalid::Null) => self.out.extend_from_slice(b"null"),
            (false, Invalid::Written) if number.is_nan() => self.out.extend_from_slice(b"nan"),
            _ => {
                let text = general(number, self.choices.digits);
                self.out.extend_from_slice(text.as_bytes());
            }
        }
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for &byte in text {
            let escape = match byte {
                b'"' | b'\\' | b'/' => byte,
                8 => b'b',
                9 => b't',
                10 => b'n',
                12 => b'f',
                13 => b'r',
                0..=31 | 127 => {
                    let escape = format!("\\u{byte:04x}");
                    self.out.extend_from_slice(escape.as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend_from_slice(&[b'\\', escape]);
        }
        self.out.push(b'"');
    }

    fn table(&mut self, table: &Table, depth: usize) -> Outcome<()> {
        if depth > self.choices.encode_depth_max.min(DEPTH_MAX) {
            return Err(format!("Cannot serialise, excessive nesting ({depth})"));
        }
        match self.list_len(table)? {
            Some(len) => self.list(table, len, depth),
            None => self.object(table, depth),
        }
    }

    /// The length of a table that is a list.
    fn list_len(&self, table: &Table) -> Outcome<Option<usize>> {
        // A table may have far more places than items.
        self.watch.check().map_err(|stop| stop.to_string())?;
        let (mut most, mut items) = (0_usize, 0_usize);
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair.map_err(|error| error.to_string())?;
            self.watch.work(1).map_err(|stop| stop.to_string())?;
            match number_of(&key) {
                Some(key) if key >= 1.0 && key.fract() == 0.0 => {
                    most = most.max(key as usize);
                    items += 1;
                }
                _ => return Ok(None),
            }
        }
        let sparse = self.choices.sparse;
        let is_sparse =
            sparse.ratio > 0 && most > items.saturating_mul(sparse.ratio) && most > sparse.safe;
        match (items, is_sparse, sparse.converts) {
            (0, _, _) | (_, true, true) => Ok(None),
            (_, true, false) => Err("Cannot serialise table: excessively sparse array".to_owned()),
            _ => Ok(Some(most)),
        }
    }

    fn list(&mut self, table: &Table, len: usize, depth: usize) -> Outcome<()> {
        self.out.push(b'[');
        for at in 1..=len {
            if at > 1 {
                self.out.push(b',');
            }
            let item = table.raw_get(at).map_err(|error| error.to_string())?;
            self.value(&item, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: usize) -> Outcome<()> {
        self.out.push(b'{');
        for (at, pair) in table.pairs::<Value, Value>().enumerate() {
            let (key, value) = pair.map_err(|error| error.to_string())?;
            if at > 0 {
                self.out.push(b',');
            }
            match (&key, number_of(&key)) {
                (Value::String(text), _) => self.string(&text.as_bytes()),
                (_, Some(number)) => {
                    self.out.push(b'"');
                    self.number(number)?;
                    self.out.push(b'"');
                }
                _ => {
                    let text = "table key must be a number or string";
                    let name = type_name(&key);
                    return Err(format!("Cannot serialise {name}: {text}"));
                }
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }
}
