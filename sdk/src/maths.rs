//! Functions of real numbers that give the same bits natively and in WebAssembly.
//!
//! Adding, multiplying, dividing and comparing `f64` is exact everywhere. The functions of the
//! standard library such as `f64::exp` are those of the machine, which differ in their last bits:
//! use these instead. The bits of a NaN are canonical in WebAssembly and not natively, so nothing
//! may depend on them.

pub use libm::{cbrt, ceil, exp, exp2, expm1, floor, log as ln, log1p as ln_1p, log2, log10, pow};
pub use libm::{round, sqrt, tanh, trunc};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_what_their_names_say() {
        let near = |one: f64, other: f64| (one - other).abs() < 1e-12;
        assert!(near(ln(exp(1.5)), 1.5) && near(exp2(log2(10.0)), 10.0));
        assert!(near(ln_1p(expm1(0.1)), 0.1) && near(pow(10.0, log10(7.0)), 7.0));
        assert_eq!((sqrt(9.0), cbrt(27.0), tanh(0.0)), (3.0, 3.0, 0.0));
        assert_eq!(
            (floor(-1.5), ceil(-1.5), round(2.5), trunc(-1.5)),
            (-2.0, -1.0, 3.0, -1.0)
        );
    }
}
