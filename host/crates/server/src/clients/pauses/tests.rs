use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, advance};

use super::{By, Pauses, lifted};
use crate::Shared;
use crate::testing::{config, parts};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn of_two_pauses_the_longer_and_stricter_holds_and_each_tenant_has_its_own() {
    let pauses = Pauses::new(2);
    assert_eq!(pauses.of(0), None);
    pauses.begin(By::Tenant, [0], 3 * SECOND, true);
    pauses.begin(By::Tenant, [0], SECOND, false);
    let pause = pauses.of(0).expect("it has begun");
    assert_eq!(pause.until - Instant::now(), 3 * SECOND);
    assert!(!pause.is_for_writes);
    assert_eq!(pauses.of(1), None);
    advance(3 * SECOND).await;
    assert_eq!(pauses.of(0), None);
    // What is over makes none stricter.
    pauses.begin(By::Tenant, 0..2, SECOND, true);
    assert!(pauses.of(0).expect("it has begun").is_for_writes);
    pauses.end(By::Tenant, [0]);
    assert_eq!(pauses.of(0), None);
    assert!(pauses.of(1).is_some());
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_goes_on_when_it_is_over_or_ended_and_not_before() {
    let shared = Arc::new(Shared::new(config(), parts()));
    lifted(shared.clone(), 0).await;
    shared.pauses.begin(By::Tenant, [0], 5 * SECOND, true);
    let began = Instant::now();
    lifted(shared.clone(), 0).await;
    assert!(began.elapsed() >= 5 * SECOND && shared.pauses.of(0).is_none());

    shared.pauses.begin(By::Tenant, [0], 5 * SECOND, true);
    let began = Instant::now();
    let waiting = tokio::spawn(lifted(shared.clone(), 0));
    tokio::time::sleep(SECOND).await;
    assert!(!waiting.is_finished());
    shared.pauses.end(By::Tenant, [0]);
    waiting.await.expect("it ends");
    assert_eq!(began.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn an_administrators_pause_is_not_for_a_tenant_to_end() {
    let pauses = Pauses::new(2);
    let is_for_writes = |tenant| pauses.of(tenant).map(|pause| pause.is_for_writes);
    pauses.begin(By::Admin, 0..2, 3 * SECOND, true);
    pauses.begin(By::Tenant, [0], SECOND, false);
    assert_eq!([0, 1].map(is_for_writes), [Some(false), Some(true)]);
    pauses.end(By::Tenant, [0]);
    assert_eq!(is_for_writes(0), Some(true));
    pauses.begin(By::Tenant, [0], SECOND, false);
    advance(SECOND).await;
    assert_eq!(is_for_writes(0), Some(true), "each has a time of its own");
    pauses.begin(By::Tenant, [0], SECOND, false);
    pauses.end(By::Admin, 0..2);
    assert_eq!([0, 1].map(is_for_writes), [None, None]);
}
