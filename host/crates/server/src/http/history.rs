//! What happened to the policies since the server started: looked at once a second, so what was different
//! for less than that may be missing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use larder_engine::{Millis, PolicyRow, PolicyRuntime};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval};

use super::api::{Api, page};
use super::problem::Answer;
use super::text::Query;
use crate::User;

/// Events that are kept; the oldest go.
const EVENTS_MAX: usize = 256;
/// How often the policies are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What happened, the latest first.
#[derive(Default)]
pub(super) struct History(Mutex<VecDeque<Event>>);

struct Event {
    at_ms: Millis,
    policy: String,
    tenant: String,
    state: &'static str,
    why: String,
    digest: String,
}

impl Event {
    fn json(&self) -> Value {
        json!({
            "at_ms": self.at_ms,
            "policy": self.policy,
            "state": self.state,
            "why": self.why,
            "digest": self.digest,
        })
    }
}

impl History {
    fn push(&self, event: Event) {
        let mut events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        events.truncate(EVENTS_MAX - 1);
        events.push_front(event);
    }

    /// What concerns policies that `user` may know of.
    fn json(&self, user: &User) -> Vec<Value> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |event: &&Event| user.knows_policies_of(&event.tenant);
        events.iter().filter(known).map(Event::json).collect()
    }
}

/// How the policies stood when they were last looked at: state and digest by name, file and tenant.
#[derive(Default)]
struct Known(HashMap<[String; 3], (&'static str, String)>);

impl Known {
    /// Takes note of what is different now.
    fn look(&mut self, rows: &[PolicyRow], now: Millis, history: &History) {
        let mut before = std::mem::take(&mut self.0);
        for row in rows {
            let id = [&row.name, &row.file, &row.tenant].map(Clone::clone);
            let stands = (row.state.name(), row.digest.clone());
            let is_same = match before.remove(&id) {
                Some(stood) => stood == stands,
                // Native ones were there before anybody looked.
                None => row.runtime == PolicyRuntime::Native,
            };
            if !is_same {
                history.push(Event {
                    at_ms: now,
                    policy: row.name.clone(),
                    tenant: row.tenant.clone(),
                    state: stands.0,
                    why: row.why.clone(),
                    digest: row.digest.clone(),
                });
            }
            self.0.insert(id, stands);
        }
        for [policy, file, tenant] in before.into_keys() {
            // Whom it is for is not known while it is loaded.
            let is_there = |row: &PolicyRow| row.name == policy && row.file == file;
            if rows.iter().any(is_there) {
                continue;
            }
            history.push(Event {
                at_ms: now,
                policy,
                tenant,
                state: "removed",
                why: format!("{file} is gone"),
                digest: String::new(),
            });
        }
    }
}

/// Looks at the policies for as long as the server runs.
pub(super) async fn watch(api: Arc<Api>) {
    let mut known = Known::default();
    let mut looks = interval(LOOK);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        known.look(&api.shared.policies.list(), api.shared.now(), &api.history);
    }
}

pub(super) async fn list(State(api): State<Arc<Api>>, request: Request) -> Answer {
    Query::new(request.uri().query(), &[])?;
    let caller = api.caller(request.extensions())?;
    api.call(&caller, &[b"POLICY", b"LIST"]).await?;
    Ok(page(&json!({ "events": api.history.json(caller.user()) })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Shared, testing};
    use larder_engine::decision::Kinds;
    use larder_engine::{PolicyFigures, PolicyState};

    fn admin() -> Arc<User> {
        let shared = Shared::new(testing::config(), testing::parts());
        shared.users.default_user().unwrap()
    }

    fn row(name: &str, runtime: PolicyRuntime, state: PolicyState) -> PolicyRow {
        PolicyRow {
            name: name.into(),
            file: format!("{name}.wasm"),
            runtime,
            kinds: Kinds::default(),
            tenant: "*".into(),
            keys: "*".into(),
            state,
            why: "because".into(),
            version: String::new(),
            digest: "d".into(),
            loaded_ms: 0,
            parameters: Vec::new(),
            has_previous: false,
            figures: PolicyFigures::default(),
        }
    }

    #[test]
    fn what_changes_is_told_once_and_what_goes_is_told() {
        let (history, mut known) = (History::default(), Known::default());
        let native = row("lru", PolicyRuntime::Native, PolicyState::Active);
        let gate = |state| row("gate", PolicyRuntime::Wasm, state);
        known.look(&[native.clone(), gate(PolicyState::Loading)], 1, &history);
        known.look(&[native.clone(), gate(PolicyState::Loading)], 2, &history);
        let for_one = |state| PolicyRow {
            tenant: "default".into(),
            ..gate(state)
        };
        known.look(&[native.clone(), for_one(PolicyState::Active)], 3, &history);
        known.look(&[native], 4, &history);
        let told: Vec<_> = history
            .json(&admin())
            .iter()
            .map(|event| format!("{} {} {}", event["at_ms"], event["policy"], event["state"]))
            .collect();
        assert_eq!(
            told,
            [
                "4 \"gate\" \"removed\"",
                "3 \"gate\" \"active\"",
                "1 \"gate\" \"loading\""
            ]
        );
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many() {
        let (history, mut known) = (History::default(), Known::default());
        for at in 0..EVENTS_MAX as u64 + 10 {
            let state = [PolicyState::Active, PolicyState::Failing][at as usize % 2];
            known.look(&[row("gate", PolicyRuntime::Wasm, state)], at, &history);
        }
        let events = history.json(&admin());
        assert_eq!(
            (events.len(), &events[255]["at_ms"]),
            (EVENTS_MAX, &json!(10))
        );
    }
}
