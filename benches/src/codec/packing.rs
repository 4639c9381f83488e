//! Compression of documents, beside zstd and LZ4 by themselves.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Result;
use larder_engine::Key;
use larder_engine::tier::{Stored, TierKey};
use larder_tiers::codec::Codec;
use larder_tiers::documents::{Documents, Topic};
use lz4_flex::block;
use zstd::bulk;

use super::{Options, WARM, codec, same};
use crate::Sample;
use crate::report::{Cell, Table};

/// One way to make a value small and large again.
enum Way {
    Zstd(bulk::Compressor<'static>, bulk::Decompressor<'static>),
    Lz4,
    Codec(Box<Codec>),
}

impl Way {
    fn pack(&mut self, stored: &Stored) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Zstd(compressor, _) => compressor.compress(&stored.value)?,
            Self::Lz4 => block::compress(&stored.value),
            Self::Codec(codec) => {
                let mut record = Vec::new();
                codec.encode(key(), stored, WARM, &mut record)?;
                record
            }
        })
    }

    fn unpack(&mut self, packed: &[u8], bytes: usize) -> Result<Vec<u8>> {
        Ok(match self {
            Self::Zstd(_, decompressor) => decompressor.decompress(packed, bytes)?,
            Self::Lz4 => block::decompress(packed, bytes)?,
            Self::Codec(codec) => codec.decode(key(), packed)?.value.into(),
        })
    }
}

fn key() -> TierKey<'static> {
    TierKey::new("default", Key::new(0, b"key"))
}

/// What is measured of a way.
struct Measured {
    name: &'static str,
    way: Way,
    bytes: usize,
    pack_ns: Sample,
    unpack_ns: Sample,
}

impl Measured {
    fn new(name: &'static str, way: Way) -> Self {
        Self {
            name,
            way,
            bytes: 0,
            pack_ns: Sample::default(),
            unpack_ns: Sample::default(),
        }
    }

    fn run(&mut self, documents: &[Stored]) -> Result<()> {
        let count = documents.len() as f64;
        let begun = Instant::now();
        let packed: Result<Vec<_>> = documents
            .iter()
            .map(|stored| self.way.pack(stored))
            .collect();
        self.pack_ns.add(begun.elapsed().as_nanos() as f64 / count);
        let packed = packed?;
        self.bytes = packed.iter().map(Vec::len).sum();
        let begun = Instant::now();
        for (packed, stored) in packed.iter().zip(documents) {
            black_box(self.way.unpack(packed, stored.value.len())?);
        }
        self.unpack_ns
            .add(begun.elapsed().as_nanos() as f64 / count);
        for (packed, stored) in packed.iter().zip(documents) {
            same(&self.way.unpack(packed, stored.value.len())?, &stored.value)?;
        }
        Ok(())
    }
}

fn documents(seed: u64, topic: Topic, count: u32) -> Vec<Stored> {
    let mut documents = Documents::new(seed);
    let one = |_| Stored {
        value: documents.make(topic).into(),
        expires_at: Some(1_795_338_000_000),
        ..Stored::default()
    };
    (0..count).map(one).collect()
}

/// A codec that was trained on documents of another seed, of all topics together, as clients that name no type have
/// it, or of one.
fn trained(options: &Options, topics: &[Topic]) -> Result<Codec> {
    let codec = codec(true, None);
    let of_topic = |topic: &Topic| documents(options.seed, *topic, options.documents.max(1100));
    let by_topic: Vec<_> = topics.iter().map(of_topic).collect();
    for at in 0..by_topic[0].len() {
        for documents in &by_topic {
            codec.encode(key(), &documents[at], WARM, &mut Vec::new())?;
        }
    }
    codec.train();
    Ok(codec)
}

pub(super) fn table(options: &Options) -> Result<Table> {
    let mut rows = Vec::new();
    for topic in Topic::ALL {
        let documents = documents(options.seed + 1, topic, options.documents);
        let bytes: usize = documents.iter().map(|stored| stored.value.len()).sum();
        let zstd = Way::Zstd(bulk::Compressor::new(3)?, bulk::Decompressor::new()?);
        let mut ways = [
            Measured::new("LZ4", Way::Lz4),
            Measured::new("zstd, level 3", zstd),
            Measured::new(
                "record, no dictionary",
                Way::Codec(Box::new(codec(true, None))),
            ),
            Measured::new(
                "record, dictionary of all topics",
                Way::Codec(Box::new(trained(options, &Topic::ALL)?)),
            ),
            Measured::new(
                "record, dictionary of its topic",
                Way::Codec(Box::new(trained(options, &[topic])?)),
            ),
        ];
        for _ in 0..options.runs {
            ways.iter_mut().try_for_each(|way| way.run(&documents))?;
        }
        rows.extend(ways.map(|way| {
            vec![
                Cell::text(topic.name()),
                Cell::Number(bytes as f64 / documents.len() as f64, 0),
                Cell::text(way.name),
                Cell::Number(way.bytes as f64 / documents.len() as f64, 0),
                Cell::Number(bytes as f64 / way.bytes as f64, 2),
                Cell::Number(way.pack_ns.median(), 0),
                Cell::Number(way.unpack_ns.median(), 0),
            ]
        }));
    }
    Ok(Table {
        title: format!(
            "Compression of {} documents of each topic, dictionaries trained on others; a record has its header and an expiry besides; medians of {} runs",
            options.documents, options.runs
        ),
        columns: &[
            "topic",
            "B",
            "way",
            "B left",
            "ratio",
            "ns to pack",
            "ns to unpack",
        ],
        rows,
    })
}
