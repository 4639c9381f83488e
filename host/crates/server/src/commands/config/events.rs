//! `notify-keyspace-events`.

use std::sync::atomic::Ordering;

use super::settings::Step;
use crate::Context;
use crate::onlookers::{KeyspaceEvents, set_events};

/// Which events are told, in the letters of Redis.
pub(super) fn read(ctx: &Context<'_>) -> String {
    let told = ctx.shared.tuning.keyspace_events.load(Ordering::Relaxed);
    KeyspaceEvents(told).to_string()
}

pub(super) fn change(_ctx: &Context<'_>, text: &str) -> Result<Step, String> {
    let events = KeyspaceEvents::parse(text)
        .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
    Ok(Box::new(move |shared| {
        set_events(&shared.tuning.keyspace_events, &shared.engine, events);
    }))
}
