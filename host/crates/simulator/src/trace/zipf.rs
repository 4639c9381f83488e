//! Zipf-distributed ranks by rejection inversion (Hörmann & Derflinger, "Rejection-inversion to
//! generate variates from monotone discrete distributions", 1996): no tables, about one draw a
//! sample, whatever the number of ranks.

use super::Random;

/// Draws ranks `1..=ranks` with probability proportional to `rank ^ -exponent`.
#[derive(Debug, Clone)]
pub struct Zipf {
    ranks: f64,
    exponent: f64,
    /// Area under the hat up to the first rank's left end and the last rank's right end.
    area_low: f64,
    area_high: f64,
    /// A candidate this close below its rank is accepted without evaluating the hat.
    squeeze: f64,
}

impl Zipf {
    /// An `exponent` of 0 is the uniform distribution.
    ///
    /// # Panics
    /// When `ranks` is 0 or above 2^52, or `exponent` is negative or not finite.
    pub fn new(ranks: u64, exponent: f64) -> Self {
        assert!(
            (1..=1 << 52).contains(&ranks),
            "ranks out of range: {ranks}"
        );
        assert!(
            exponent.is_finite() && exponent >= 0.0,
            "exponent out of range: {exponent}"
        );
        let mut zipf = Self {
            ranks: ranks as f64,
            exponent,
            area_low: 0.0,
            area_high: 0.0,
            squeeze: 0.0,
        };
        // The first rank's own mass is 1, so its bar may start a whole unit of area to the left.
        zipf.area_low = zipf.area(1.5) - 1.0;
        zipf.area_high = zipf.area(zipf.ranks + 0.5);
        zipf.squeeze = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    /// The next rank.
    pub fn sample(&self, random: &mut Random) -> u64 {
        loop {
            let area = self.area_high + random.unit() * (self.area_low - self.area_high);
            let x = self.area_inverse(area);
            let rank = x.round().clamp(1.0, self.ranks);
            if rank - x <= self.squeeze || area >= self.area(rank + 0.5) - self.height(rank) {
                return rank as u64;
            }
        }
    }

    /// The hat: `x ^ -exponent`.
    fn height(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// Integral of the hat from 1 to `x`; stable where the exponent is at or near 1.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        let t = (1.0 - self.exponent) * log;
        // expm1(t) / t, which tends to 1 as t does to 0.
        let factor = if t.abs() > 1e-8 {
            t.exp_m1() / t
        } else {
            1.0 + t / 2.0
        };
        log * factor
    }

    fn area_inverse(&self, area: f64) -> f64 {
        // Rounding can take it below -1, where the logarithm ends.
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        let factor = if t.abs() > 1e-8 {
            t.ln_1p() / t
        } else {
            1.0 - t / 2.0
        };
        (area * factor).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exact probabilities of the ranks, first one at index 0.
    fn exact(ranks: u64, exponent: f64) -> Vec<f64> {
        let weights: Vec<f64> = (1..=ranks)
            .map(|rank| (rank as f64).powf(-exponent))
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    /// Chi-squared statistic of `samples` draws against the exact distribution, after merging
    /// neighbours until each cell expects at least 10; must lie within five sigma.
    fn check(ranks: u64, exponent: f64) {
        let samples = 200_000;
        let zipf = Zipf::new(ranks, exponent);
        let mut random = Random::new(ranks ^ exponent.to_bits());
        let mut seen = vec![0_u32; ranks as usize];
        (0..samples).for_each(|_| seen[zipf.sample(&mut random) as usize - 1] += 1);

        let (mut chi, mut cells) = (0.0, 0);
        let (mut expected, mut found) = (0.0, 0.0);
        for (p, n) in exact(ranks, exponent).into_iter().zip(seen) {
            expected += p * f64::from(samples);
            found += f64::from(n);
            if expected >= 10.0 {
                chi += (found - expected).powi(2) / expected;
                cells += 1;
                (expected, found) = (0.0, 0.0);
            }
        }
        let freedom = f64::from((cells - 1).max(1));
        let bound = freedom + 5.0 * (2.0 * freedom).sqrt();
        assert!(
            chi < bound,
            "ranks {ranks}, exponent {exponent}: {chi} of at most {bound}"
        );
    }

    #[test]
    fn follows_the_exact_distribution() {
        for exponent in [0.0, 0.5, 0.99, 1.0, 1.2, 3.0] {
            for ranks in [1, 2, 3, 100, 50_000] {
                check(ranks, exponent);
            }
        }
    }

    #[test]
    fn extremes_stay_in_range() {
        let mut random = Random::new(3);
        for (ranks, exponent) in [(1 << 52, 0.0), (1 << 52, 1.0), (u64::from(u32::MAX), 20.0)] {
            let zipf = Zipf::new(ranks, exponent);
            for _ in 0..10_000 {
                assert!((1..=ranks).contains(&zipf.sample(&mut random)));
            }
        }
    }
}
