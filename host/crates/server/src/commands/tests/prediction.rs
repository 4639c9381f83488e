//! What is told of prediction.

use std::sync::Arc;

use larder_engine::foresight::{Explanation, Foresight, Prediction};
use larder_engine::{AheadFigures, Key};

use super::*;

/// Knows of the key `known` alone.
struct Scripted;

impl Foresight for Scripted {
    fn prediction(&self, tenant: usize) -> Prediction {
        assert_eq!(tenant, 0);
        Prediction {
            is_on: true,
            why: "it is right, a=1".to_owned(),
            ahead: AheadFigures {
                fetched: 5,
                used: 3,
                wasted: 1,
                bytes: 90,
            },
            asked: 6,
            planned: 10,
            undone: [1, 0, 0, 4, 0, 0],
            ..Prediction::default()
        }
    }

    fn explain(&self, _: usize, key: Key<'_>) -> Option<Explanation> {
        (key.bytes == b"known").then(|| Explanation {
            score: Some(0.75),
            features: vec![("age", 2.0, 0.125)],
            horizon_ms: 1_000,
        })
    }

    fn memory_bytes(&self) -> u64 {
        7
    }
}

#[test]
fn info_and_status_tell_the_same_and_keys_are_explained() {
    let parts = Parts {
        foresight: Some(Arc::new(Scripted)),
        ..parts()
    };
    let mut bed = Bed::made_of(config(), parts, Version::V3);
    let info = bed.line("INFO prediction").0;
    let status = bed.line("CACHE.PREDICT STATUS").0;
    for (name, value) in [
        ("prediction_used", "3"),
        ("prediction_precision", "0.750"),
        ("prediction_recall", "0.500"),
        ("prediction_coverage", "0.500"),
        (
            "prediction_undone",
            "needless=1,changed=0,no_room=0,failed=4,paused=0,crowded=0",
        ),
        ("prediction_model_age_ms", "-1"),
    ] {
        assert!(
            info.contains(&format!("\r\n{name}:{value}\r\n")),
            "{name}: {info}"
        );
        let short = name.trim_start_matches("prediction_");
        let told = format!(
            "${}\r\n{short}\r\n${}\r\n{value}\r\n",
            short.len(),
            value.len()
        );
        assert!(status.contains(&told), "{told:?} in {status:?}");
    }
    let why = "\r\nprediction_why:it is right; a:1\r\n";
    assert!(
        info.contains(why) && status.contains("\r\nit is right, a=1\r\n"),
        "{info} {status}"
    );
    assert!(
        info.contains("\r\nprediction:on\r\n") && status.starts_with("%19\r\n"),
        "{status}"
    );
    assert!(
        !bed.line("INFO").0.contains("prediction"),
        "on demand alone"
    );

    let known = bed.line("CACHE.PREDICT EXPLAIN known").0;
    for told in [
        "$3\r\nyes\r\n",
        ",0.75\r\n",
        ":1000\r\n",
        "age=2.000 weight=+0.125",
    ] {
        assert!(known.contains(told), "{told:?} in {known:?}");
    }
    let unknown = bed.line("CACHE.PREDICT EXPLAIN unknown").0;
    assert!(
        unknown.contains("$2\r\nno\r\n") && unknown.ends_with("*0\r\n"),
        "{unknown:?}"
    );
}

#[test]
fn without_it_that_is_told() {
    let mut bed = Bed::new(Version::V2);
    let status = bed.line("CACHE.PREDICT STATUS").0;
    assert!(status.contains("predict.enabled is false"), "{status}");
    assert!(
        bed.line("CACHE.PREDICT EXPLAIN k")
            .0
            .contains("$2\r\nno\r\n")
    );
}
