//! Reads: those that come while others are under way are asked for together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use larder_engine::tier::TierError;
use redis::{Cmd, RedisResult, Value, cmd};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::lane::Lane;
use super::standing::{Standing, is_for_good};

/// Keys that are asked for together.
const TOGETHER_MAX: usize = 128;
/// Bytes that are asked for together, by the mean of what came.
const TOGETHER_BYTES: usize = 8 << 20;
/// Of the mean, the newest counts for one in so many.
const MEAN_OF: usize = 16;
/// Reads that may wait to be asked for.
const WAITING_MAX: usize = 4096;

/// What stands under a name: nothing, or these bytes. What is no string has none.
type Answer = Result<Option<Vec<u8>>, TierError>;

struct Asked {
    name: Vec<u8>,
    answer: oneshot::Sender<Answer>,
}

/// Where reads go to.
pub(super) struct Reads {
    asked: mpsc::Sender<Asked>,
    waiting: Mutex<mpsc::Receiver<Asked>>,
    mean_bytes: AtomicUsize,
    /// Keys that may be asked for together: half as many after a time that failed, as they may have been too large for one,
    /// twice as many after one that went well.
    together: AtomicUsize,
}

impl Reads {
    pub(super) fn new() -> Self {
        let (asked, waiting) = mpsc::channel(WAITING_MAX);
        Self {
            asked,
            waiting: Mutex::new(waiting),
            mean_bytes: AtomicUsize::new(0),
            together: AtomicUsize::new(TOGETHER_MAX),
        }
    }

    /// What a value has lately, as a rule.
    pub(super) fn mean_bytes(&self) -> usize {
        self.mean_bytes.load(Relaxed)
    }

    /// What stands under a name; `None` where nobody reads any more.
    pub(super) async fn ask(&self, name: Vec<u8>) -> Option<Answer> {
        let (answer, answered) = oneshot::channel();
        self.asked.send(Asked { name, answer }).await.ok()?;
        answered.await.ok()
    }

    /// Reads over one lane, for ever. Several may do so at once.
    pub(super) async fn serve(
        self: Arc<Self>,
        lane: Lane,
        standing: Arc<Standing>,
        is_cluster: bool,
    ) {
        let mut round = Vec::new();
        loop {
            let mean_bytes = self.mean_bytes();
            let together = (TOGETHER_BYTES / mean_bytes.max(1)).min(self.together.load(Relaxed));
            self.waiting
                .lock()
                .await
                .recv_many(&mut round, together.max(1))
                .await;
            // Nobody waits any more for what took too long.
            round.retain(|asked| !asked.answer.is_closed());
            if round.is_empty() {
                continue;
            }
            let names: Vec<_> = round.iter().map(|asked| &*asked.name).collect();
            let bytes = mean_bytes * names.len();
            let answers = match is_cluster {
                true => lane.send(&gets(&names), bytes).await,
                false => read_all(&lane, &names, bytes).await,
            };
            match answers {
                Ok(answers) => {
                    let more = 2 * self.together.load(Relaxed);
                    self.together.store(more.min(TOGETHER_MAX), Relaxed);
                    for (asked, answer) in round.drain(..).zip(answers) {
                        // Who asked may have gone.
                        let _ = asked.answer.send(self.taken(answer, &standing));
                    }
                }
                Err(error) => {
                    self.together.store((round.len() / 2).max(1), Relaxed);
                    for asked in round.drain(..) {
                        // Likewise.
                        let _ = asked.answer.send(Err(error.clone()));
                    }
                }
            }
        }
    }

    fn taken(&self, answer: RedisResult<Value>, standing: &Standing) -> Answer {
        match answer {
            Ok(Value::BulkString(bytes)) => {
                let mean = self.mean_bytes.load(Relaxed);
                let mean = mean - mean / MEAN_OF + bytes.len() / MEAN_OF;
                self.mean_bytes.store(mean, Relaxed);
                Ok(Some(bytes))
            }
            Ok(_) => Ok(None),
            Err(error) if error.code() == Some("WRONGTYPE") => Ok(Some(Vec::new())),
            Err(error) => Err(standing.refuses(&error)),
        }
    }
}

/// Asks one server for all names at once; for each by itself where it refuses one of them.
async fn read_all(
    lane: &Lane,
    names: &[&[u8]],
    bytes: usize,
) -> Result<Vec<RedisResult<Value>>, TierError> {
    let answers = lane.send(&[get_all(names)], bytes).await?;
    match answers.first() {
        Some(Err(error)) if names.len() > 1 && is_for_good(error) => {
            lane.send(&gets(names), bytes).await
        }
        _ => Ok(apart(answers, names.len())),
    }
}

fn gets(names: &[&[u8]]) -> Vec<Cmd> {
    let get = |name: &&[u8]| {
        let mut get = cmd("GET");
        get.arg(*name);
        get
    };
    names.iter().map(get).collect()
}

/// One command for all names; MGET passes over what is no string.
fn get_all(names: &[&[u8]]) -> Cmd {
    let mut get = cmd(if names.len() == 1 { "GET" } else { "MGET" });
    for name in names {
        get.arg(*name);
    }
    get
}

/// The answer to [`get_all`] as answers to [`gets`].
fn apart(answers: Vec<RedisResult<Value>>, count: usize) -> Vec<RedisResult<Value>> {
    let Some(answer) = answers.into_iter().next() else {
        return Vec::new();
    };
    match answer {
        Ok(Value::Array(each)) => each.into_iter().map(Ok).collect(),
        Err(error) => vec![Err(error); count],
        one => vec![one],
    }
}
