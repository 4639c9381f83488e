//! Growth of memory at a small size. Alone in its process, whose memory is measured.

use bench::memory::{self, Load, Target};
use bench::servers::Kind;

#[test]
fn memory_grows_by_more_than_the_data() {
    let rows = memory::run(&[Target::Server(Kind::Redis)], &[100_000], 1).unwrap();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert!((80.0..500.0).contains(&row.bytes.median()), "{row:?}");
    }
    let plain = rows[0].bytes.median();
    assert!(
        rows[1].bytes.median() > plain,
        "an expiry takes room: {rows:?}"
    );
    let load = Load {
        keys: 100_000,
        expiring: true,
    };
    let grown = memory::engine_growth(load).unwrap();
    assert!((80.0..500.0).contains(&grown), "{grown}");
    assert_eq!(memory::table(&rows, 1).rows.len(), 2);
}
