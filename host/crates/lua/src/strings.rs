//! What takes the place of C's functions of `string` that could take for ever.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Error, Lua, LuaString, MultiValue, Result, Table, Value};

use crate::arguments::{Arguments, bad_argument, type_name};
use crate::failure::Failure;
use crate::interpreter::Bounds;
use crate::pattern::{Capture, Matcher, Trouble};
use crate::watch::Watch;

pub(crate) fn install(lua: &Lua, library: &Table, watch: &Rc<Watch>, bounds: Bounds) -> Result<()> {
    let looks = Looks {
        watch: Rc::clone(watch),
        bytes_max: bounds.memory_bytes_max,
    };
    let bytes_max = bounds.memory_bytes_max;
    library.raw_set(
        "rep",
        lua.create_function(move |lua, args| repeat(lua, &args, bytes_max))?,
    )?;
    let find = looks.clone();
    let find = lua.create_function(move |lua, args| find.find(lua, &args, "find"))?;
    library.raw_set("find", find)?;
    let find = looks.clone();
    let find = lua.create_function(move |lua, args| find.find(lua, &args, "match"))?;
    library.raw_set("match", find)?;
    let each = looks.clone();
    let each = lua.create_function(move |lua, args| each.each(lua, &args))?;
    library.raw_set("gmatch", &each)?;
    library.raw_set("gfind", each)?;
    let replace = lua.create_function(move |lua, args| looks.replace(lua, &args))?;
    library.raw_set("gsub", replace)
}

fn repeat(lua: &Lua, args: &Arguments, bytes_max: usize) -> Result<LuaString> {
    let text = args.string(lua, 0, "rep")?;
    let text = text.as_bytes();
    let times = usize::try_from(args.integer(lua, 1, "rep")?).unwrap_or(0);
    if text.len().saturating_mul(times) > bytes_max {
        return Err(Failure::plain(lua, "not enough memory"));
    }
    match text.is_empty() {
        true => lua.create_string(b""),
        false => lua.create_string(text.repeat(times)),
    }
}

/// Searches by patterns.
#[derive(Clone)]
struct Looks {
    watch: Rc<Watch>,
    bytes_max: usize,
}

impl Looks {
    /// `string.find` and `string.match`.
    fn find(&self, lua: &Lua, args: &Arguments, function: &str) -> Result<MultiValue> {
        let (subject, pattern) = (
            args.string(lua, 0, function)?,
            args.string(lua, 1, function)?,
        );
        let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
        let from = start(args.integer_or(lua, 2, function, 1)?, subject.len());
        let is_find = function == "find";
        let is_plain = !matches!(args.get(3), Value::Nil | Value::Boolean(false));
        if is_find && (is_plain || !pattern.iter().any(|byte| b"^$*+?.([%-".contains(byte))) {
            return match self.search(&subject[from..], &pattern)? {
                Some(at) => pair(from + at + 1, from + at + pattern.len()),
                None => Ok(MultiValue::from_iter([Value::Nil])),
            };
        }
        let Some((at, end, captures)) = self.first(lua, &subject, &pattern, from)? else {
            return Ok(MultiValue::from_iter([Value::Nil]));
        };
        let mut values = match is_find {
            true => pair(at + 1, end)?,
            false => MultiValue::new(),
        };
        if captures.is_empty() && !is_find {
            values.push_back(Value::String(lua.create_string(&subject[at..end])?));
        }
        for capture in captures {
            values.push_back(value_of(lua, &subject, capture)?);
        }
        Ok(values)
    }

    /// Looks for `part` as it is.
    fn search(&self, text: &[u8], part: &[u8]) -> Result<Option<usize>> {
        /// Bytes compared between two looks at the bounds.
        const WORK: usize = 1 << 20;
        let Some(&first) = part.first() else {
            return Ok(Some(0));
        };
        let mut work = 0;
        for at in 0..(text.len() + 1).saturating_sub(part.len()) {
            if text[at] != first {
                continue;
            }
            if text[at..].starts_with(part) {
                return Ok(Some(at));
            }
            work += part.len();
            if work > WORK {
                self.watch.check()?;
                work = 0;
            }
        }
        Ok(None)
    }

    /// The first match at or behind `from`.
    fn first(
        &self,
        lua: &Lua,
        subject: &[u8],
        pattern: &[u8],
        from: usize,
    ) -> Result<Option<(usize, usize, Vec<Capture>)>> {
        let (pattern, is_anchored) = anchor(pattern);
        let mut matcher = Matcher::new(subject, pattern, &self.watch);
        for at in from..=subject.len() {
            let found = matcher.at(at).map_err(|trouble| raise(lua, trouble))?;
            if let Some((end, captures)) = found {
                return Ok(Some((at, end, captures)));
            }
            if is_anchored {
                break;
            }
        }
        Ok(None)
    }

    fn each(&self, lua: &Lua, args: &Arguments) -> Result<mlua::Function> {
        let subject = args.string(lua, 0, "gmatch")?;
        let pattern = args.string(lua, 1, "gmatch")?;
        let (looks, next) = (self.clone(), Cell::new(0));
        lua.create_function(move |lua, _: Arguments| {
            let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
            // An anchor is none here: `gmatch` would never end.
            let mut matcher = Matcher::new(&subject, &pattern, &looks.watch);
            for at in next.get()..=subject.len() {
                let found = matcher.at(at).map_err(|trouble| raise(lua, trouble))?;
                let Some((end, captures)) = found else {
                    continue;
                };
                next.set(if end == at { end + 1 } else { end });
                if captures.is_empty() {
                    let whole = lua.create_string(&subject[at..end])?;
                    return Ok(MultiValue::from_iter([Value::String(whole)]));
                }
                let values = captures.into_iter();
                let values = values.map(|capture| value_of(lua, &subject, capture));
                return values.collect::<Result<Vec<_>>>().map(MultiValue::from_vec);
            }
            next.set(subject.len() + 1);
            Ok(MultiValue::from_iter([Value::Nil]))
        })
    }

    fn replace(&self, lua: &Lua, args: &Arguments) -> Result<(LuaString, usize)> {
        let (subject, pattern) = (args.string(lua, 0, "gsub")?, args.string(lua, 1, "gsub")?);
        let by = match args.get(2) {
            by @ (Value::Table(_) | Value::Function(_)) => by.clone(),
            Value::String(_) | Value::Integer(_) | Value::Number(_) => {
                Value::String(args.string(lua, 2, "gsub")?)
            }
            _ => {
                return Err(bad_argument(
                    lua,
                    2,
                    "gsub",
                    "string/function/table expected",
                ));
            }
        };
        let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
        let most = args.integer_or(lua, 3, "gsub", subject.len() as i64 + 1)?;
        let (pattern, is_anchored) = anchor(&pattern);
        let mut matcher = Matcher::new(&subject, pattern, &self.watch);
        let mut out = Output::new(lua, self);
        let (mut at, mut count) = (0, 0);
        while (count as i64) < most {
            let found = matcher.at(at).map_err(|trouble| raise(lua, trouble))?;
            let end = found.as_ref().map(|(end, _)| *end);
            if let Some((end, captures)) = found {
                count += 1;
                substitute(lua, &by, &subject, at..end, &captures, &mut out)?;
            }
            match end {
                Some(end) if end > at => at = end,
                _ if at < subject.len() => {
                    out.append(&subject[at..=at])?;
                    at += 1;
                }
                _ => break,
            }
            if is_anchored {
                break;
            }
        }
        out.append(&subject[at..])?;
        Ok((lua.create_string(out.bytes)?, count))
    }
}

/// What `gsub` makes, within the script's bounds.
struct Output<'a> {
    lua: &'a Lua,
    looks: &'a Looks,
    bytes: Vec<u8>,
}

impl<'a> Output<'a> {
    fn new(lua: &'a Lua, looks: &'a Looks) -> Self {
        let bytes = Vec::new();
        Self { lua, looks, bytes }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        /// Bytes that are copied as quickly as one unit of work is done.
        const BYTES: usize = 64;
        if bytes.len() > self.looks.bytes_max - self.bytes.len() {
            return Err(Failure::plain(self.lua, "not enough memory"));
        }
        self.looks.watch.work(1 + bytes.len() / BYTES)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }
}

/// Appends what a match is replaced by.
fn substitute(
    lua: &Lua,
    by: &Value,
    subject: &[u8],
    span: std::ops::Range<usize>,
    captures: &[Capture],
    out: &mut Output<'_>,
) -> Result<()> {
    let whole = Capture::Span(span.start, span.end);
    let first = captures.first().copied().unwrap_or(whole);
    let value = match by {
        Value::String(template) => {
            return fill(&template.as_bytes(), subject, whole, captures, out);
        }
        Value::Table(table) => table.get(value_of(lua, subject, first)?)?,
        Value::Function(function) => {
            let captures = if captures.is_empty() {
                &[whole]
            } else {
                captures
            };
            let values = captures.iter().map(|one| value_of(lua, subject, *one));
            let values = MultiValue::from_vec(values.collect::<Result<_>>()?);
            function.call::<Value>(values)?
        }
        _ => Value::Nil,
    };
    match value {
        Value::Nil | Value::Boolean(false) => out.append(&subject[span]),
        value => match lua.coerce_string(value.clone())? {
            Some(text) => out.append(&text.as_bytes()),
            None => {
                let text = format!("invalid replacement value (a {})", type_name(&value));
                Err(Failure::plain(lua, text))
            }
        },
    }
}

/// Appends `template` with its `%0` to `%9` filled in.
fn fill(
    template: &[u8],
    subject: &[u8],
    whole: Capture,
    captures: &[Capture],
    out: &mut Output<'_>,
) -> Result<()> {
    let mut bytes = template.iter();
    while let Some(&byte) = bytes.next() {
        let digit = match byte {
            b'%' => bytes.next().copied(),
            byte => {
                out.append(&[byte])?;
                continue;
            }
        };
        let capture = match digit {
            Some(b'0') => Some(whole),
            Some(b'1') if captures.is_empty() => Some(whole),
            Some(digit @ b'1'..=b'9') => captures.get(usize::from(digit - b'1')).copied(),
            // As in Lua 5.1: what is no digit stands for itself.
            other => {
                out.append(&[other.unwrap_or(0)])?;
                continue;
            }
        };
        match capture {
            Some(Capture::Span(start, end)) => out.append(&subject[start..end])?,
            Some(Capture::Position(at)) => out.append((at + 1).to_string().as_bytes())?,
            None => return Err(Failure::plain(out.lua, "invalid capture index")),
        }
    }
    Ok(())
}

/// A pattern without its anchor, and whether it had one.
fn anchor(pattern: &[u8]) -> (&[u8], bool) {
    match pattern {
        [b'^', rest @ ..] => (rest, true),
        pattern => (pattern, false),
    }
}

/// Where to begin, out of what counts from 1, or from the end where it is negative.
fn start(at: i64, len: usize) -> usize {
    let at = match at {
        ..0 => (len as i64).saturating_add(at),
        at => at - 1,
    };
    usize::try_from(at).unwrap_or(0).min(len)
}

fn pair(from: usize, to: usize) -> Result<MultiValue> {
    Ok(MultiValue::from_iter(
        [from, to].map(|at| Value::Number(at as f64)),
    ))
}

fn value_of(lua: &Lua, subject: &[u8], capture: Capture) -> Result<Value> {
    match capture {
        Capture::Span(start, end) => lua.create_string(&subject[start..end]).map(Value::String),
        Capture::Position(at) => Ok(Value::Number((at + 1) as f64)),
    }
}

fn raise(lua: &Lua, trouble: Trouble) -> Error {
    match trouble {
        Trouble::Malformed(text) => Failure::plain(lua, text),
        Trouble::Stopped(error) => error,
    }
}
