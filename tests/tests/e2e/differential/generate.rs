//! Requests by chance, right and wrong ones, over all commands that there are.

use e2e::harness::Random;

use super::table::{Arg, COMMANDS};

/// The words of a request.
pub(super) type Request = Vec<Vec<u8>>;

use Arg::*;

const KEYS: [&[u8]; 10] = [
    b"a",
    b"b",
    b"key",
    b"key:1",
    b"key:2",
    b"",
    b"with blank",
    b"\x00\xff",
    b"\r\n",
    b"*[?]",
];
const FRACTION_KEYS: [&str; 2] = ["f:1", "f:2"];
const VALUES: [&[u8]; 12] = [
    b"0",
    b"1",
    b"-1",
    b"10",
    b"9223372036854775806",
    b"-9223372036854775808",
    b"",
    b"text",
    b"01",
    b" 7",
    b"\x00\x01\xfe\xff",
    b"line\r\nline",
];
const INTEGERS: [&str; 10] = [
    "1",
    "-1",
    "0",
    "7",
    "1000000",
    "-40",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "abc",
];
const FRACTIONS: [&str; 11] = [
    "0.5", "-0.25", "1.5", "3", "-7", "1e2", "2.5e-1", "-0.0", "5.0", "abc", "",
];
const FIELD_TYPES: [&str; 12] = [
    "u8", "i8", "i5", "u63", "i64", "u1", "i16", "u8", "i8", "u64", "i0", "x",
];
const FIELD_OFFSETS: [&str; 10] = [
    "0",
    "7",
    "#1",
    "#3",
    "100",
    "0",
    "#0",
    "-1",
    "#-1",
    "4294967296",
];
const FIELD_NUMBERS: [&str; 10] = [
    "0",
    "1",
    "-1",
    "127",
    "255",
    "-200",
    "9223372036854775807",
    "-40",
    "1000",
    "abc",
];
/// No small positive number: taken for a time to live it would let a key expire at a moment that
/// is not the same on both sides.
const JUNK: [&[u8]; 18] = [
    b"",
    b"abc",
    b"-1",
    b"0",
    b"-0",
    b" 1",
    b"1 ",
    b"+1",
    b"01",
    b"1.5",
    b"\x00",
    b"\xff\xfe",
    b"NX",
    b"ex",
    b"KEEPTTL",
    b"9223372036854775807",
    b"-9223372036854775808",
    b"99999999999999999999",
];
/// Of them, those that are no number, nor become one with others.
const JUNK_TEXT: [&[u8]; 6] = [b"", b"abc", b"\x00", b"inf", b"nan", b"1 "];

/// Times to live differ by at least this, so that no two that are near each other are compared.
const STEP_SECONDS: u64 = 50;
const STEPS: u64 = 100_003;
/// In the year 2096, which Larder still tells apart from others.
pub(super) const UNIX_SECONDS: u64 = 4_000_000_000;
/// In the year 2128, which it does not.
pub(super) const FAR_SECONDS: &str = "5000000000";

/// See the module.
pub(super) struct Generator {
    random: Random,
    moments: u64,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            moments: 0,
        }
    }

    /// The next request.
    pub(super) fn request(&mut self) -> Request {
        let (name, args) = self.command();
        let mut request = vec![self.cased(name)];
        args.iter().for_each(|arg| self.append(*arg, &mut request));
        if self.random.percent(12) {
            self.spoil(name, &mut request);
        }
        request
    }

    fn command(&mut self) -> (&'static str, &'static [Arg]) {
        let weights: usize = COMMANDS.iter().map(|(weight, ..)| weight).sum();
        let mut at = self.random.below(weights);
        let drawn = COMMANDS.iter().find(|(weight, ..)| {
            let hit = at < *weight;
            at = at.saturating_sub(*weight);
            hit
        });
        drawn.map_or(("PING", &[]), |(_, name, args)| (name, args))
    }

    /// A word as people may write it.
    fn cased(&mut self, word: &str) -> Vec<u8> {
        match self.random.below(4) {
            0 => word.to_ascii_lowercase().into_bytes(),
            _ => word.as_bytes().to_vec(),
        }
    }

    /// Takes a word away, adds one, or replaces one.
    fn spoil(&mut self, name: &str, request: &mut Request) {
        let mut at = 1 + self.random.below(request.len());
        let junk = match request.get(1) {
            Some(key) if key.starts_with(b"f:") => {
                at = at.max(2);
                self.random.pick(&JUNK_TEXT)
            }
            // Redis takes -2^63 for a large number there (see `stated`).
            Some(_) if name.starts_with("BITFIELD") => self.random.pick(&JUNK_TEXT),
            // Before version 7.2 Redis takes the name of a greeting that it refuses.
            Some(_) if name == "HELLO" => return request.truncate(1),
            _ => self.random.pick(&JUNK),
        };
        match self.random.below(3) {
            0 => request.truncate(at),
            1 => request.push(junk.to_vec()),
            _ => {
                if let Some(word) = request.get_mut(at) {
                    *word = junk.to_vec();
                }
            }
        }
    }

    fn append(&mut self, arg: Arg, request: &mut Request) {
        let random = &mut self.random;
        let word: Vec<u8> = match arg {
            Key => random.pick(&KEYS).to_vec(),
            FractionKey => random.pick(&FRACTION_KEYS).into(),
            Integer => random.pick(&INTEGERS).into(),
            Fraction => random.pick(&FRACTIONS).into(),
            OneOf(words) => {
                let word = random.pick(words);
                if word.is_empty() {
                    return;
                }
                word.into()
            }
            Value if random.percent(10) => {
                let len = random.below(5000);
                random.bytes(len)
            }
            Value => random.pick(&VALUES).to_vec(),
            Seconds => self.seconds().to_string().into(),
            Milliseconds => (self.seconds() * 1000).to_string().into(),
            UnixSeconds => self.unix_seconds().into(),
            UnixMilliseconds => {
                let part = random.below(1000);
                format!("{}{part:03}", self.unix_seconds()).into()
            }
            Keys | Pairs | SetOptions | GetexOptions | ExpireOptions | ScanOptions | Fields => {
                return self.append_some(arg, request);
            }
        };
        request.push(word);
    }

    /// Arguments that are several words, or none.
    fn append_some(&mut self, arg: Arg, request: &mut Request) {
        let count = self.random.below(3);
        match arg {
            Keys => (0..=count).for_each(|_| self.append(Key, request)),
            Pairs => {
                for _ in 0..=count {
                    self.append(Key, request);
                    self.append(Value, request);
                }
            }
            SetOptions => (0..=count).for_each(|_| {
                let word = self
                    .random
                    .pick(&["NX", "XX", "GET", "KEEPTTL", "", "", "", "none"]);
                self.append_option(word, request);
            }),
            GetexOptions => {
                let word = self.random.pick(&["PERSIST", "", "", "", "none"]);
                self.append_option(word, request);
            }
            ExpireOptions => (0..count).for_each(|_| {
                let word = self
                    .random
                    .pick(&["NX", "XX", "GT", "LT", "gt", "lt", "none"]);
                request.push(word.into());
            }),
            Fields => (0..=count).for_each(|_| self.append_field(request)),
            _ => self.append_scan(request),
        }
    }

    fn append_field(&mut self, request: &mut Request) {
        let name = self
            .random
            .pick(&["GET", "get", "SET", "INCRBY", "OVERFLOW", "none"]);
        request.push(name.into());
        if name == "OVERFLOW" {
            request.push(
                self.random
                    .pick(&["WRAP", "sat", "FAIL", "SAT", "none"])
                    .into(),
            );
            return self.append_field(request);
        }
        request.push(self.random.pick(&FIELD_TYPES).into());
        request.push(self.random.pick(&FIELD_OFFSETS).into());
        if !name.eq_ignore_ascii_case("GET") {
            request.push(self.random.pick(&FIELD_NUMBERS).into());
        }
    }

    /// `word`, or a time to live when it is empty.
    fn append_option(&mut self, word: &str, request: &mut Request) {
        let (word, time) = match word {
            "" => match self.random.below(4) {
                0 => ("EX", Seconds),
                1 => ("px", Milliseconds),
                2 => ("EXAT", UnixSeconds),
                _ => ("PXAT", UnixMilliseconds),
            },
            word => return request.push(word.into()),
        };
        request.push(word.into());
        self.append(time, request);
    }

    /// More than there are, so that one call scans all.
    fn append_scan(&mut self, request: &mut Request) {
        request.extend(["COUNT", "100000"].map(Into::into));
        let patterns = [
            "*", "key*", "key:?", "[a-b]", "[^a]*", "\\*\\[?]", "none", "*b*a*",
        ];
        for option in ["MATCH", "TYPE", "COUNT", "NONE"] {
            if !self.random.percent(20) {
                continue;
            }
            request.push(option.into());
            request.push(match option {
                "MATCH" => self.random.pick(&patterns).into(),
                "TYPE" => self.random.pick(&["string", "STRING", "hash"]).into(),
                _ => self.random.pick(&["0", "-1", "abc", "100000"]).into(),
            });
        }
    }

    /// A time to live that no other is near.
    fn seconds(&mut self) -> u64 {
        self.moments += 1;
        10_000 + self.moments * 7919 % STEPS * STEP_SECONDS
    }

    fn unix_seconds(&mut self) -> String {
        match self.random.below(8) {
            0 => "1000".into(),
            1 | 2 => FAR_SECONDS.into(),
            _ => (UNIX_SECONDS + self.seconds()).to_string(),
        }
    }
}
