//! Emptying a database in steps between which others are served. What was begun comes to its end whoever is
//! still there to hear of it: else those who keep values of their own would never be told of those that went.

use std::sync::Arc;

use larder_engine::{FlushCursor, Tenant};
use tokio::task::{JoinHandle, spawn, yield_now};

use crate::fetch::Told;
use crate::meter::Paced;
use crate::order::Done;
use crate::{Session, Shared};

/// What it took, which is still to be accounted for by whoever waits, and what is to be said.
pub(crate) type Emptied = (Paced, Done);

/// Begins to empty a database of a session's tenant, or all.
pub(crate) fn begin(
    shared: &Arc<Shared>,
    session: &Session,
    db: Option<u8>,
) -> JoinHandle<Emptied> {
    let name: &[u8] = match db {
        Some(_) => b"FLUSHDB",
        None => b"FLUSHALL",
    };
    let step = move |tenant: &Tenant, at| Ok(tenant.flush(db, at));
    steps(shared, session, Paced::new([name]), step)
}

/// Begins to remove what begins so in the database that a session has selected.
pub(crate) fn begin_prefix(
    shared: &Arc<Shared>,
    session: &Session,
    prefix: Vec<u8>,
) -> JoinHandle<Emptied> {
    let db = session.db;
    let paced = Paced::new([&b"CACHE.INVALIDATE"[..], b"PREFIX", &prefix]);
    let step = move |tenant: &Tenant, at| {
        let next = tenant.flush_prefix(db, &prefix, at);
        next.map_err(|error| error.to_string())
    };
    steps(shared, session, paced, step)
}

/// Where to go on, or why it was not begun.
type Next = Result<Option<FlushCursor>, String>;

fn steps(
    shared: &Arc<Shared>,
    session: &Session,
    mut paced: Paced,
    step: impl Fn(&Tenant, FlushCursor) -> Next + Send + 'static,
) -> JoinHandle<Emptied> {
    let (shared, tenant) = (Arc::clone(shared), Arc::clone(&session.tenant));
    spawn(async move {
        let mut at = Some(FlushCursor::default());
        while let Some(cursor) = at {
            let told = Told::now(&tenant);
            at = match paced.step(&shared, || step(&tenant, cursor)) {
                Ok(next) => next,
                Err(why) => return (paced, Err(why)),
            };
            match told.settled(&tenant) {
                Some(settled) => settled.await,
                None => yield_now().await,
            }
        }
        (paced, Ok(()))
    })
}
