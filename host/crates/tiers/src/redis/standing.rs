//! How the tier stands, and what is said of that.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use larder_engine::tier::{TierError, TierFigures};
use parking_lot::Mutex;
use redis::{RedisError, RedisResult, Value};
use tracing::{info, warn};

/// What Redis says where it refuses anything at the moment, or anything of this user. Older ones have it within the text of a
/// script's error.
const PASSING: [&str; 22] = [
    "OOM",
    "READONLY",
    "REDIRECT",
    "DENIED",
    "LOADING",
    "BUSY",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
    "MISCONF",
    "NOREPLICAS",
    "NOAUTH",
    "WRONGPASS",
    "MOVED",
    "ASK ",
    "NOSCRIPT",
    "channel",
    "to run",
    "run this command",
    "unknown command",
    "not allowed from script",
    "max number of clients",
];

/// What servers say while they change places, or begin.
const CHANGING: [&str; 6] = [
    "MOVED",
    "ASK",
    "CLUSTERDOWN",
    "MASTERDOWN",
    "READONLY",
    "LOADING",
];

/// For how long a replica that did not answer in time is not waited for as long again.
const SHORT_FOR: Duration = Duration::from_secs(1);

/// Whether Redis would refuse the same again, and not all else.
pub(super) fn is_for_good(error: &RedisError) -> bool {
    let Some(code) = error.code() else {
        return false;
    };
    let text = format!("{code} {}", error.detail().unwrap_or_default());
    !PASSING.iter().any(|word| text.contains(word))
}

/// Counters, and the trouble that there is.
#[derive(Default)]
pub(super) struct Standing {
    /// What the tier is called.
    place: String,
    pub(super) damaged: AtomicU64,
    errors: AtomicU64,
    pub(super) written_bytes: AtomicU64,
    pub(super) put_bytes: AtomicU64,
    /// Changes that came too late: what was there is newer.
    pub(super) overtaken: AtomicU64,
    /// Changes that not as many replicas have as was asked for.
    pub(super) unreplicated: AtomicU64,
    /// When that was so of the last ones.
    fell_short_at: Mutex<Option<Instant>>,
    /// Connections that broke or did not come about, and answers that it is another's turn.
    pub(super) breaks: AtomicU64,
    /// See [`larder_engine::tier::Tier::recoveries`].
    pub(super) recoveries: AtomicU64,
    /// Messages to others, and from others.
    pub(super) told: AtomicU64,
    pub(super) heard: AtomicU64,
    /// Times that some may have been missed.
    pub(super) losses: AtomicU64,
    /// What the last message to itself took.
    pub(super) delay_us: AtomicU64,
    /// Others that are heard.
    pub(super) hosts: AtomicU64,
    /// Whether nothing is heard at the moment.
    pub(super) is_deaf: AtomicBool,
    /// Whether it answered then when it was last asked.
    pub(super) answers: AtomicBool,
    /// Whether there is trouble.
    is_troubled: AtomicBool,
    trouble: Mutex<Option<String>>,
}

impl Standing {
    pub(super) fn new(place: &str) -> Self {
        Self {
            place: place.to_owned(),
            ..Self::default()
        }
    }

    /// Whether replicas did not have what was changed a moment ago.
    pub(super) fn falls_short(&self) -> bool {
        let at = *self.fell_short_at.lock();
        at.is_some_and(|at| at.elapsed() < SHORT_FOR)
    }

    /// So many replicas have what was changed, or it was not answered how many.
    pub(super) fn replicated(
        &self,
        reached: Option<RedisResult<Value>>,
        wanted: i64,
        changes: u64,
    ) {
        let is_reached = matches!(reached, Some(Ok(Value::Int(count))) if count >= wanted);
        *self.fell_short_at.lock() = (!is_reached).then(Instant::now);
        if !is_reached {
            self.unreplicated.fetch_add(changes, Relaxed);
        }
    }

    /// It answered.
    pub(super) fn works(&self) {
        if self.is_troubled.load(Relaxed) && self.trouble.lock().take().is_some() {
            self.is_troubled.store(false, Relaxed);
            info!("{} answers again", self.place);
        }
    }

    /// It did not, or not as it should; said once.
    pub(super) fn fails(&self, text: String) -> TierError {
        self.errors.fetch_add(1, Relaxed);
        let mut trouble = self.trouble.lock();
        if trouble.is_none() {
            warn!("{text}");
        }
        *trouble = Some(text.clone());
        self.is_troubled.store(true, Relaxed);
        TierError::Unavailable(text)
    }

    /// It answered, but refuses one thing: for now, or for good.
    pub(super) fn refuses(&self, error: &RedisError) -> TierError {
        let text = self.refusal(error);
        match is_for_good(error) {
            true => TierError::Refused(text),
            false => TierError::Unavailable(text),
        }
    }

    /// What is said of that.
    pub(super) fn refusal(&self, error: &RedisError) -> String {
        self.errors.fetch_add(1, Relaxed);
        if error.code().is_some_and(|code| CHANGING.contains(&code)) {
            self.breaks.fetch_add(1, Relaxed);
        }
        let mend = match error.code() {
            Some("OOM") => "raise its maxmemory, or let it evict (maxmemory-policy allkeys-lru)",
            Some("READONLY") => "name the primary",
            Some("NOPERM" | "NOAUTH") => {
                "let the user work on keys and channels that begin with the prefix"
            }
            _ if error.to_string().contains("invalid bulk length") => {
                "raise its proto-max-bulk-len"
            }
            _ => "look at its log",
        };
        format!("{} refuses: {error}; {mend}", self.place)
    }

    /// What stands under a key is nothing that was written here.
    pub(super) fn is_damaged(&self, reason: &str) -> TierError {
        self.damaged.fetch_add(1, Relaxed);
        let place = &self.place;
        TierError::Damaged(format!(
            "a value in {place} cannot be read as what was written: {reason}; it is removed"
        ))
    }

    /// For whoever shows them.
    pub(super) fn figures(&self) -> TierFigures {
        TierFigures {
            damaged: self.damaged.load(Relaxed),
            errors: self.errors.load(Relaxed),
            written_bytes: self.written_bytes.load(Relaxed),
            put_bytes: self.put_bytes.load(Relaxed),
            overtaken: self.overtaken.load(Relaxed),
            unreplicated: self.unreplicated.load(Relaxed),
            told: self.told.load(Relaxed),
            heard: self.heard.load(Relaxed),
            losses: self.losses.load(Relaxed),
            delay_us: self.delay_us.load(Relaxed),
            hosts: self.hosts.load(Relaxed),
            is_deaf: self.is_deaf.load(Relaxed),
            trouble: self.trouble.lock().clone(),
            ..TierFigures::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::{Value, parse_redis_value};

    use super::*;

    fn is_for_good_said(text: &str) -> bool {
        let value = parse_redis_value(text.as_bytes()).and_then(Value::extract_error);
        is_for_good(&value.expect_err("an error"))
    }

    #[test]
    fn what_may_come_of_any_change_is_passing_and_all_else_is_for_good() {
        for passing in [
            "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
            "-READONLY You can't write against a read only replica.\r\n",
            "-CLUSTERDOWN The cluster is down\r\n",
            "-MISCONF Errors writing to the AOF file\r\n",
            "-MOVED 1 127.0.0.1:1\r\n",
            "-NOREPLICAS Not enough good replicas to write.\r\n",
            "-REDIRECT 127.0.0.1:1\r\n",
            "-DENIED Redis is running in protected mode\r\n",
            "-BUSY Redis is busy running a script.\r\n",
            "-ERR max number of clients reached\r\n",
            "-ERR unknown command 'evalsha', with args beginning with: 'larder' \r\n",
            "-ERR This Redis command is not allowed from script\r\n",
            "-ERR The user executing the script can't run this command or subcommand\r\n",
            "-NOPERM this user has no permissions to run the 'evalsha' command\r\n",
            "-NOPERM this user has no permissions to access one of the channels used as arguments\r\n",
            "-ERR The user executing the script can't publish to the channel mentioned in the command\r\n",
            "-ERR Error running script: @user_script:5: -READONLY You can't write against a read only replica.\r\n",
        ] {
            assert!(!is_for_good_said(passing), "{passing}");
        }
        for own in [
            "-NOPERM this user has no permissions to access one of the keys used as arguments\r\n",
            "-ERR Protocol error: invalid bulk length\r\n",
            "-ERR max request size exceeded\r\n",
            "-ERR The user executing the script can't access at least one of the keys mentioned in the command arguments\r\n",
            "-ERR invalid expire time in 'set' command\r\n",
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        ] {
            assert!(is_for_good_said(own), "{own}");
        }
    }
}
