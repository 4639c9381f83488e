//! Questions for tests.

use larder_abi::{Operation, QuestionParts, VALUE_PREFIX_BYTES_MAX, write_question};

use crate::Question;

/// Makes a question, beginning with its key.
///
/// ```
/// let mut ask = larder_sdk::testing::Ask::key("cart:7")
///     .tenant("shop")
///     .data_type("json")
///     .value_bytes(5000)
///     .ttl_ms(60_000)
///     .cost_ms(12)
///     .tag("vip")
///     .attribute("plan", "gold");
/// let question = ask.question();
/// assert_eq!(question.attribute(b"plan"), Some(&b"gold"[..]));
/// ```
#[derive(Debug, Clone)]
pub struct Ask {
    parts: QuestionParts<'static>,
    key: Vec<u8>,
    tenant: String,
    value: Vec<u8>,
    data_type: Vec<u8>,
    tags: Vec<Vec<u8>>,
    attributes: Vec<(Vec<u8>, Vec<u8>)>,
    record: Vec<u8>,
}

impl Ask {
    /// A question about the write of a value without bytes, of the tenant `default`, in memory, at
    /// the beginning of time.
    pub fn key(key: impl Into<Vec<u8>>) -> Self {
        Self {
            parts: QuestionParts {
                tier: 1,
                ..QuestionParts::default()
            },
            key: key.into(),
            tenant: "default".into(),
            value: Vec::new(),
            data_type: Vec::new(),
            tags: Vec::new(),
            attributes: Vec::new(),
            record: Vec::new(),
        }
    }

    /// Now, in Unix milliseconds.
    #[must_use]
    pub fn now_ms(mut self, now_ms: u64) -> Self {
        self.parts.now_ms = now_ms;
        self
    }

    /// The database, 0 to 15.
    #[must_use]
    pub fn db(mut self, db: u8) -> Self {
        self.parts.db = db;
        self
    }

    /// The value is not written by a client but loaded from a slower place.
    #[must_use]
    pub fn load(mut self) -> Self {
        self.parts.operation = Operation::Load;
        self
    }

    /// The tier it is asked for: 1 is memory.
    #[must_use]
    pub fn tier(mut self, tier: u8) -> Self {
        self.parts.tier = tier;
        self
    }

    /// The tenant's name.
    #[must_use]
    pub fn tenant(mut self, tenant: &str) -> Self {
        self.tenant = tenant.into();
        self
    }

    /// The value itself; a policy sees as much of it as its manifest asks for, here all of it up to
    /// what can be asked for.
    #[must_use]
    pub fn value(mut self, value: impl Into<Vec<u8>>) -> Self {
        self.value = value.into();
        self.parts.value_bytes = self.value.len() as u64;
        self
    }

    /// The value's size, where its bytes do not matter.
    #[must_use]
    pub fn value_bytes(mut self, bytes: u64) -> Self {
        self.parts.value_bytes = bytes;
        self
    }

    /// The TTL that the client asked for.
    #[must_use]
    pub fn ttl_ms(mut self, ttl_ms: u64) -> Self {
        self.parts.ttl_ms = Some(ttl_ms);
        self
    }

    /// What kind of data it is.
    #[must_use]
    pub fn data_type(mut self, data_type: impl Into<Vec<u8>>) -> Self {
        self.data_type = data_type.into();
        self
    }

    /// What it took to make the value.
    #[must_use]
    pub fn cost_ms(mut self, cost_ms: u64) -> Self {
        self.parts.cost_ms = Some(cost_ms);
        self
    }

    /// One more tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Vec<u8>>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// One more attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Self {
        self.attributes.push((name.into(), value.into()));
        self
    }

    /// The question, through the same record as in a server.
    pub fn question(&mut self) -> Question<'_> {
        let tags: Vec<&[u8]> = self.tags.iter().map(Vec::as_slice).collect();
        let pairs = self.attributes.iter();
        let attributes: Vec<_> = pairs.map(|(name, value)| (&**name, &**value)).collect();
        let parts = QuestionParts {
            key: &self.key,
            tenant: &self.tenant,
            value: &self.value,
            data_type: &self.data_type,
            tags: &tags,
            attributes: &attributes,
            ..self.parts
        };
        write_question(&parts, VALUE_PREFIX_BYTES_MAX, &mut self.record);
        Question::new(&self.record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_says_what_was_asked() {
        let mut ask = Ask::key("k")
            .now_ms(1)
            .db(2)
            .load()
            .tier(3)
            .tenant("t")
            .value("abc")
            .ttl_ms(4)
            .data_type("json")
            .cost_ms(0)
            .tag("x")
            .tag("y")
            .attribute("n", "v");
        let question = ask.question();
        assert_eq!(
            (question.now_ms(), question.db(), question.tier()),
            (1, 2, 3)
        );
        assert_eq!(question.operation(), Operation::Load);
        assert_eq!((question.key(), question.tenant()), (&b"k"[..], &b"t"[..]));
        assert_eq!(
            (question.value_bytes(), question.value_prefix()),
            (3, &b"abc"[..])
        );
        assert_eq!((question.ttl_ms(), question.cost_ms()), (Some(4), Some(0)));
        assert_eq!(
            (question.data_type(), question.tags().count()),
            (&b"json"[..], 2)
        );
        assert_eq!(question.attribute(b"n"), Some(&b"v"[..]));
        assert_eq!(Ask::key("").question().cost_ms(), None);
    }
}
