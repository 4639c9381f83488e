//! Emptying a database in steps between which others are served. What was begun comes to its end whoever is
//! still there to hear of it: else those who keep values of their own would never be told of those that went.

use std::sync::Arc;

use larder_engine::{FlushCursor, Tenant};
use tokio::task::{JoinHandle, spawn, yield_now};

use crate::Shared;
use crate::fetch::Told;
use crate::meter::Paced;

/// Begins to empty a database, or all; what it took is still to be accounted for by whoever waits.
pub(crate) fn begin(shared: Arc<Shared>, tenant: Arc<Tenant>, db: Option<u8>) -> JoinHandle<Paced> {
    let name: &[u8] = match db {
        Some(_) => b"FLUSHDB",
        None => b"FLUSHALL",
    };
    let mut paced = Paced::new([name]);
    spawn(async move {
        let mut at = Some(FlushCursor::default());
        while let Some(cursor) = at {
            let told = Told::now(&tenant);
            at = paced.step(&shared, || tenant.flush(db, cursor));
            match told.settled(&tenant) {
                Some(settled) => settled.await,
                None => yield_now().await,
            }
        }
        paced
    })
}
