//! Tiers below the memory: adapters of [`larder_engine::tier::Tier`], and the form in which values leave the
//! process.
