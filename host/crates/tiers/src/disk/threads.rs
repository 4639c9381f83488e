//! The disk's own threads, and the bounded queues to them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Instant;

use larder_engine::Millis;
use larder_engine::tier::{Stored, TierChange, TierError, TierKeyBuf};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::reader::{Looked, Reader};
use super::survey::Surveyed;
use super::writer::{Order, Writer};

/// Threads that read what the page cache does not have.
const READERS: usize = 4;
/// Reads that may wait for them.
const READS_MAX: usize = 1024;
/// Batches that may wait for the writer. In good order there is one at a time.
const BATCHES_MAX: usize = 16;

type Read = Result<Option<Stored>, TierError>;
type Written = Vec<Result<(), TierError>>;

/// A read that waits for the disk.
struct Job {
    key: TierKeyBuf,
    now: Millis,
    answer: oneshot::Sender<Read>,
}

/// The ways to the threads, which end when this is gone.
pub(super) struct Threads {
    path: PathBuf,
    jobs: SyncSender<Job>,
    orders: SyncSender<Order>,
}

impl Threads {
    pub(super) fn start(path: PathBuf, reader: &Arc<Reader>, writer: Writer) -> io::Result<Self> {
        let (jobs, waiting) = sync_channel::<Job>(READS_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..READERS {
            let (reader, waiting) = (reader.clone(), waiting.clone());
            named(format!("larder-disk-r{number}"), move || {
                serve_reads(&reader, &waiting)
            })?;
        }
        let (orders, ordered) = sync_channel(BATCHES_MAX);
        named("larder-disk-w".into(), move || {
            serve_orders(writer, &ordered)
        })?;
        Ok(Self { path, jobs, orders })
    }

    pub(super) fn read(
        &self,
        key: TierKeyBuf,
        now: Millis,
    ) -> Result<oneshot::Receiver<Read>, TierError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.jobs.try_send(Job { key, now, answer });
        sent.map(|()| answered)
            .map_err(|error| self.refused(&error))
    }

    pub(super) fn write(
        &self,
        changes: Vec<TierChange>,
        now: Millis,
    ) -> Result<oneshot::Receiver<Written>, TierError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.orders.try_send(Order::Write(changes, now, answer));
        sent.map(|()| answered)
            .map_err(|error| self.refused(&error))
    }

    /// A step of a survey.
    pub(super) fn survey(
        &self,
        is_anew: bool,
        bytes: u64,
        now: Millis,
    ) -> Result<oneshot::Receiver<Surveyed>, TierError> {
        let (answer, answered) = oneshot::channel();
        let order = Order::Survey {
            is_anew,
            bytes,
            now,
            answer,
        };
        let sent = self.orders.try_send(order);
        sent.map(|()| answered)
            .map_err(|error| self.refused(&error))
    }

    /// `None` when it was closed before.
    pub(super) fn close(&self) -> Option<oneshot::Receiver<()>> {
        let (answer, answered) = oneshot::channel();
        self.orders
            .send(Order::Close(answer))
            .ok()
            .map(|()| answered)
    }

    /// The error of what asks after the end.
    pub(super) fn ended(&self) -> TierError {
        TierError::Unavailable(format!(
            "the disk tier in {} has ended; restart the server",
            self.path.display()
        ))
    }

    fn refused<T>(&self, error: &TrySendError<T>) -> TierError {
        match error {
            TrySendError::Full(_) => TierError::Unavailable(format!(
                "the disk tier in {} is asked for more than the disk can do",
                self.path.display()
            )),
            TrySendError::Disconnected(_) => self.ended(),
        }
    }
}

fn named(name: String, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name).spawn(run).map(drop)
}

fn serve_reads(reader: &Reader, waiting: &Mutex<Receiver<Job>>) {
    loop {
        // One waits for the next job, the others for the lock.
        let next = waiting.lock().recv();
        let Ok(Job { key, now, answer }) = next else {
            return;
        };
        if answer.is_closed() {
            continue;
        }
        if let Looked::Done(read) = reader.look(key.borrow(), now, false) {
            // Whoever asked may have given up.
            let _ = answer.send(read);
        }
    }
}

fn serve_orders(mut writer: Writer, ordered: &Receiver<Order>) {
    let mut synced = Instant::now();
    loop {
        let next = match writer.sync_every {
            Some(every) => ordered.recv_timeout(every.saturating_sub(synced.elapsed())),
            None => ordered.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(Order::Write(changes, now, answer)) => {
                // Whoever asked may have given up.
                let _ = answer.send(writer.apply(&changes, now));
            }
            Ok(Order::Survey {
                is_anew,
                bytes,
                now,
                answer,
            }) => {
                let _ = answer.send(writer.survey(is_anew, bytes, now));
            }
            Ok(Order::Close(answer)) => {
                writer.close();
                // The folder is another's to open before the answer comes.
                drop(writer);
                let _ = answer.send(());
                return;
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if writer
            .sync_every
            .is_some_and(|every| synced.elapsed() >= every)
        {
            writer.sync();
            synced = Instant::now();
        }
    }
}
