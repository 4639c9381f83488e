//! What of a tenant is written to the second level, and when: `l2_write` and `l2_write_keys` of a `[[tenant]]`.

use larder_engine::glob::PATTERN_BYTES_MAX;
use larder_tiers::WritePolicy;

use super::Writes;
use super::kinds::{Choice, Kind, quoted};
use super::listed::Listed;
use super::reader::Reader;

pub(super) const POLICY: &str = "l2_write";
pub(super) const KEYS: &str = "l2_write_keys";

/// Each write may be compared with all of them.
const PATTERNS_MAX: usize = 64;

/// The words for it.
pub(super) const WORDS: Choice<WritePolicy> = Choice {
    words: &[
        ("through", WritePolicy::Through),
        ("behind", WritePolicy::Behind),
        ("around", WritePolicy::Around),
    ],
    note: "",
};

/// Reads it out of a tenant's table.
pub(super) fn take(reader: &mut Reader<'_>, listed: &Listed<'_>) -> Writes {
    let policy = listed.take(reader, POLICY, &WORDS.allowed(), |text| WORDS.read(text));
    let allowed = format!(
        "an array of up to {PATTERNS_MAX} patterns of keys, each with {} behind it, such as [\"session:* around\"]",
        WORDS.allowed()
    );
    let keys = listed.take_each(reader, KEYS, &allowed, PATTERNS_MAX, pattern);
    Writes {
        policy,
        keys: keys.unwrap_or_default(),
    }
}

fn pattern(text: &str) -> Option<(String, WritePolicy)> {
    let (pattern, word) = text.rsplit_once(' ')?;
    let fits = (1..=PATTERN_BYTES_MAX).contains(&pattern.len());
    fits.then_some((pattern.to_owned(), WORDS.read(word)?))
}

/// The lines of a tenant's table that say it again.
pub(super) fn lines(writes: &Writes) -> String {
    let policy = writes.policy.as_ref();
    let mut lines = policy.map_or(String::new(), |policy| {
        format!("\n{POLICY} = {}", WORDS.literal(policy))
    });
    if !writes.keys.is_empty() {
        let text = |(pattern, policy): &(String, _)| format!("{pattern} {}", WORDS.write(policy));
        let texts = writes.keys.iter().map(|key| quoted(&text(key)));
        let texts: Vec<_> = texts.collect();
        lines += &format!("\n{KEYS} = [{}]", texts.join(", "));
    }
    lines
}
