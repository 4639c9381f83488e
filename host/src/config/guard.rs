//! What is asked of a level, for how long, and what becomes of writes while it is away: `l2_timeout` and others.

use std::time::Duration;

use larder_tiers::{BreakerConfig, GuardConfig, LevelConfig, Overflow};

use super::ByteSize;
use super::kinds::{Choice, Size, Switch, Time, Whole};
use super::reader::Reader;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

const OVERFLOW: Choice<Overflow> = Choice {
    words: &[("drop", Overflow::Drop), ("fail", Overflow::Fail)],
    note: "",
};

/// The settings of one level.
pub(super) struct Keys {
    timeout: &'static str,
    required: &'static str,
    retries: &'static str,
    failures: &'static str,
    recovery: &'static str,
    successes: &'static str,
    queue: &'static str,
    overflow: &'static str,
}

pub(super) const L2: Keys = Keys {
    timeout: "l2_timeout",
    required: "l2_required",
    retries: "l2_max_retry_attempts",
    failures: "l2_failure_threshold",
    recovery: "l2_recovery_timeout",
    successes: "l2_success_threshold",
    queue: "l2_queue",
    overflow: "l2_overflow",
};

pub(super) const L3: Keys = Keys {
    timeout: "l3_timeout",
    required: "l3_required",
    retries: "l3_max_retry_attempts",
    failures: "l3_failure_threshold",
    recovery: "l3_recovery_timeout",
    successes: "l3_success_threshold",
    queue: "l3_queue",
    overflow: "l3_overflow",
};

pub(super) fn read(reader: &mut Reader<'_>, keys: &Keys) -> LevelConfig {
    let deadline = reader.read(
        keys.timeout,
        "500ms",
        Time(MS..=HOUR),
        "How long a read of the level may take, and those who write wait for it",
    );
    let is_required = reader.read(
        keys.required,
        "false",
        Switch,
        "Whether the server starts, and is ready, only where the level can be used",
    );
    let retries = reader.read(
        keys.retries,
        "3",
        Whole(0..=100),
        "How often what failed there is tried again within that time",
    );
    let breaker = breaker(reader, keys);
    let queue = reader.read(
        keys.queue,
        "16MiB",
        Size(ByteSize::mib(1)..=ByteSize::mib(16 << 10)),
        "Memory for changes on their way to the level, and those that wait while it is away",
    );
    let overflow = reader.read(
        keys.overflow,
        "drop",
        OVERFLOW,
        "What becomes of writes when as much waits for a level that is away as may",
    );
    LevelConfig {
        guard: GuardConfig {
            deadline,
            retries: retries as u32,
            breaker,
        },
        queue_bytes_max: queue.bytes(),
        overflow,
        is_required,
    }
}

fn breaker(reader: &mut Reader<'_>, keys: &Keys) -> BreakerConfig {
    let failures = reader.read(
        keys.failures,
        "5",
        Whole(1..=10_000),
        "Failures in a row after which the level is not asked any more",
    );
    let recovery_timeout = reader.read(
        keys.recovery,
        "30s",
        Time(MS * 10..=HOUR),
        "How long it is not asked then, before a few try again",
    );
    let successes = reader.read(
        keys.successes,
        "3",
        Whole(1..=1_000),
        "Successes in a row after which it is asked by all again",
    );
    BreakerConfig {
        failure_threshold: failures as u32,
        recovery_timeout,
        success_threshold: successes as u32,
    }
}
