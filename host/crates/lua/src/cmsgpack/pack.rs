//! Lua values to MessagePack.

use mlua::{Table, Value};

use crate::number::number_of;
use crate::watch::Watch;

/// What is nested deeper becomes nil, as in Redis.
const DEPTH_MAX: usize = 16;

type Outcome = Result<(), String>;

/// Appends one value.
///
/// # Errors
/// When it all becomes longer than `bytes_max`, or the script has to end, which it does whatever it makes
/// of this.
pub(super) fn pack(value: &Value, watch: &Watch, bytes_max: usize, out: &mut Vec<u8>) -> Outcome {
    let mut packer = Packer {
        watch,
        bytes_max,
        out,
    };
    packer.value(value, 0)
}

struct Packer<'a> {
    watch: &'a Watch,
    bytes_max: usize,
    out: &'a mut Vec<u8>,
}

impl Packer<'_> {
    fn value(&mut self, value: &Value, depth: usize) -> Outcome {
        self.watch.work(1).map_err(|stop| stop.to_string())?;
        if self.out.len() > self.bytes_max {
            return Err("not enough memory".to_owned());
        }
        match value {
            Value::Boolean(truth) => self.out.push(0xC2 + u8::from(*truth)),
            Value::Integer(number) => self.integer(*number),
            Value::Number(number) => self.number(*number),
            Value::String(text) => {
                let text = text.as_bytes();
                match text.len() {
                    len @ ..32 => self.out.push(0xA0 | len as u8),
                    len @ ..0x100 => self.out.extend([0xD9, len as u8]),
                    len => self.length(0xDA, len),
                }
                self.out.extend_from_slice(&text);
            }
            Value::Table(table) if depth < DEPTH_MAX => return self.table(table, depth + 1),
            _ => self.out.push(0xC0),
        }
        Ok(())
    }

    fn number(&mut self, number: f64) {
        if number.fract() == 0.0 && number.abs() < 9.2e18 {
            return self.integer(number as i64);
        }
        let short = number as f32;
        if f64::from(short) == number {
            self.out.push(0xCA);
            self.out.extend(short.to_be_bytes());
        } else {
            self.out.push(0xCB);
            self.out.extend(number.to_be_bytes());
        }
    }

    /// In as few bytes as it fits into.
    fn integer(&mut self, number: i64) {
        if (-32..128).contains(&number) {
            return self.out.push(number as u8);
        }
        let (kind, bytes) = match number {
            ..-0x8000_0000 => (0xD3, 8),
            -0x8000_0000..-0x8000 => (0xD2, 4),
            -0x8000..-0x80 => (0xD1, 2),
            -0x80..0 => (0xD0, 1),
            0..0x100 => (0xCC, 1),
            0x100..0x1_0000 => (0xCD, 2),
            0x1_0000..0x1_0000_0000 => (0xCE, 4),
            _ => (0xCF, 8),
        };
        self.out.push(kind);
        self.out
            .extend_from_slice(&number.to_be_bytes()[8 - bytes..]);
    }

    /// A length in two bytes, or in four with the next kind.
    fn length(&mut self, kind: u8, len: usize) {
        match u16::try_from(len) {
            Ok(len) => {
                self.out.push(kind);
                self.out.extend(len.to_be_bytes());
            }
            Err(_) => {
                self.out.push(kind + 1);
                self.out.extend((len as u32).to_be_bytes());
            }
        }
    }

    fn table(&mut self, table: &Table, depth: usize) -> Outcome {
        let text = |error: mlua::Error| error.to_string();
        // A table may have far more places than items.
        self.watch.check().map_err(text)?;
        let (mut len, mut most, mut are_places) = (0_usize, 0.0_f64, true);
        for pair in table.pairs::<Value, Value>() {
            self.watch.work(1).map_err(text)?;
            let key = number_of(&pair.map_err(text)?.0);
            let place = key.filter(|key| key.fract() == 0.0 && *key >= 1.0);
            are_places &= place.is_some();
            most = most.max(place.unwrap_or_default());
            len += 1;
        }
        // As many keys as places, all of them places: so each place has one.
        if are_places && most <= len as f64 {
            match len {
                ..16 => self.out.push(0x90 | len as u8),
                _ => self.length(0xDC, len),
            }
            for at in 1..=len {
                let item = table.raw_get(at).map_err(text)?;
                self.value(&item, depth)?;
            }
            return Ok(());
        }
        match len {
            ..16 => self.out.push(0x80 | len as u8),
            _ => self.length(0xDE, len),
        }
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair.map_err(text)?;
            self.value(&key, depth)?;
            self.value(&value, depth)?;
        }
        Ok(())
    }
}
