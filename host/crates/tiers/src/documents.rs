//! Documents as caches hold them, made up from a seed, for tests and benchmarks: JSON of 200 to 800 bytes whose ids,
//! UUIDs, tokens and times are of full entropy, and whose names are made of syllables, so that hardly any comes twice.

use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};

/// What a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The metadata of a track of music.
    Track,
    /// The session of somebody signed in.
    Session,
    /// A page of results of an API.
    Results,
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 3] = [Self::Track, Self::Session, Self::Results];

    /// The topic as a type of values.
    pub fn name(self) -> &'static str {
        match self {
            Self::Track => "track",
            Self::Session => "session",
            Self::Results => "results",
        }
    }
}

/// Makes documents; the same seed makes the same ones.
#[derive(Debug)]
pub struct Documents(StdRng);

const GENRES: [&str; 12] = [
    "ambient",
    "blues",
    "classical",
    "drum and bass",
    "folk",
    "hip hop",
    "house",
    "indie pop",
    "jazz",
    "metal",
    "soul",
    "techno",
];
const COUNTRIES: [&str; 12] = [
    "AT", "BR", "CH", "DE", "ES", "FR", "GB", "IT", "JP", "NL", "SE", "US",
];
const LOCALES: [&str; 6] = ["de-DE", "en-GB", "en-US", "fr-FR", "ja-JP", "pt-BR"];
const SYSTEMS: [&str; 4] = [
    "Windows NT 10.0; Win64; x64",
    "Macintosh; Intel Mac OS X 10_15_7",
    "X11; Linux x86_64",
    "Linux; Android 14; Pixel 8",
];
const ROLES: [&str; 4] = ["user", "editor", "support", "billing"];
const STATES: [&str; 5] = ["open", "paid", "packed", "shipped", "returned"];
const SYLLABLES: [&str; 32] = [
    "an", "bel", "cor", "da", "el", "fen", "gra", "hol", "is", "jo", "ka", "lin", "mo", "nar",
    "ol", "per", "qui", "ro", "sha", "tem", "ul", "ven", "wil", "xa", "yor", "zen", "bri", "ther",
    "mas", "light", "stone", "way",
];

impl Documents {
    /// The documents of a seed.
    pub fn new(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    /// The next document.
    pub fn make(&mut self, topic: Topic) -> Vec<u8> {
        let text = match topic {
            Topic::Track => self.track(),
            Topic::Session => self.session(),
            Topic::Results => self.results(),
        };
        text.into_bytes()
    }

    fn track(&mut self) -> String {
        let (id, artist, album) = (self.uuid(), self.uuid(), self.uuid());
        let (title, name, record) = (self.title(), self.name(), self.title());
        let (genre, second) = (self.one_of(&GENRES), self.one_of(&GENRES));
        let (year, month, day) = (
            self.number(1960..2026),
            self.number(1..13),
            self.number(1..29),
        );
        let country = self.one_of(&COUNTRIES);
        let serial = self.number(0..100_000_000);
        let markets: Vec<_> = COUNTRIES
            .iter()
            .filter(|_| self.0.random_bool(0.7))
            .map(|country| format!("\"{country}\""))
            .collect();
        format!(
            "{{\"id\":\"{id}\",\"type\":\"track\",\"title\":\"{title}\",\"artist\":{{\"id\":\"{artist}\",\"name\":\"{name}\"}},\
             \"album\":{{\"id\":\"{album}\",\"title\":\"{record}\",\"release_date\":\"{year}-{month:02}-{day:02}\",\"total_tracks\":{}}},\
             \"duration_ms\":{},\"track_number\":{},\"explicit\":{},\"isrc\":\"{country}{serial:010}\",\"popularity\":{},\
             \"genres\":[\"{genre}\",\"{second}\"],\"tempo\":{}.{:03},\"loudness\":-{}.{:03},\"available_markets\":[{}]}}",
            self.number(4..24),
            self.number(90_000..420_000),
            self.number(1..20),
            self.0.random_bool(0.1),
            self.number(0..101),
            self.number(60..190),
            self.number(0..1000),
            self.number(2..30),
            self.number(0..1000),
            markets.join(","),
        )
    }

    fn session(&mut self) -> String {
        let (id, csrf) = (self.uuid(), self.hex(32));
        let user = self.number(10_000..90_000_000);
        let (name, family) = (self.name(), self.name());
        let domain = self.name();
        let (created, seen) = (self.time(), self.time());
        let (major, build, patch) = (
            self.number(110..140),
            self.number(1000..9999),
            self.number(10..200),
        );
        let (system, locale, role) = (
            self.one_of(&SYSTEMS),
            self.one_of(&LOCALES),
            self.one_of(&ROLES),
        );
        format!(
            "{{\"session_id\":\"{id}\",\"user\":{{\"id\":{user},\"name\":\"{name} {family}\",\"email\":\"{}@{}.example\",\"roles\":[\"{role}\"]}},\
             \"created_at\":\"{created}\",\"last_seen_at\":\"{seen}\",\"csrf_token\":\"{csrf}\",\"ip\":\"{}.{}.{}.{}\",\
             \"user_agent\":\"Mozilla/5.0 ({system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{major}.0.{build}.{patch} Safari/537.36\",\
             \"locale\":\"{locale}\",\"flags\":{{\"two_factor\":{},\"remember_me\":{},\"beta\":{}}},\"cart\":{{\"items\":{},\"total_cents\":{}}}}}",
            name.to_lowercase(),
            domain.to_lowercase(),
            self.number(1..224),
            self.number(0..256),
            self.number(0..256),
            self.number(0..256),
            self.0.random_bool(0.3),
            self.0.random_bool(0.5),
            self.0.random_bool(0.05),
            self.number(0..9),
            self.number(0..60_000),
        )
    }

    fn results(&mut self) -> String {
        let mut items = String::new();
        for number in 0..self.number(2..4) {
            let (id, created) = (self.uuid(), self.time());
            let (title, state) = (self.title(), self.one_of(&STATES));
            let comma = if number == 0 { "" } else { "," };
            // Writing to a string cannot fail.
            let _ = write!(
                items,
                "{comma}{{\"id\":\"{id}\",\"type\":\"order\",\"attributes\":{{\"title\":\"{title}\",\"state\":\"{state}\",\
                 \"created_at\":\"{created}\",\"amount\":{}.{:02},\"currency\":\"EUR\"}}}}",
                self.number(1..2000),
                self.number(0..100),
            );
        }
        let (page, request) = (self.number(1..400), self.uuid());
        format!(
            "{{\"data\":[{items}],\"links\":{{\"self\":\"/v2/orders?page={page}\",\"next\":\"/v2/orders?page={}\"}},\
             \"meta\":{{\"request_id\":\"{request}\",\"total\":{},\"took_ms\":{}}}}}",
            page + 1,
            self.number(400..1_000_000),
            self.number(1..300),
        )
    }

    fn number(&mut self, range: std::ops::Range<u32>) -> u32 {
        self.0.random_range(range)
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        words.choose(&mut self.0).copied().unwrap_or_default()
    }

    fn hex(&mut self, digits: usize) -> String {
        (0..digits)
            .map(|_| char::from(b"0123456789abcdef"[self.0.random_range(0..16)]))
            .collect()
    }

    fn uuid(&mut self) -> String {
        let (a, b, c, d, e) = (
            self.hex(8),
            self.hex(4),
            self.hex(3),
            self.hex(3),
            self.hex(12),
        );
        format!("{a}-{b}-4{c}-a{d}-{e}")
    }

    /// A moment of ten years, to the millisecond.
    fn time(&mut self) -> String {
        format!(
            "20{}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            self.number(17..27),
            self.number(1..13),
            self.number(1..29),
            self.number(0..24),
            self.number(0..60),
            self.number(0..60),
            self.number(0..1000)
        )
    }

    fn name(&mut self) -> String {
        let count = self.number(2..4);
        let mut name: String = (0..count).map(|_| self.one_of(&SYLLABLES)).collect();
        name[..1].make_ascii_uppercase();
        name
    }

    fn title(&mut self) -> String {
        let count = self.number(1..4);
        let words: Vec<_> = (0..count).map(|_| self.name()).collect();
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_follow_from_the_seed_and_have_200_to_800_bytes() {
        let made = |seed| {
            let mut documents = Documents::new(seed);
            let made = (0..900).map(|at| documents.make(Topic::ALL[at % 3]));
            made.collect::<Vec<_>>()
        };
        let documents = made(1);
        assert_eq!(documents, made(1));
        assert_ne!(documents, made(2));
        for document in documents {
            assert!((200..=800).contains(&document.len()), "{}", document.len());
            let text = String::from_utf8(document).unwrap();
            assert_eq!(text.matches('{').count(), text.matches('}').count());
        }
    }
}
