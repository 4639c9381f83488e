//! Lua's patterns. Matching counts its steps, which C's own does not: some patterns take for ever.

use crate::watch::Watch;

/// What a group of a pattern has matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// From here to there.
    Span(usize, usize),
    /// `()`: the place.
    Position(usize),
}

/// Why a pattern is none, or was given up.
pub(crate) enum Trouble {
    /// What is wrong with it.
    Malformed(&'static str),
    /// The script has to end.
    Stopped(mlua::Error),
}

type Outcome<T> = Result<T, Trouble>;

/// Groups of a pattern.
const CAPTURES_MAX: usize = 32;
/// How deep matching may call itself; a pattern of this many repeated items is refused.
const DEPTH_MAX: usize = 200;
const ESCAPE: u8 = b'%';

/// One subject and one pattern.
pub(crate) struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: Vec<Open>,
    depth: usize,
    watch: &'a Watch,
}

/// A group, as far as it was matched.
#[derive(Clone, Copy)]
enum Open {
    From(usize),
    Done(Capture),
}

impl<'a> Matcher<'a> {
    pub(crate) fn new(subject: &'a [u8], pattern: &'a [u8], watch: &'a Watch) -> Self {
        Self {
            subject,
            pattern,
            captures: Vec::new(),
            depth: 0,
            watch,
        }
    }

    /// Matches at `at` exactly: where the match ends, and its groups.
    pub(crate) fn at(&mut self, at: usize) -> Outcome<Option<(usize, Vec<Capture>)>> {
        self.captures.clear();
        self.depth = 0;
        let Some(end) = self.run(at, 0)? else {
            return Ok(None);
        };
        let captures = self.captures.iter().map(|capture| match capture {
            Open::Done(capture) => Ok(*capture),
            Open::From(_) => Err(Trouble::Malformed("unfinished capture")),
        });
        Ok(Some((end, captures.collect::<Outcome<_>>()?)))
    }

    /// Counts as many steps.
    fn step(&self, steps: usize) -> Outcome<()> {
        self.watch.work(steps).map_err(Trouble::Stopped)
    }

    fn run(&mut self, at: usize, pattern_at: usize) -> Outcome<Option<usize>> {
        if self.depth == DEPTH_MAX {
            return Err(Trouble::Malformed("pattern too complex"));
        }
        self.depth += 1;
        let end = self.items(at, pattern_at);
        self.depth -= 1;
        end
    }

    fn items(&mut self, mut at: usize, mut p: usize) -> Outcome<Option<usize>> {
        loop {
            self.step(1)?;
            let Some(&item) = self.pattern.get(p) else {
                return Ok(Some(at));
            };
            let next = self.pattern.get(p + 1).copied();
            match (item, next) {
                (b'(', Some(b')')) => {
                    return self.open(Open::Done(Capture::Position(at)), at, p + 2);
                }
                (b'(', _) => return self.open(Open::From(at), at, p + 1),
                (b')', _) => return self.close(at, p + 1),
                (ESCAPE, Some(b'b')) => match self.balanced(at, p + 2)? {
                    Some(end) => (at, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (ESCAPE, Some(b'f')) => match self.frontier(at, p + 2)? {
                    Some(behind) => p = behind,
                    None => return Ok(None),
                },
                (ESCAPE, Some(digit)) if digit.is_ascii_digit() => match self.again(at, digit)? {
                    Some(end) => (at, p) = (end, p + 2),
                    None => return Ok(None),
                },
                (b'$', None) => return Ok((at == self.subject.len()).then_some(at)),
                _ => {
                    let behind = self.class_end(p)?;
                    self.step(behind - p)?;
                    let is_match = self.single(at, p, behind);
                    match self.pattern.get(behind) {
                        Some(b'?') => {
                            if is_match && let Some(end) = self.run(at + 1, behind + 1)? {
                                return Ok(Some(end));
                            }
                            p = behind + 1;
                        }
                        Some(b'*') => return self.greedy(at, 0, p, behind),
                        Some(b'+') => return self.greedy(at, 1, p, behind),
                        Some(b'-') => return self.lazy(at, p, behind),
                        _ if !is_match => return Ok(None),
                        _ => (at, p) = (at + 1, behind),
                    }
                }
            }
        }
    }

    fn greedy(
        &mut self,
        at: usize,
        least: usize,
        p: usize,
        behind: usize,
    ) -> Outcome<Option<usize>> {
        let mut count = 0;
        while self.single(at + count, p, behind) {
            count += 1;
            self.step(behind - p)?;
        }
        while count >= least {
            if let Some(end) = self.run(at + count, behind + 1)? {
                return Ok(Some(end));
            }
            if count == 0 {
                break;
            }
            count -= 1;
        }
        Ok(None)
    }

    fn lazy(&mut self, mut at: usize, p: usize, behind: usize) -> Outcome<Option<usize>> {
        loop {
            if let Some(end) = self.run(at, behind + 1)? {
                return Ok(Some(end));
            }
            if !self.single(at, p, behind) {
                return Ok(None);
            }
            at += 1;
            self.step(behind - p)?;
        }
    }

    fn open(&mut self, capture: Open, at: usize, p: usize) -> Outcome<Option<usize>> {
        if self.captures.len() == CAPTURES_MAX {
            return Err(Trouble::Malformed("too many captures"));
        }
        let level = self.captures.len();
        self.captures.push(capture);
        let end = self.run(at, p)?;
        if end.is_none() {
            self.captures.truncate(level);
        }
        Ok(end)
    }

    fn close(&mut self, at: usize, p: usize) -> Outcome<Option<usize>> {
        let is_open = |capture: &Open| matches!(capture, Open::From(_));
        let level = self.captures.iter().rposition(is_open);
        let level = level.ok_or(Trouble::Malformed("invalid pattern capture"))?;
        let before = self.captures[level];
        if let Open::From(start) = before {
            self.captures[level] = Open::Done(Capture::Span(start, at));
        }
        let end = self.run(at, p)?;
        if end.is_none() {
            self.captures[level] = before;
        }
        Ok(end)
    }

    /// `%1`: what that group has matched, once more.
    fn again(&self, at: usize, digit: u8) -> Outcome<Option<usize>> {
        let level = usize::from(digit.wrapping_sub(b'1'));
        let Some(Open::Done(Capture::Span(start, end))) = self.captures.get(level) else {
            return Err(Trouble::Malformed("invalid capture index"));
        };
        self.step((end - start) / 16)?;
        let is_there = self.subject[at..].starts_with(&self.subject[*start..*end]);
        Ok(is_there.then_some(at + end - start))
    }

    /// `%bxy`: up to the `y` that belongs to the `x` here.
    fn balanced(&mut self, at: usize, p: usize) -> Outcome<Option<usize>> {
        let Some(&[open, close]) = self.pattern.get(p..p + 2) else {
            return Err(Trouble::Malformed("unbalanced pattern"));
        };
        if self.subject.get(at) != Some(&open) {
            return Ok(None);
        }
        let mut depth = 1_usize;
        for (i, byte) in self.subject.iter().enumerate().skip(at + 1) {
            self.step(1)?;
            if *byte == close {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(i + 1));
                }
            } else if *byte == open {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// `%f[set]`: where the set begins to hold; the place behind it in the pattern.
    fn frontier(&self, at: usize, p: usize) -> Outcome<Option<usize>> {
        if self.pattern.get(p) != Some(&b'[') {
            return Err(Trouble::Malformed("missing '[' after '%f' in pattern"));
        }
        let behind = self.class_end(p)?;
        self.step(2 * (behind - p))?;
        let before = at.checked_sub(1).map_or(0, |i| self.subject[i]);
        let here = self.subject.get(at).copied().unwrap_or(0);
        let set = &self.pattern[p + 1..behind - 1];
        Ok((!in_set(before, set) && in_set(here, set)).then_some(behind))
    }

    /// Where the item that begins at `p` ends.
    fn class_end(&self, p: usize) -> Outcome<usize> {
        match self.pattern[p] {
            ESCAPE if p + 1 < self.pattern.len() => Ok(p + 2),
            ESCAPE => Err(Trouble::Malformed("malformed pattern (ends with '%')")),
            b'[' => {
                let mut i = p + 1;
                if self.pattern.get(i) == Some(&b'^') {
                    i += 1;
                }
                // The first is an item even if it is `]`.
                let mut is_first = true;
                while is_first || self.pattern.get(i) != Some(&b']') {
                    is_first = false;
                    i += match self.pattern.get(i) {
                        None => return Err(Trouble::Malformed("malformed pattern (missing ']')")),
                        Some(&ESCAPE) if i + 1 < self.pattern.len() => 2,
                        Some(_) => 1,
                    };
                }
                Ok(i + 1)
            }
            _ => Ok(p + 1),
        }
    }

    fn single(&self, at: usize, p: usize, behind: usize) -> bool {
        let Some(&byte) = self.subject.get(at) else {
            return false;
        };
        match self.pattern[p] {
            b'.' => true,
            ESCAPE => in_class(byte, self.pattern[p + 1]),
            b'[' => in_set(byte, &self.pattern[p + 1..behind - 1]),
            literal => literal == byte,
        }
    }
}

/// `%a` and its like; a capital is the opposite.
fn in_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0B,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        b'z' => byte == 0,
        _ => return class == byte,
    };
    is_in != class.is_ascii_uppercase()
}

/// `set` is what stands between the brackets.
fn in_set(byte: u8, set: &[u8]) -> bool {
    let (is_negated, mut rest) = match set {
        [b'^', rest @ ..] => (true, rest),
        set => (false, set),
    };
    loop {
        let (is_in, behind) = match rest {
            [] => return is_negated,
            [ESCAPE, class, behind @ ..] => (in_class(byte, *class), behind),
            [low, b'-', high, behind @ ..] => ((*low..=*high).contains(&byte), behind),
            [literal, behind @ ..] => (*literal == byte, behind),
        };
        if is_in {
            return !is_negated;
        }
        rest = behind;
    }
}
