//! What values are worth to the business, and eviction that honours it.
//!
//! Two policies that share their parameters: [`Rules`] say what a value is worth when it is
//! written, [`ByValue`] lets the least valued go first. Either works without the other.

mod eviction;
mod rules;
mod weights;

pub use eviction::ByValue;
pub use rules::Rules;

larder_sdk::export! {
    name: "business-priority",
    about: "What values are worth, by tenant, type, tag, attribute or prefix; the least valued go first",
    eviction: ByValue,
    priority: Rules,
}

/// What can be set.
#[derive(Debug, Clone, larder_sdk::Parameters)]
pub struct Parameters {
    /// Each "WHAT TEXT: PRIORITY", such as "tag vip: 255"; of those that fit the highest wins.
    #[parameter(default = [])]
    pub rules: Vec<String>,
    /// The priority of what no rule fits.
    #[parameter(default = 100)]
    pub default: u8,
    /// Part of the memory, in percent, in which even the least valued stay while they are recent.
    #[parameter(default = 5, max = 100)]
    pub floor_percent: u64,
    /// Whether, of entries worth the same, size and uses count as well as recency.
    #[parameter(default = false)]
    pub gdsf: bool,
}
