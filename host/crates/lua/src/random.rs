//! `math.random`: the numbers that Redis gives. They go on from script to script, as there.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, Result, Table, Value};

use crate::arguments::Arguments;
use crate::failure::Failure;

/// The generator of 48 bits that `lrand48` is.
struct Random(Cell<u64>);

const MULTIPLIER: u64 = 0x5_DEEC_E66D;
const INCREMENT: u64 = 0xB;
const MASK: u64 = (1 << 48) - 1;
/// Where `lrand48` begins that nobody gave a seed.
const START: u64 = 0x1234_ABCD_330E;
const RANDOM_MAX: u64 = i32::MAX as u64;

impl Random {
    fn seed(&self, seed: i32) {
        self.0.set(u64::from(seed as u32) << 16 | 0x330E);
    }

    /// A number from 0 up to, but not including, 1.
    fn next(&self) -> f64 {
        let next = self
            .0
            .get()
            .wrapping_mul(MULTIPLIER)
            .wrapping_add(INCREMENT)
            & MASK;
        self.0.set(next);
        ((next >> 17) % RANDOM_MAX) as f64 / RANDOM_MAX as f64
    }
}

/// Puts `random` and `randomseed` in place of those of C, which all threads share.
pub(crate) fn install(lua: &Lua, math: &Table) -> Result<()> {
    let random = Rc::new(Random(Cell::new(START)));
    let source = Rc::clone(&random);
    let draw = lua.create_function(move |lua, args: Arguments| {
        let share = source.next();
        let (low, high) = match args.len() {
            0 => return Ok(Value::Number(share)),
            1 => (1.0, args.integer(lua, 0, "random")? as f64),
            2 => (
                args.integer(lua, 0, "random")? as f64,
                args.integer(lua, 1, "random")? as f64,
            ),
            _ => return Err(Failure::plain(lua, "wrong number of arguments")),
        };
        if low > high {
            let text = "(interval is empty)";
            let text = format!("bad argument #{} to 'random' {text}", args.len());
            return Err(Failure::plain(lua, text));
        }
        Ok(Value::Number((share * (high - low + 1.0)).floor() + low))
    })?;
    math.raw_set("random", draw)?;
    let seed = lua.create_function(move |lua, args: Arguments| {
        random.seed(args.integer(lua, 0, "randomseed")? as i32);
        Ok(())
    })?;
    math.raw_set("randomseed", seed)
}
