use std::sync::Arc;
use std::thread;

use super::{Budget, Budgets};

#[test]
fn a_sum_is_paid_once_and_given_back_and_one_that_does_not_fit_costs_nothing() {
    let budget = Arc::new(Budget::new(100));
    let first = budget.charge(60);
    assert!(first.is_some());
    assert!(budget.charge(60).is_none());
    assert_eq!(budget.used_bytes(), 60);
    drop(first);
    assert_eq!(budget.used_bytes(), 0);
    assert!(budget.charge(100).is_some());
}

#[test]
fn a_sum_that_changes_or_changes_hands_is_paid_once_by_one() {
    let [one, other] = [100, 50].map(|bytes| Arc::new(Budget::new(bytes)));
    let used = || [&one, &other].map(|budget| budget.used_bytes());
    let mut charge = one.charge(60).expect("it fits");
    assert!(charge.grow_to(101).is_err());
    assert!(charge.pay_from(&other).is_err());
    assert_eq!(used(), [60, 0]);
    charge.shrink_to(50);
    assert!(charge.pay_from(&other).is_ok());
    assert_eq!(used(), [0, 50]);
    charge.shrink_to(20);
    assert_eq!(used(), [0, 20]);
    drop(charge);
    assert_eq!(used(), [0, 0]);
}

/// As much as one party can have, a byte at a time.
fn fill(budget: &Arc<Budget>) -> u64 {
    while budget.take(1) {}
    budget.used_bytes()
}

#[test]
fn whoever_takes_all_there_is_leaves_others_their_share() {
    let budgets = Budgets::new(1600, 2);
    let [first, second] = [0, 1].map(|number| &budgets.tenants[number]);
    assert_eq!(fill(first), 350 + 700);
    assert_eq!(fill(second), 350);
    assert_eq!(fill(budgets.strangers()), 200);
    assert_eq!(budgets.used_bytes(), 1600);
    // What one gives back of what is for all is another's to take.
    first.give_back(900);
    assert_eq!(fill(second), 350 + 700);
    assert_eq!(fill(first), 350);
    assert_eq!(fill(budgets.strangers()), 200);

    let alone = Budgets::new(1600, 1);
    assert_eq!(fill(&alone.tenants[0]), 1400);
}

#[test]
fn nothing_is_lost_or_won_whoever_takes_at_the_same_time() {
    let budgets = Budgets::new(16_000, 3);
    thread::scope(|scope| {
        for number in 0..6_usize {
            let budget = &budgets.tenants[number % 3];
            scope.spawn(move || {
                for step in 0..20_000 {
                    let bytes = 1 + (step * 37 + number * 101) % 5_000;
                    if budget.take(bytes) {
                        budget.give_back(bytes);
                    }
                }
            });
        }
    });
    assert_eq!(budgets.used_bytes(), 0);
    // What is for all is whole again.
    assert_eq!(fill(&budgets.tenants[0]), 14_000 - 2 * 2_333);
}
