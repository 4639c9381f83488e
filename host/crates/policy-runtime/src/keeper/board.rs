//! The listing of all policies, written by the keeper's thread and read by anyone.

use std::sync::Arc;

use larder_engine::policies::PolicyRow;
use parking_lot::RwLock;

use crate::policy::Figures;

/// The rows as last written; figures are looked up when they are read.
#[derive(Default)]
pub(super) struct Board(RwLock<Vec<Row>>);

pub(super) struct Row {
    pub(super) row: PolicyRow,
    pub(super) figures: Option<Arc<Figures>>,
}

impl Row {
    /// The row of what has no figures.
    pub(super) fn plain(row: PolicyRow) -> Self {
        Self { row, figures: None }
    }
}

impl Board {
    pub(super) fn write(&self, rows: Vec<Row>) {
        *self.0.write() = rows;
    }

    pub(super) fn read(&self) -> Vec<PolicyRow> {
        let read = |Row { row, figures }: &Row| {
            let mut row = row.clone();
            if let Some(figures) = figures {
                row.figures = figures.snapshot();
            }
            row
        };
        self.0.read().iter().map(read).collect()
    }
}
