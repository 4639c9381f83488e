//! What prediction does for a tenant.

use larder_engine::Tenant;
use larder_engine::foresight::Prediction;
use larder_observe::{Snapshot, metrics as m};
use larder_server::Shared;

pub(super) fn add(snapshot: &mut Snapshot, shared: &Shared, tenant: &Tenant) {
    let (prediction, name) = (shared.prediction(tenant), tenant.name());
    let state = if prediction.is_on { "on" } else { "off" };
    snapshot.set(&m::PREDICTION, &[name, state], 1);
    for (metric, value) in [
        (m::PREDICTION_FETCHED, prediction.ahead.fetched),
        (m::PREDICTION_USED, prediction.ahead.used),
        (m::PREDICTION_WASTED, prediction.ahead.wasted),
        (m::PREDICTION_ASKED, prediction.asked),
        (m::PREDICTION_PLANNED, prediction.planned),
        (m::PREDICTION_HEARD, prediction.heard),
        (m::PREDICTION_UNHEARD, prediction.unheard),
        (m::PREDICTION_TRAINED, prediction.trained),
        (m::PREDICTION_FAILED_TRAININGS, prediction.failed_trainings),
        (m::PREDICTION_BYTES, prediction.ahead.bytes),
        (m::PREDICTION_MEMORY, prediction.memory_bytes),
    ] {
        snapshot.set(&metric, &[name], value);
    }
    for (reason, count) in Prediction::UNDONE.iter().zip(prediction.undone) {
        snapshot.set(&m::PREDICTION_UNDONE, &[name, reason], count);
    }
    let seconds = |ms: u64| ms as f64 / 1e3;
    let training = seconds(prediction.training_ms);
    snapshot.set_float(&m::PREDICTION_TRAINING, &[name], training);
    let age = seconds(prediction.model_age_ms.unwrap_or(0));
    snapshot.set_float(&m::PREDICTION_AGE, &[name], age);
}
