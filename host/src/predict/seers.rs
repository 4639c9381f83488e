//! All tenants' seers. Where their model is shared each training learns from all of them, and what it came to is everybody's:
//! keys, names and what follows what stay each tenant's own.

use larder_predict::{Sample, Training};

use super::seer::Seer;
use super::trainer::Ended;

/// See the module.
pub(super) struct Seers {
    pub(super) all: Vec<Seer>,
    is_shared: bool,
}

impl Seers {
    pub(super) fn new(all: Vec<Seer>, is_shared: bool) -> Self {
        Self { all, is_shared }
    }

    /// Each has its turn. `order` has a model trained, and says whether it will be.
    pub(super) fn turn(&mut self, mut order: impl FnMut(usize, Training) -> bool) {
        for number in 0..self.all.len() {
            let Some(training) = self.all[number].turn() else {
                continue;
            };
            let training = match self.is_shared {
                true => training.joined(self.samples_beside(number)),
                false => training,
            };
            if !order(number, training) {
                self.all[number].trained(None);
            }
        }
    }

    fn samples_beside(&self, number: usize) -> Vec<Vec<Sample>> {
        let others = self.all.iter().enumerate();
        let others = others.filter(|(other, _)| *other != number);
        others
            .map(|(_, seer)| seer.shown.predictor.lock().samples())
            .collect()
    }

    /// A training has ended.
    pub(super) fn trained(&mut self, ended: Ended) {
        let number = ended.number;
        if let (true, Ok(trained)) = (self.is_shared, &ended.trained) {
            let others = self.all.iter_mut().enumerate();
            for (_, seer) in others.filter(|(other, _)| *other != number) {
                seer.taught(trained.clone());
            }
        }
        self.all[number].trained(Some(ended));
    }
}
