//! What CACHE.RECORD asks the connection for.

use larder_engine::recording::{Plan, Salt, Threshold};

use super::*;

const SALT: &str = "000102030405060708090a0b0c0d0e0f";

#[test]
fn a_recording_is_ordered_with_its_bounds() {
    let mut bed = Bed::new(Version::V2);
    bed.check("SELECT 3", "+OK\r\n");
    let salt = Salt(std::array::from_fn(|at| at as u8));
    let mut ordered = |line: &str| {
        let (reply, flow) = bed.line(line);
        assert_eq!(reply, "");
        flow
    };
    let plan = Plan {
        db: 3,
        salt,
        threshold: Threshold::ALL,
        rate_max: 100_000,
    };
    let flow = ordered(&format!("CACHE.RECORD SALT {SALT}"));
    assert_eq!(flow, Flow::Record(plan));
    let plan = Plan {
        threshold: Threshold::of_percent(0.5).unwrap(),
        rate_max: 7,
        ..plan
    };
    let flow = ordered(&format!("cache.record rate 7 sample 0.5 salt {SALT}"));
    assert_eq!(flow, Flow::Record(plan));
}

#[test]
fn what_is_no_order_is_refused() {
    let salted = |rest: &str| format!("CACHE.RECORD SALT {SALT}{rest}");
    let no_salt = "-ERR SALT has to have 32 hexadecimal digits\r\n";
    let no_sample = "-ERR SAMPLE has to be above 0 and 100 percent at most\r\n";
    let no_rate = "-ERR RATE has to be a whole number of records a second, 1 at least\r\n";
    let syntax = "-ERR syntax error\r\n";
    let arity = "-ERR wrong number of arguments for 'cache.record' command\r\n";
    let mut bed = Bed::new(Version::V2);
    for (line, expected) in [
        ("CACHE.RECORD", arity),
        ("CACHE.RECORD SALT", arity),
        ("CACHE.RECORD SALT 00", no_salt),
        ("CACHE.RECORD RATE 5", no_salt),
        (&salted(" SAMPLE 0"), no_sample),
        (&salted(" SAMPLE 100.5"), no_sample),
        (&salted(" SAMPLE nan"), no_sample),
        (&salted(" RATE 0"), no_rate),
        (&salted(" RATE -1"), no_rate),
        (&salted(" RATE 1.5"), no_rate),
        (&salted(" RATE"), syntax),
        (&salted(" RATE 5 RATE 5"), syntax),
        (&salted(" FOO 5"), syntax),
    ] {
        bed.check(line, expected);
    }
}
