//! What is tried in all orders, and what each flaw shows.

use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::sync::Arc;
use shuttle::{Config, Runner, thread};

use super::{Flaw, Model};

/// Of each scenario; one with a flaw ends with the first that shows it.
const SCHEDULES: usize = 150;
const SCHEDULES_FLAWED: usize = 5_000;
/// What the schedules follow from: the same ones each time.
const SEED: u64 = 1;
/// Of PCT.
const SWITCHES: usize = 4;

/// Has each of these go on in a thread of its own beside two readers and the writer of the level.
fn explore(flaw: Flaw, is_resident: bool, is_coming: bool, doers: &'static [fn(&Model)]) {
    explore_with(level_writes, flaw, is_resident, is_coming, doers);
}

fn level_writes(model: &Model) {
    model.write_round();
    model.write_round();
}

fn level_fails_first(model: &Model) {
    model.fail_round();
    level_writes(model);
}

fn explore_with(
    level: fn(&Model),
    flaw: Flaw,
    is_resident: bool,
    is_coming: bool,
    doers: &'static [fn(&Model)],
) {
    let schedule = move || {
        let model = Model::new(flaw, is_resident, is_coming);
        let common: [fn(&Model); 3] = [Model::get, Model::get, level];
        let threads = common.iter().chain(doers).map(|run| {
            let (model, run) = (Arc::clone(&model), *run);
            thread::spawn(move || run(&model))
        });
        let threads: Vec<_> = threads.collect();
        for thread in threads {
            thread.join().unwrap();
        }
        model.check();
    };
    // Random ones find what takes many switches, PCT what takes few at the right places.
    let schedules = match flaw {
        Flaw::None => SCHEDULES,
        _ => SCHEDULES_FLAWED,
    };
    let random = RandomScheduler::new_from_seed(SEED, schedules);
    Runner::new(random, Config::new()).run(schedule);
    let pct = PctScheduler::new_from_seed(SEED, SWITCHES, schedules);
    Runner::new(pct, Config::new()).run(schedule);
}

fn deletes(model: &Model) {
    model.change(None);
    // Whoever asks from now on does not get what was there.
    model.get();
}

fn writes(model: &Model) {
    model.change(Some(2));
    model.evict();
    model.get();
}

fn writes_and_deletes(model: &Model) {
    model.change(Some(3));
    model.evict();
    model.change(None);
}

const WRITERS: &[fn(&Model)] = &[deletes, writes];
const DELETERS: &[fn(&Model)] = &[writes_and_deletes, Model::evict];
const OVERFLOWERS: &[fn(&Model)] = &[writes, Model::overflow];
const FLUSHERS: &[fn(&Model)] = &[Model::flush, Model::evict];
const BRINGERS: &[fn(&Model)] = &[Model::flush, Model::bring];

#[test]
fn nothing_late_comes_back_whatever_the_schedule() {
    for is_resident in [true, false] {
        for is_coming in [true, false] {
            explore(Flaw::None, is_resident, is_coming, WRITERS);
            explore(Flaw::None, is_resident, is_coming, DELETERS);
            explore(Flaw::None, is_resident, is_coming, FLUSHERS);
            explore(Flaw::None, is_resident, is_coming, BRINGERS);
        }
    }
}

#[test]
fn nor_does_it_where_the_level_fails_or_has_no_room() {
    for is_resident in [true, false] {
        for is_coming in [true, false] {
            for doers in [WRITERS, FLUSHERS, OVERFLOWERS] {
                explore_with(level_fails_first, Flaw::None, is_resident, is_coming, doers);
            }
        }
    }
}

#[test]
#[should_panic = "truths ["]
fn without_trying_again_what_a_level_has_not_done_it_does() {
    explore_with(level_fails_first, Flaw::Retry, false, false, WRITERS);
}

#[test]
#[should_panic = "truths ["]
fn with_values_left_out_and_what_they_replace_kept_it_does() {
    explore_with(level_fails_first, Flaw::Overflow, false, false, OVERFLOWERS);
}

/// A model that finds no flaw shows nothing.
#[test]
#[should_panic = "truths ["]
fn without_tickets_it_does() {
    explore(Flaw::Ticket, false, false, WRITERS);
}

#[test]
#[should_panic = "truths ["]
fn with_loads_shared_across_changes_it_does() {
    explore(Flaw::Epoch, false, false, DELETERS);
    explore(Flaw::Epoch, false, false, WRITERS);
}

#[test]
#[should_panic = "truths ["]
fn with_loads_told_apart_too_early_it_does() {
    for is_coming in [true, false] {
        explore(Flaw::Early, false, is_coming, DELETERS);
        explore(Flaw::Early, true, is_coming, DELETERS);
    }
}

#[test]
#[should_panic = "truths ["]
fn without_a_look_at_the_queue_it_does() {
    explore(Flaw::Queue, false, true, WRITERS);
}

#[test]
#[should_panic = "truths ["]
fn with_evictions_that_go_down_while_all_is_emptied_it_does() {
    explore(Flaw::Flushing, true, false, FLUSHERS);
}

#[test]
#[should_panic = "truths ["]
fn with_what_is_brought_while_all_is_emptied_it_does() {
    explore(Flaw::Bringing, false, false, BRINGERS);
}
