//! What HTTP has counted since the server started.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::StatusCode;

use crate::stats::bump;

/// What HTTP has counted since the server started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HttpTotals {
    /// Connections open now.
    pub connections: u64,
    /// Responses by the first digit of their status, from 1.
    pub responses: [u64; 5],
    /// Requests that were turned away for where they came from: another host's name, another site's page.
    pub refused: u64,
    /// Bytes read.
    pub input_bytes: u64,
    /// Bytes written.
    pub output_bytes: u64,
}

/// The counters behind [`HttpTotals`].
#[derive(Default)]
pub(crate) struct Figures {
    connections: AtomicU64,
    responses: [AtomicU64; 5],
    refused: AtomicU64,
    input_bytes: AtomicU64,
    output_bytes: AtomicU64,
}

impl Figures {
    pub(crate) fn totals(&self) -> HttpTotals {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        HttpTotals {
            connections: load(&self.connections),
            responses: std::array::from_fn(|class| load(&self.responses[class])),
            refused: load(&self.refused),
            input_bytes: load(&self.input_bytes),
            output_bytes: load(&self.output_bytes),
        }
    }

    pub(super) fn opened(&self) {
        bump(&self.connections);
    }

    pub(super) fn closed(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) {
        bump(&self.refused);
    }

    pub(super) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).saturating_sub(1);
        if let Some(counter) = self.responses.get(class) {
            bump(counter);
        }
    }

    pub(super) fn received(&self, bytes: usize) {
        self.input_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.output_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
