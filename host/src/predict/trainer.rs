//! The thread that trains models, one at a time, and keeps them in files.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use larder_predict::{Model, ModelError, Trained, Training};
use tracing::warn;

use super::{TRAINING_NICENESS, step_back};
use crate::private_file;

/// The folder of models within the data folder.
const FOLDER: &str = "predict";

/// No model is larger: 16 trees of 255 branches at most take a tenth of it.
const MODEL_BYTES_MAX: u64 = 16 << 20;

/// How a model is trained.
pub(super) type Train = fn(&Training) -> Result<Trained, ModelError>;

/// A model to be trained.
struct Order {
    /// Whose it is.
    number: usize,
    training: Training,
}

/// A training that has ended.
pub(super) struct Ended {
    /// Whose it was.
    pub(super) number: usize,
    pub(super) trained: Result<Trained, ModelError>,
    pub(super) took_ms: u64,
}

/// See the module. A training cannot be cut short: when this is dropped, one that goes on ends with the process.
pub(super) struct Trainer {
    orders: SyncSender<Order>,
    ended: Receiver<Ended>,
}

impl Trainer {
    /// For so many models as there are files, each trained that way.
    pub(super) fn start(files: Vec<PathBuf>, way: Train) -> io::Result<Self> {
        // Each has one going on at most.
        let (orders, ordered) = sync_channel(files.len());
        let (ends, ended) = sync_channel(files.len());
        let thread = thread::Builder::new().name("larder-train".into());
        thread.spawn(move || train(&ordered, &ends, &files, way))?;
        Ok(Self { orders, ended })
    }

    /// Has a model be trained. Whether that will be.
    pub(super) fn order(&self, number: usize, training: Training) -> bool {
        self.orders.try_send(Order { number, training }).is_ok()
    }

    /// One that has ended.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.try_recv().ok()
    }
}

fn train(orders: &Receiver<Order>, ends: &SyncSender<Ended>, files: &[PathBuf], way: Train) {
    step_back(TRAINING_NICENESS);
    for Order { number, training } in orders {
        let began = Instant::now();
        // One that panics concerns no other.
        let trained = catch_unwind(AssertUnwindSafe(|| way(&training))).unwrap_or_else(|_| {
            let text = "it panicked; the log says where, please report it";
            Err(ModelError::Fit(text.to_owned()))
        });
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if let (Ok(trained), Some(file)) = (&trained, files.get(number))
            && let Err(error) = save(file, trained.model())
        {
            warn!(file = %file.display(), "a model is not kept: {error}; it will be trained anew after a restart");
        }
        let ended = Ended {
            number,
            trained,
            took_ms,
        };
        if ends.send(ended).is_err() {
            return;
        }
    }
}

/// Where the model of all tenants is kept.
pub(super) fn shared_file(data: &Path) -> PathBuf {
    // Not the name of a tenant's.
    data.join(FOLDER).join("shared-model")
}

/// Where the model of a tenant is kept.
pub(super) fn file_of(data: &Path, tenant: &str) -> PathBuf {
    data.join(FOLDER).join(format!("{tenant}.model"))
}

/// Keeps a model.
pub(super) fn save(file: &Path, model: &Model) -> io::Result<()> {
    let bytes = model.to_bytes().map_err(io::Error::other)?;
    private_file::replace(file, &bytes)
}

/// The model that was kept, and when. One that is no good is named and left alone: the next one takes its place.
pub(super) fn load(file: &Path) -> Option<(Model, SystemTime)> {
    let bytes = match private_file::read(file, MODEL_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            warn!(file = %file.display(), "the model of the last run cannot be read: {error}");
            return None;
        }
    };
    let model = Model::from_bytes(&bytes);
    if let Err(error) = &model {
        warn!(file = %file.display(), "the model of the last run is left out: {error}");
    }
    let kept = fs::metadata(file).and_then(|found| found.modified());
    Some((model.ok()?, kept.unwrap_or(UNIX_EPOCH)))
}
