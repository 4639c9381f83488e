//! What repeated runs of one measurement give.

/// Repeated measurements of one quantity.
#[derive(Debug, Clone, Default)]
pub struct Sample(Vec<f64>);

impl Sample {
    /// Adds the measurement of one run.
    pub fn add(&mut self, value: f64) {
        let at = self.0.partition_point(|present| *present < value);
        self.0.insert(at, value);
    }

    /// The middle one, or the mean of the middle two; not a number when there is none.
    pub fn median(&self) -> f64 {
        let (half, odd) = (self.0.len() / 2, self.0.len() % 2 == 1);
        match (self.0.get(half), odd) {
            (Some(middle), true) => *middle,
            (Some(upper), false) => f64::midpoint(self.0[half - 1], *upper),
            (None, _) => f64::NAN,
        }
    }

    /// The least; not a number when there is none.
    pub fn min(&self) -> f64 {
        self.0.first().copied().unwrap_or(f64::NAN)
    }

    /// The greatest; not a number when there is none.
    pub fn max(&self) -> f64 {
        self.0.last().copied().unwrap_or(f64::NAN)
    }
}

#[cfg(test)]
mod tests {
    use super::Sample;

    #[test]
    fn median_of_odd_even_and_none() {
        let mut sample = Sample::default();
        assert!(sample.median().is_nan() && sample.min().is_nan());
        for (value, median) in [(5.0, 5.0), (1.0, 3.0), (9.0, 5.0), (2.0, 3.5)] {
            sample.add(value);
            assert_eq!(sample.median(), median);
        }
        assert_eq!((sample.min(), sample.max()), (1.0, 9.0));
    }
}
