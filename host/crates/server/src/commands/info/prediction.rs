//! What is fetched before anybody asks for it.

use larder_engine::foresight::Prediction;

use super::sections::{Figures, Lines, line};

/// How prediction stands for the connection's tenant. Its counters go on through CONFIG RESETSTAT: what was learnt does.
pub(super) fn lines(figures: &Figures<'_>) -> Lines {
    let prediction = figures.shared.prediction(&figures.session.tenant);
    let named = |(name, value): (&str, String)| match name {
        "state" => line("prediction", value),
        // Clients take what has commas or equals signs in it for a list or a map.
        "why" => line("prediction_why", value.replace(',', ";").replace('=', ":")),
        name => line(format!("prediction_{name}"), value),
    };
    fields(&prediction).into_iter().map(named).collect()
}

/// All there is to tell of it: names and values.
pub(in crate::commands) fn fields(prediction: &Prediction) -> Vec<(&'static str, String)> {
    let undone = Prediction::UNDONE.iter().zip(prediction.undone);
    let undone: Vec<_> = undone
        .map(|(why, count)| format!("{why}={count}"))
        .collect();
    let share = |share: f64| format!("{share:.3}");
    let age_ms = prediction.model_age_ms.map_or(-1, |age| age as i64);
    let field = |name, value: &dyn ToString| (name, value.to_string());
    vec![
        field("state", &if prediction.is_on { "on" } else { "off" }),
        field("why", &prediction.why),
        field("fetched", &prediction.ahead.fetched),
        field("used", &prediction.ahead.used),
        field("wasted", &prediction.ahead.wasted),
        field("bytes", &prediction.ahead.bytes),
        field("precision", &share(prediction.precision())),
        field("recall", &share(prediction.recall())),
        field("coverage", &share(prediction.coverage())),
        field("asked", &prediction.asked),
        field("planned", &prediction.planned),
        field("undone", &undone.join(",")),
        field("heard", &prediction.heard),
        field("unheard", &prediction.unheard),
        field("trained", &prediction.trained),
        field("failed_trainings", &prediction.failed_trainings),
        field("training_ms", &prediction.training_ms),
        field("model_age_ms", &age_ms),
        field("memory", &prediction.memory_bytes),
    ]
}
