mod adapter;
mod crash;
mod faults;
mod kill;
mod reclaiming;
mod records;
mod support;
mod surveys;
