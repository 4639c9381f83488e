//! The `[predict]`: what is fetched before anybody asks for it.

use std::time::Duration;

use super::declared::SIZE_MAX;
use super::kinds::{Size, Switch, Time, Whole};
use super::reader::Reader;
use super::{ByteSize, Predict};
use crate::predict::MEMORY_MIN;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

pub(super) fn read(reader: &mut Reader<'_>) -> Predict {
    let enabled = reader.read(
        "predict.enabled",
        "false",
        Switch,
        "What will be asked for next is learnt, and fetched from the slower levels and loaders before",
    );
    let memory = reader.read(
        "predict.memory",
        "32MiB",
        Size(MEMORY_MIN..=ByteSize::mib(4_096)),
        "Memory for that and what trainings take, beside memory: 24MiB a tenant at least, those with most memory first, others go without",
    );
    let interval = reader.read(
        "predict.interval",
        "60s",
        Time(SECOND..=HOUR),
        "How often a model is trained",
    );
    let min_data_points = reader.read(
        "predict.min_data_points",
        "1000",
        Whole(100..=1_000_000),
        "Candidates of which has to be known what became of them before one is trained",
    );
    let horizon = reader.read(
        "predict.horizon",
        "5s",
        Time(SECOND..=HOUR),
        "How far ahead it looks at most: what was fetched and nobody asked for goes then",
    );
    let (fetches_per_second, bytes_per_second, share_percent) = budget(reader);
    let accesses_per_second = reader.read(
        "predict.accesses_per_second",
        "4000",
        Whole(100..=1_000_000),
        "Accesses of a tenant that are looked at in a second at most: so much processor time it may take",
    );
    let shared = reader.read(
        "predict.shared",
        "false",
        Switch,
        "Whether one model learns from all tenants: their keys stay their own, how those come again does not",
    );
    Predict {
        enabled,
        memory,
        interval,
        min_data_points,
        horizon,
        fetches_per_second,
        bytes_per_second,
        share_percent,
        // Within its bounds.
        accesses_per_second: accesses_per_second as u32,
        shared,
    }
}

/// Keys and bytes that are fetched in a second, and the part of the memory that they may take.
fn budget(reader: &mut Reader<'_>) -> (u32, ByteSize, u64) {
    let fetches_per_second = reader.read(
        "predict.fetches_per_second",
        "1000",
        Whole(1..=1_000_000),
        "Keys of a tenant that are fetched in a second at most",
    );
    let bytes_per_second = reader.read(
        "predict.bytes_per_second",
        "64MiB",
        Size(ByteSize::new(1 << 10)..=SIZE_MAX),
        "Bytes of a tenant that are fetched in a second at most",
    );
    let share_percent = reader.read(
        "predict.share_percent",
        "10",
        Whole(1..=50),
        "Part of a tenant's memory that may wait to be asked for",
    );
    // Within their bounds.
    (fetches_per_second as u32, bytes_per_second, share_percent)
}
