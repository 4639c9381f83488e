//! What is fetched ahead in a simulation.

use std::str::FromStr;

use larder_predict::{Config, Predictor, Purse};
use larder_simulator::replay::{Ahead, Foresight};
use larder_simulator::run::Footprint;

use super::spec::Piece;

/// Fetching ahead, with its parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Prewarm {
    config: Config,
    share_percent: u8,
    /// Whether ids are what keys would be called; `None`: the trace tells.
    families: Option<bool>,
    is_oracle: bool,
}

impl Prewarm {
    /// The two that a trace is simulated with: the predictor, and the oracle with its budget.
    pub(super) fn on(self, trace: &Footprint, seed: u64) -> [Self; 2] {
        let config = Config {
            seed,
            ..self.config
        };
        let families = Some(self.families.unwrap_or(trace.ids_are_numbers));
        [false, true].map(|is_oracle| Self {
            config,
            families,
            is_oracle,
            ..self
        })
    }

    /// What it is called in the result.
    pub(super) fn name(self) -> &'static str {
        if self.is_oracle { "oracle" } else { "on" }
    }

    /// What fetches for one cache.
    pub(crate) fn ahead(self) -> Ahead {
        let foresight = match self.is_oracle {
            true => Foresight::Oracle(Purse::new(self.config.budget)),
            false => Foresight::Predictor(Box::new(Predictor::new(self.config))),
        };
        Ahead::new(foresight, self.share_percent, self.families == Some(true))
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let within = |low: u32, high: u32| {
            let number = value.parse().ok();
            let number = number.filter(|number| (low..=high).contains(number));
            number.ok_or_else(|| {
                format!("{name} is '{value}'; it has to be a number from {low} to {high}")
            })
        };
        let config = &mut self.config;
        match name {
            "families" => {
                self.families = match value {
                    "auto" => None,
                    "on" => Some(true),
                    "off" => Some(false),
                    _ => {
                        return Err(format!(
                            "families is '{value}'; it has to be auto, on or off"
                        ));
                    }
                }
            }
            "horizon_seconds" => config.horizon_ms_max = u64::from(within(1, 86_400)?) * 1_000,
            "precision_percent" => config.precision_min = within(1, 99)? as f32 / 100.0,
            "share_percent" => self.share_percent = within(1, 50)? as u8,
            "fetches_per_second" => config.budget.fetches_per_second = within(1, 1_000_000)?,
            "mib_per_second" => {
                config.budget.bytes_per_second = u64::from(within(1, 65_536)?) << 20
            }
            "memory_mib" => config.memory_bytes_max = (within(16, 4_096)? as usize) << 20,
            _ => {
                return Err(format!(
                    "there is no parameter '{name}'; there are horizon_seconds, precision_percent, \
                     share_percent, fetches_per_second, mib_per_second, memory_mib, families"
                ));
            }
        }
        Ok(())
    }
}

impl FromStr for Prewarm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut prewarm = Self {
            config: Config::default(),
            share_percent: 10,
            families: None,
            is_oracle: false,
        };
        let piece: Piece = format!(":{text}").parse()?;
        for (name, value) in &piece.parameters {
            prewarm.set(name, value)?;
        }
        Ok(prewarm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_what_is_wrong_is_told() {
        let read = |text: &str| text.parse::<Prewarm>();
        assert_eq!(read("").unwrap().config, Config::default());
        let set = read("horizon_seconds=7,families=off,share_percent=20").unwrap();
        assert_eq!((set.config.horizon_ms_max, set.share_percent), (7_000, 20));
        assert_eq!(set.families, Some(false));
        let wrong = |text: &str| read(text).unwrap_err();
        assert!(wrong("x=1").contains("there are horizon_seconds"));
        assert!(wrong("share_percent=51").contains("from 1 to 50"));
        assert!(wrong("families").contains("parameter=value"));
        assert!(wrong("memory_mib=16,memory_mib=32").contains("'memory_mib' is given twice"));
    }

    #[test]
    fn families_follow_the_trace_unless_they_are_set() {
        let trace = |ids_are_numbers| Footprint {
            ids_are_numbers,
            ..Footprint::default()
        };
        let families = |text: &str, are_numbers| {
            let prewarm: Prewarm = text.parse().unwrap();
            prewarm.on(&trace(are_numbers), 1).map(|one| one.families)
        };
        assert_eq!(families("", true), [Some(true); 2]);
        assert_eq!(families("", false), [Some(false); 2]);
        assert_eq!(families("families=on", false), [Some(true); 2]);
    }
}
