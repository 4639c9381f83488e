//! Larder as strangers meet it: the real program, over real sockets.
#![forbid(unsafe_code)]

mod clients;
mod connections;
mod console;
mod contract;
mod differential;
mod hooks;
mod hostile;
mod invalidate;
mod leases;
mod load;
mod loaders;
mod main_job;
mod memory;
mod operations;
mod policies;
mod prediction;
mod pubsub;
mod record;
mod redis_tier;
mod samples;
mod scripts;
mod sealed;
mod simulate;
mod tiers;
mod tls;
mod traces;
mod tracking;
mod transactions;
mod trouble;
mod users;
mod values;
mod volatile;
mod warm;
