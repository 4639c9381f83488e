//! Where the changes of a connection are, where a level waits for replicas.

use larder_engine::Tenant;
use larder_engine::below::Replication;

use crate::Context;

/// A command that may change something is about to be carried out.
pub(super) fn note_change(ctx: &mut Context<'_>) {
    let tenant = ctx.store.tenant();
    let short = || replication(tenant).map_or(0, |replication| replication.short);
    ctx.session.short_before.get_or_insert_with(short);
}

/// Whether what is on its way has to be waited for before it is known where it is. Has it be waited for before the request
/// is presented again.
pub(crate) fn awaits_replicas(ctx: &mut Context<'_>) -> bool {
    let below = ctx.store.tenant().below();
    let below = below.filter(|below| below.replication().is_some());
    let Some(below) = below.filter(|_| ctx.session.fetch.is_none()) else {
        return false;
    };
    let Some(settled) = below.settled() else {
        return false;
    };
    ctx.session.fetch.get_or_insert_default().room = Some(settled);
    true
}

/// How many replicas have all that the connection has changed since this was asked last: as many as were waited for, or
/// none where any change fell short since, another connection's even.
pub(crate) fn replicas_reached(ctx: &mut Context<'_>) -> u32 {
    let before = ctx.session.short_before.take();
    match replication(ctx.store.tenant()) {
        Some(now) if before.is_none_or(|before| before == now.short) => now.replicas,
        _ => 0,
    }
}

fn replication(tenant: &Tenant) -> Option<Replication> {
    tenant.below().and_then(|below| below.replication())
}
