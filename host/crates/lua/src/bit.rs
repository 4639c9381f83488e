//! The library `bit`: operations on 32 bits.

use mlua::{Lua, Result, Table};

use crate::arguments::Arguments;

type Fold = fn(u32, u32) -> u32;

/// Operations on any number of arguments.
const FOLDS: [(&str, Fold); 3] = [
    ("band", |a, b| a & b),
    ("bor", |a, b| a | b),
    ("bxor", |a, b| a ^ b),
];
/// Operations on a number and a number of bits, of which the lowest five count.
const SHIFTS: [(&str, Fold); 5] = [
    ("lshift", |a, bits| a << bits),
    ("rshift", |a, bits| a >> bits),
    ("arshift", |a, bits| (a as i32 >> bits) as u32),
    ("rol", u32::rotate_left),
    ("ror", u32::rotate_right),
];
type Single = fn(u32) -> u32;
const SINGLES: [(&str, Single); 3] = [
    ("tobit", |a| a),
    ("bnot", |a| !a),
    ("bswap", u32::swap_bytes),
];

pub(crate) fn library(lua: &Lua) -> Result<Table> {
    let library = lua.create_table()?;
    for (name, fold) in FOLDS {
        let function = move |lua: &Lua, args: Arguments| {
            let first = bits(lua, &args, 0, name)?;
            let all = (1..args.len()).try_fold(first, |all, at| {
                bits(lua, &args, at, name).map(|bits| fold(all, bits))
            });
            all.map(signed)
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    for (name, shift) in SHIFTS {
        let function = move |lua: &Lua, args: Arguments| {
            let (value, by) = (bits(lua, &args, 0, name)?, bits(lua, &args, 1, name)?);
            Ok(signed(shift(value, by & 31)))
        };
        library.raw_set(name, lua.create_function(function)?)?;
    }
    for (name, change) in SINGLES {
        let function =
            move |lua: &Lua, args: Arguments| Ok(signed(change(bits(lua, &args, 0, name)?)));
        library.raw_set(name, lua.create_function(function)?)?;
    }
    library.raw_set("tohex", lua.create_function(to_hex)?)?;
    Ok(library)
}

/// Rounded to the nearest integer, modulo 2³²: what is too large loses its upper bits.
fn bits(lua: &Lua, args: &Arguments, at: usize, function: &str) -> Result<u32> {
    let number = args.number(lua, at, function)?.round_ties_even();
    Ok(number.rem_euclid(4_294_967_296.0) as u32)
}

fn signed(bits: u32) -> f64 {
    f64::from(bits as i32)
}

/// The lowest digits, eight or as many as wanted; capitals where the number of them is negative.
fn to_hex(lua: &Lua, args: Arguments) -> Result<String> {
    let value = bits(lua, &args, 0, "tohex")?;
    let digits = args.integer_or(lua, 1, "tohex", 8)?;
    let text = match digits < 0 {
        true => format!("{value:08X}"),
        false => format!("{value:08x}"),
    };
    let kept = (digits.unsigned_abs() as usize).min(8);
    Ok(text[8 - kept..].to_owned())
}
