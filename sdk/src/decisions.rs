//! The traits of the policies that decide over a value before it is written.
//!
//! Each thread of the server has an instance of its own, which sees the writes of that thread
//! alone: what it counts is a sample. Methods take `&mut self` for that; most need none of it.

use crate::{Policy, Question, SecurityAnswer, TTL_MS_MAX, TtlAnswer, units};

/// Decides whether a value is kept at all.
///
/// Of several policies all have to say yes. A refused write is acknowledged, and whatever the key
/// held before goes.
///
/// ```
/// use larder_sdk::testing::Ask;
/// use larder_sdk::{Policy, Question, ShouldCache, Size};
///
/// #[derive(larder_sdk::Parameters)]
/// pub struct Limits {
///     /// The largest value that is kept without having cost much.
///     #[parameter(default = "64KiB")]
///     free_bytes: Size,
///     /// What a larger one must have cost to make, in milliseconds.
///     #[parameter(default = 20)]
///     worthy_ms: u64,
/// }
///
/// /// Keeps what is small, and what was dear.
/// pub struct WorthIt(Limits);
///
/// impl Policy for WorthIt {
///     type Parameters = Limits;
///
///     fn new(limits: Limits, _seed: u64) -> Result<Self, String> {
///         Ok(Self(limits))
///     }
/// }
///
/// impl ShouldCache for WorthIt {
///     fn should_cache(&mut self, question: &Question<'_>) -> bool {
///         question.value_bytes() <= self.0.free_bytes.0
///             || question.cost_ms().is_some_and(|cost| cost >= self.0.worthy_ms)
///     }
/// }
///
/// larder_sdk::export! { name: "worth-it", about: "Keeps what is small or dear", should_cache: WorthIt }
///
/// // In a test:
/// let mut policy = WorthIt::new(Limits::default(), 1).unwrap();
/// let large = || Ask::key("report:7").value_bytes(100_000);
/// assert!(!policy.should_cache(&large().question()));
/// assert!(policy.should_cache(&large().cost_ms(250).question()));
/// ```
pub trait ShouldCache: Policy {
    /// Whether the value is kept. Not asked where a client is told more than that it was taken, as by SET with NX: that is
    /// a promise, and kept.
    fn should_cache(&mut self, question: &Question<'_>) -> bool;
}

/// Decides for how long a value is kept.
///
/// Several policies are asked in the order of their files, each with the answer of the one before
/// in [`Question::ttl_ms`]. What the client asked for may be shortened; it is lengthened only where
/// the file beside the policy allows that (`may_extend = true`).
///
/// ```
/// use std::time::Duration;
/// use larder_sdk::testing::Ask;
/// use larder_sdk::{Policy, Question, Ttl, TtlAnswer};
///
/// #[derive(larder_sdk::Parameters)]
/// pub struct Limits {
///     /// The longest that anything is kept.
///     #[parameter(default = "1h", min = "1s", max = "30d")]
///     longest: Duration,
/// }
///
/// /// Nothing lives longer than an hour.
/// pub struct Ceiling {
///     longest_ms: u64,
/// }
///
/// impl Policy for Ceiling {
///     type Parameters = Limits;
///
///     fn new(limits: Limits, _seed: u64) -> Result<Self, String> {
///         let longest_ms = limits.longest.as_millis() as u64;
///         Ok(Self { longest_ms })
///     }
/// }
///
/// impl Ttl for Ceiling {
///     fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer {
///         match question.ttl_ms() {
///             Some(ttl_ms) if ttl_ms <= self.longest_ms => TtlAnswer::Keep,
///             _ => TtlAnswer::Millis(self.longest_ms),
///         }
///     }
/// }
///
/// larder_sdk::export! { name: "ceiling", about: "A longest time to live", ttl: Ceiling }
///
/// // In a test:
/// let mut policy = Ceiling::new(Limits::default(), 1).unwrap();
/// assert_eq!(policy.ttl(&Ask::key("a").question()), TtlAnswer::Millis(3_600_000));
/// assert_eq!(policy.ttl(&Ask::key("a").ttl_ms(5).question()), TtlAnswer::Keep);
/// ```
pub trait Ttl: Policy {
    /// What becomes of the time to live; 1 to [`TTL_MS_MAX`](crate::TTL_MS_MAX) milliseconds.
    fn ttl(&mut self, question: &Question<'_>) -> TtlAnswer;
}

/// Decides what a value is worth, for eviction and for shedding load.
///
/// Of several policies the last in the order of their files has its way.
///
/// ```
/// use larder_sdk::testing::Ask;
/// use larder_sdk::{Policy, Priority, Question};
///
/// /// Values of customers with a plan are worth more, dear ones more than cheap ones.
/// #[derive(Default)]
/// pub struct ByPlan;
///
/// impl Policy for ByPlan {
///     type Parameters = ();
///
///     fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Priority for ByPlan {
///     fn priority(&mut self, question: &Question<'_>) -> u8 {
///         let base = match question.attribute(b"plan") {
///             Some(b"gold") => 200,
///             Some(_) => 100,
///             None => 50,
///         };
///         base + question.cost_ms().unwrap_or(0).min(50) as u8
///     }
/// }
///
/// larder_sdk::export! { name: "by-plan", about: "Gold customers first", priority: ByPlan }
///
/// // In a test:
/// let mut policy = ByPlan::default();
/// let gold = || Ask::key("cart:7").attribute("plan", "gold");
/// assert_eq!(policy.priority(&gold().question()), 200);
/// assert_eq!(policy.priority(&gold().cost_ms(30).question()), 230);
/// ```
pub trait Priority: Policy {
    /// What the value is worth: 0 to 255, higher is worth more.
    fn priority(&mut self, question: &Question<'_>) -> u8;
}

/// Decides whether a value is nobody's to see but its readers': as `CACHE.SET … SECURITY high` says.
///
/// Of several policies one that says [`SecurityAnswer::High`] suffices; those behind it see no byte of the value. Without
/// a key ring nothing can be sealed: the value is kept as it is then, which the server counts and warns of.
///
/// ```
/// use larder_sdk::testing::Ask;
/// use larder_sdk::{Policy, Question, Security, SecurityAnswer};
///
/// /// What is of the type `token` is a secret.
/// #[derive(Default)]
/// pub struct Tokens;
///
/// impl Policy for Tokens {
///     type Parameters = ();
///
///     fn new(_parameters: (), _seed: u64) -> Result<Self, String> {
///         Ok(Self)
///     }
/// }
///
/// impl Security for Tokens {
///     fn security(&mut self, question: &Question<'_>) -> SecurityAnswer {
///         match question.data_type() {
///             b"token" => SecurityAnswer::High,
///             _ => SecurityAnswer::Keep,
///         }
///     }
/// }
///
/// larder_sdk::export! { name: "tokens", about: "Seals tokens", security: Tokens }
///
/// // In a test:
/// let mut policy = Tokens::default();
/// assert_eq!(policy.security(&Ask::key("a").data_type("token").question()), SecurityAnswer::High);
/// assert_eq!(policy.security(&Ask::key("a").question()), SecurityAnswer::Keep);
/// ```
pub trait Security: Policy {
    /// Whether the value is a secret.
    fn security(&mut self, question: &Question<'_>) -> SecurityAnswer;
}

/// Reads a TTL as a person writes it in a parameter: `never`, or a number with its unit, such as `30m`.
///
/// # Errors
/// What is wrong with it.
pub fn read_ttl(text: &str) -> Result<TtlAnswer, String> {
    let text = text.trim();
    if text == "never" {
        return Ok(TtlAnswer::Never);
    }
    match units::duration_ms(text) {
        Some(ttl_ms @ 1..=TTL_MS_MAX) => Ok(TtlAnswer::Millis(ttl_ms)),
        Some(_) => Err(format!("\"{text}\" is not from 1ms to a hundred years")),
        None => Err(format!(
            "\"{text}\" is no TTL: write a number with ms, s, m, h or d, or never"
        )),
    }
}
