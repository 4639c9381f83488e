//! What the codec counts: what was compressed how, what was sealed, opened and found damaged.

use larder_observe::{Snapshot, metrics as m};
use larder_tiers::codec::{Damage, Figures, Flow, KindFigures};

use crate::upkeep::Upkeep;

/// Types that values are told apart by where their client names none; all others are `declared`.
const TYPES: [&str; 4] = ["json", "text", "packed", "binary"];
const DECLARED: &str = "declared";
const ALGORITHMS: [&str; 4] = ["plain", "zstd", "dictionary", "lz4"];

pub(super) fn add(snapshot: &mut Snapshot, upkeep: &Upkeep) {
    let figures = upkeep.codec().figures();
    add_flows(snapshot, &figures);
    add_left_alone(snapshot, &figures);
    snapshot.set(&m::CODEC_PACKED, &[], figures.packed.records);
    snapshot.set(&m::CODEC_PACKED_INPUT, &[], figures.packed.bytes_in);
    snapshot.set(&m::CODEC_PACKED_OUTPUT, &[], figures.packed.bytes_out);
    snapshot.set(&m::CODEC_SEALED, &[], figures.sealed);
    snapshot.set(&m::CODEC_OPENED, &[], figures.opened);
    for (kind, count) in Damage::KINDS.iter().zip(figures.damaged) {
        snapshot.set(&m::CODEC_DAMAGED, &[kind], count);
    }
    snapshot.set(&m::CODEC_DICTIONARIES, &[], figures.dictionaries as u64);
    snapshot.set(&m::CODEC_MEMORY, &[], figures.memory_bytes as u64);
    let looked = upkeep.looked();
    snapshot.set(&m::CODEC_SURVEYS, &[], looked.surveys);
    snapshot.set(&m::CODEC_SURVEY_LEFT, &[], looked.left_bytes);
    for (key, state, entries) in looked.entries {
        let key = key.map(|key| key.to_string()).unwrap_or_default();
        snapshot.set(&m::KEY_ENTRIES, &[&key, state.name()], entries);
    }
    for (result, count) in ["taken", "refused"].iter().zip(upkeep.rings()) {
        snapshot.set(&m::KEY_RING_CHANGES, &[result], count);
    }
}

/// Tenants together, as labels have to be few.
fn add_flows(snapshot: &mut Snapshot, figures: &Figures) {
    for data_type in TYPES.into_iter().chain([DECLARED]) {
        let is_of_type = |kind: &&KindFigures| class(&kind.data_type) == data_type;
        let mut flows = [Flow::default(); ALGORITHMS.len()];
        for kind in figures.kinds.iter().filter(is_of_type) {
            let more = [kind.plain, kind.zstd, kind.dictionary, kind.lz4];
            for (flow, more) in flows.iter_mut().zip(more) {
                flow.records += more.records;
                flow.bytes_in += more.bytes_in;
                flow.bytes_out += more.bytes_out;
            }
        }
        for (algorithm, flow) in ALGORITHMS.iter().zip(flows) {
            for (metric, value) in [
                (m::CODEC_RECORDS, flow.records),
                (m::CODEC_INPUT, flow.bytes_in),
                (m::CODEC_OUTPUT, flow.bytes_out),
            ] {
                snapshot.set(&metric, &[data_type, algorithm], value);
            }
        }
    }
}

fn class(data_type: &str) -> &str {
    match TYPES.contains(&data_type) {
        true => data_type,
        false => DECLARED,
    }
}

fn add_left_alone(snapshot: &mut Snapshot, figures: &Figures) {
    let sum = |of: fn(&KindFigures) -> u64| figures.kinds.iter().map(of).sum();
    for (reason, records) in [
        ("off", sum(|kind| kind.left_alone.off)),
        ("small", sum(|kind| kind.left_alone.small)),
        ("resting", sum(|kind| kind.left_alone.resting)),
        ("in_vain", sum(|kind| kind.left_alone.in_vain)),
    ] {
        snapshot.set(&m::CODEC_LEFT_ALONE, &[reason], records);
    }
}
