//! What sealing costs.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use larder_engine::Key;
use larder_engine::tier::{Stored, TierKey};
use larder_tiers::codec::KeyRing;

use super::{Options, WARM, codec, same};
use crate::Sample;
use crate::report::{Cell, Table};

/// Lengths of values.
const LENGTHS: [usize; 5] = [64, 512, 4 << 10, 64 << 10, 1 << 20];

pub(super) fn table(options: &Options) -> Result<Table> {
    let codec = codec(false, Some(KeyRing::generate(0)?));
    let key = TierKey::new("default", Key::new(0, b"a key of 16 byte"));
    let mut rows = Vec::new();
    for bytes in LENGTHS {
        let stored = Stored {
            value: vec![b'x'; bytes].into(),
            ..Stored::default()
        };
        let (mut seal_ns, mut open_ns) = (Sample::default(), Sample::default());
        let mut record = Vec::new();
        let count = (options.sealed_bytes as usize / bytes).clamp(1, 50_000);
        for _ in 0..options.runs {
            let begun = Instant::now();
            for _ in 0..count {
                record.clear();
                codec.encode(key, &stored, WARM, &mut record)?;
            }
            seal_ns.add(begun.elapsed().as_nanos() as f64 / count as f64);
            let begun = Instant::now();
            for _ in 0..count {
                black_box(codec.decode(key, &record)?);
            }
            open_ns.add(begun.elapsed().as_nanos() as f64 / count as f64);
        }
        same(&codec.decode(key, &record)?.value, &stored.value)?;
        // Bytes in a nanosecond are thousands of megabytes in a second.
        let rate = |ns: &Sample| Cell::Number(bytes as f64 / ns.median() * 1000.0, 0);
        rows.push(vec![
            Cell::Number(bytes as f64, 0),
            Cell::Number((record.len() - bytes) as f64, 0),
            Cell::Number(seal_ns.median(), 0),
            rate(&seal_ns),
            Cell::Number(open_ns.median(), 0),
            rate(&open_ns),
        ]);
    }
    Ok(Table {
        title: format!(
            "Sealing with XAES-256-GCM, header and copies included, nothing compressed; one thread; medians of {} runs",
            options.runs
        ),
        columns: &[
            "B",
            "B more",
            "ns to seal",
            "MB/s",
            "ns to open",
            "MB/s opened",
        ],
        rows,
    })
}
