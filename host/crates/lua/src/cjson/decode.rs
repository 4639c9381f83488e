//! JSON to Lua values.

use mlua::{Error, Lua, Result, Value};

use super::DEPTH_MAX;
use crate::failure::Failure;
use crate::watch::{KEY_WORK, Watch};

/// A piece of JSON, as far as a value begins with it.
enum Token {
    Open(u8),
    Close(u8),
    Comma,
    Colon,
    End,
    String(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Wrong(&'static str),
}

impl Token {
    fn name(&self) -> &'static str {
        match self {
            Self::Open(b'{') => "T_OBJ_BEGIN",
            Self::Open(_) => "T_ARR_BEGIN",
            Self::Close(b'}') => "T_OBJ_END",
            Self::Close(_) => "T_ARR_END",
            Self::Comma => "T_COMMA",
            Self::Colon => "T_COLON",
            Self::End => "T_END",
            Self::String(_) => "T_STRING",
            Self::Number(_) => "T_NUMBER",
            Self::Boolean(_) => "T_BOOLEAN",
            Self::Null => "T_NULL",
            Self::Wrong(what) => what,
        }
    }
}

struct Decoder<'a> {
    lua: &'a Lua,
    watch: &'a Watch,
    text: &'a [u8],
    at: usize,
    /// Where the last token began.
    token_at: usize,
    depth_max: usize,
}

/// # Errors
/// What is wrong with it, and where; or that the script has to end.
pub(super) fn decode(lua: &Lua, text: &[u8], watch: &Watch, depth_max: usize) -> Result<Value> {
    let mut decoder = Decoder {
        lua,
        watch,
        text,
        at: 0,
        token_at: 0,
        depth_max: depth_max.min(DEPTH_MAX),
    };
    if text.starts_with(&[0]) || text.get(1) == Some(&0) {
        return Err(Failure::plain(
            lua,
            "JSON parser does not support UTF-16 or UTF-32",
        ));
    }
    let first = decoder.token();
    let value = decoder.value(first, 0)?;
    match decoder.token() {
        Token::End => Ok(value),
        token => Err(decoder.unexpected("the end", &token)),
    }
}

impl Decoder<'_> {
    fn value(&mut self, token: Token, depth: usize) -> Result<Value> {
        self.watch.work(1)?;
        match token {
            Token::String(text) => self.lua.create_string(text).map(Value::String),
            Token::Number(number) => Ok(Value::Number(number)),
            Token::Boolean(truth) => Ok(Value::Boolean(truth)),
            Token::Null => Ok(Value::NULL),
            Token::Open(_) if depth == self.depth_max => {
                let (depth, at) = (depth + 1, self.at);
                let text = "Found too many nested data structures";
                let text = format!("{text} ({depth}) at character {at}");
                Err(Failure::plain(self.lua, text))
            }
            Token::Open(b'{') => self.object(depth + 1),
            Token::Open(_) => self.list(depth + 1),
            token => Err(self.unexpected("value", &token)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token, Token::Close(b'}')) {
            return Ok(Value::Table(table));
        }
        loop {
            let Token::String(key) = token else {
                return Err(self.unexpected("object key string", &token));
            };
            let key = self.lua.create_string(key)?;
            token = self.token();
            if !matches!(token, Token::Colon) {
                return Err(self.unexpected("colon", &token));
            }
            token = self.token();
            self.watch.work(KEY_WORK)?;
            table.raw_set(key, self.value(token, depth)?)?;
            token = self.token();
            match token {
                Token::Close(b'}') => return Ok(Value::Table(table)),
                Token::Comma => token = self.token(),
                token => return Err(self.unexpected("comma or object end", &token)),
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value> {
        let table = self.lua.create_table()?;
        let mut token = self.token();
        if matches!(token, Token::Close(b']')) {
            return Ok(Value::Table(table));
        }
        for at in 1.. {
            table.raw_set(at, self.value(token, depth)?)?;
            token = self.token();
            match token {
                Token::Close(b']') => break,
                Token::Comma => token = self.token(),
                token => return Err(self.unexpected("comma or array end", &token)),
            }
        }
        Ok(Value::Table(table))
    }

    fn unexpected(&self, wanted: &str, token: &Token) -> Error {
        let (name, at) = (token.name(), self.token_at + 1);
        let text = format!("Expected {wanted} but found {name} at character {at}");
        Failure::plain(self.lua, text)
    }

    fn token(&mut self) -> Token {
        let rest = &self.text[self.at..];
        let blanks = rest.iter().take_while(|byte| b" \t\r\n".contains(byte));
        self.at += blanks.count();
        self.token_at = self.at;
        let rest = &self.text[self.at..];
        let Some(&byte) = rest.first() else {
            return Token::End;
        };
        let (token, bytes) = match byte {
            b'{' | b'[' => (Token::Open(byte), 1),
            b'}' | b']' => (Token::Close(byte), 1),
            b',' => (Token::Comma, 1),
            b':' => (Token::Colon, 1),
            b'"' => return self.string(),
            b't' if rest.starts_with(b"true") => (Token::Boolean(true), 4),
            b'f' if rest.starts_with(b"false") => (Token::Boolean(false), 5),
            b'n' if rest.starts_with(b"null") => (Token::Null, 4),
            b'-' | b'+' | b'0'..=b'9' | b'i' | b'I' | b'n' | b'N' => match number(rest) {
                Some((number, bytes)) => (Token::Number(number), bytes),
                None if byte.is_ascii_alphabetic() => (Token::Wrong("invalid token"), 0),
                None => (Token::Wrong("invalid number"), 0),
            },
            _ => (Token::Wrong("invalid token"), 0),
        };
        self.at += bytes;
        token
    }

    fn string(&mut self) -> Token {
        let mut out = Vec::new();
        let mut at = self.at + 1;
        loop {
            match self.text.get(at) {
                None => {
                    self.token_at = at;
                    return Token::Wrong("unexpected end of string");
                }
                Some(b'"') => {
                    self.at = at + 1;
                    return Token::String(out);
                }
                Some(b'\\') => {
                    let Some(bytes) = escape(&self.text[at + 1..], &mut out) else {
                        self.token_at = at;
                        return Token::Wrong(match self.text.get(at + 1) {
                            Some(b'u') => "invalid unicode escape code",
                            _ => "invalid escape code",
                        });
                    };
                    at += 1 + bytes;
                }
                Some(byte) => {
                    out.push(*byte);
                    at += 1;
                }
            }
        }
    }
}

/// Reads what stands behind a backslash; how many bytes that are.
fn escape(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let byte = match text.first()? {
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'b' => 8,
        b't' => 9,
        b'n' => 10,
        b'f' => 12,
        b'r' => 13,
        b'u' => {
            let first = unit(text.get(1..5)?)?;
            let (code, bytes) = match (first, text.get(5..7)) {
                (0xD800..=0xDBFF, Some(b"\\u")) => {
                    let second = unit(text.get(7..11)?)?.checked_sub(0xDC00)?;
                    let code = 0x1_0000 + ((first - 0xD800) << 10) + second;
                    (code, 11)
                }
                _ => (first, 5),
            };
            let mut utf8 = [0; 4];
            let text = char::from_u32(code)?.encode_utf8(&mut utf8);
            out.extend_from_slice(text.as_bytes());
            return Some(bytes);
        }
        _ => return None,
    };
    out.push(byte);
    Some(1)
}

fn unit(digits: &[u8]) -> Option<u32> {
    if !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()
}

/// A number as C's `strtod` reads it; how many bytes that are.
fn number(text: &[u8]) -> Option<(f64, usize)> {
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    let len = text.iter().take_while(is_part).count();
    let text = str::from_utf8(&text[..len]).ok()?;
    let digits = text.trim_start_matches(['-', '+']);
    if let Some(hex) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        let value = u64::from_str_radix(hex, 16).ok()? as f64;
        return Some((if text.starts_with('-') { -value } else { value }, len));
    }
    if digits.starts_with(|byte: char| byte.is_ascii_alphabetic()) {
        return text.parse().ok().map(|number| (number, len));
    }
    let len = decimal(text);
    text[..len].parse().ok().map(|number| (number, len))
}

/// How long the number is that a text begins with: `1-2` is a 1.
fn decimal(text: &str) -> usize {
    let text = text.as_bytes();
    let digits = |from: usize| {
        text[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let mut end = sign + digits(sign);
    if text.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        match digits(end + 1 + sign) {
            0 => {}
            exponent => end += 1 + sign + exponent,
        }
    }
    end
}
