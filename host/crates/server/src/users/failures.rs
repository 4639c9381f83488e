//! Wrong passwords: who gave how many, and what that costs them.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larder_engine::Millis;

/// How late the first wrong password is answered; each further one twice as late.
const DELAY_MS_MIN: u64 = 50;
const DELAY_MS_MAX: u64 = 5_000;
/// After so many an address is locked out.
const LOCK_OUT_AFTER: u32 = 10;
const LOCK_OUT_MS: Millis = 30_000;
/// After so long without another, those before are forgotten.
const FORGOTTEN_MS: Millis = 300_000;
/// Users and addresses that are remembered. The one that failed longest ago is forgotten for a new one.
const RECORDS_MAX: usize = 4_096;
/// Bytes of a user's name that are remembered: anything can be tried.
const NAME_BYTES_MAX: usize = 128;

/// Where a connection comes from, as far as it counts for wrong passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Address(IpAddr);

impl Address {
    /// The address of a peer `ip:port`; `None` for one on a Unix socket. Of IPv6 the network, as its
    /// hosts have any address in it that they like.
    pub(crate) fn of_peer(peer: &str) -> Option<Self> {
        let peer: SocketAddr = peer.parse().ok()?;
        Some(Self(match peer.ip().to_canonical() {
            IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64)),
            ip => ip,
        }))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Culprit {
    User(String),
    Address(Address),
}

impl Culprit {
    fn user(name: &str) -> Self {
        Self::User(name.chars().take(NAME_BYTES_MAX / 4).collect())
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct Record {
    count: u32,
    last_ms: Millis,
    locked_until_ms: Millis,
}

/// What a wrong password leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Penalty {
    /// How late it is answered.
    pub(super) delay: Duration,
    /// Whether the address is locked out from now on.
    pub(super) locks_out: bool,
}

/// The wrong passwords of late.
#[derive(Default)]
pub(super) struct Failures {
    records: Mutex<HashMap<Culprit, Record>>,
}

impl Failures {
    /// Notes a wrong password.
    pub(super) fn note(&self, name: &str, address: Option<Address>, now: Millis) -> Penalty {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let culprits = [Some(Culprit::user(name)), address.map(Culprit::Address)];
        let mut penalty = Penalty {
            delay: Duration::ZERO,
            locks_out: false,
        };
        for culprit in culprits.into_iter().flatten() {
            let is_address = matches!(culprit, Culprit::Address(_));
            let record = record(&mut records, culprit, now);
            record.count += 1;
            record.last_ms = now;
            let doublings = (record.count - 1).min(DELAY_MS_MAX.ilog2());
            let delay_ms = (DELAY_MS_MIN << doublings).min(DELAY_MS_MAX);
            penalty.delay = penalty.delay.max(Duration::from_millis(delay_ms));
            if is_address && record.count >= LOCK_OUT_AFTER {
                record.count = 0;
                record.locked_until_ms = now + LOCK_OUT_MS;
                penalty.locks_out = true;
            }
        }
        penalty
    }

    /// How long nobody may sign in from this address with a password.
    pub(super) fn locked_out_ms(&self, address: Option<Address>, now: Millis) -> Option<u64> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = records.get(&Culprit::Address(address?))?;
        Some(record.locked_until_ms.saturating_sub(now)).filter(|left_ms| *left_ms > 0)
    }

    /// Forgets the wrong passwords of a user, as there was a right one. Those of an address stay: who
    /// knows one password may be guessing others.
    pub(super) fn forget(&self, name: &str) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.remove(&Culprit::user(name));
    }
}

/// The record of a culprit; a new one where what is known is out of date.
fn record(records: &mut HashMap<Culprit, Record>, culprit: Culprit, now: Millis) -> &mut Record {
    if records.len() >= RECORDS_MAX && !records.contains_key(&culprit) {
        records.retain(|_, record| now.saturating_sub(record.last_ms) < FORGOTTEN_MS);
        // Locks are kept as long as there is anything else to forget.
        let oldest = records
            .iter()
            .min_by_key(|(_, record)| (record.locked_until_ms > now, record.last_ms))
            .map(|(culprit, _)| culprit.clone());
        if let Some(oldest) = oldest.filter(|_| records.len() >= RECORDS_MAX) {
            records.remove(&oldest);
        }
    }
    let record = records.entry(culprit).or_default();
    if now.saturating_sub(record.last_ms) >= FORGOTTEN_MS {
        *record = Record::default();
    }
    record
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<Address> {
        Address::of_peer(text)
    }

    fn delay_ms(failures: &Failures, name: &str, peer: &str, now: Millis) -> u128 {
        failures.note(name, address(peer), now).delay.as_millis()
    }

    #[test]
    fn each_wrong_password_is_answered_twice_as_late_until_five_seconds() {
        let failures = Failures::default();
        let delays: Vec<_> = (0..9)
            .map(|n| delay_ms(&failures, "a", &format!("10.0.0.{n}:1"), 1))
            .collect();
        assert_eq!(delays, [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        failures.forget("a");
        assert_eq!(delay_ms(&failures, "a", "10.0.1.1:1", 2), 50);
        let long = "a".repeat(NAME_BYTES_MAX);
        assert_eq!(delay_ms(&failures, &long, "10.0.2.1:1", 2), 50);
        failures.forget(&long);
        assert_eq!(delay_ms(&failures, &long, "10.0.2.2:1", 2), 50);
        assert_eq!(delay_ms(&failures, "a", "10.0.1.2:1", 2 + FORGOTTEN_MS), 50);
    }

    #[test]
    fn an_address_counts_whomever_it_tries_and_is_locked_out_after_ten() {
        let failures = Failures::default();
        let peer = "[2001:db8::1]:7";
        for n in 1..=10 {
            let neighbour = format!("[2001:db8::{n}]:1");
            let penalty = failures.note(&format!("user{n}"), address(&neighbour), 1_000);
            assert_eq!(penalty.locks_out, n == 10);
        }
        assert_eq!(failures.locked_out_ms(address(peer), 1_000), Some(30_000));
        assert_eq!(failures.locked_out_ms(address(peer), 30_999), Some(1));
        assert_eq!(failures.locked_out_ms(address(peer), 31_000), None);
        let other = address("[2001:db8:0:1::1]:7");
        assert_eq!(failures.locked_out_ms(other, 1_000), None);
        assert_eq!(failures.locked_out_ms(None, 1_000), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_locks_go_last() {
        let failures = Failures::default();
        let locked = address("10.0.0.1:1");
        for _ in 0..LOCK_OUT_AFTER {
            failures.note("a", locked, 1);
        }
        for n in 0..2 * RECORDS_MAX {
            failures.note(&n.to_string(), None, 2);
        }
        let records = failures.records.lock().unwrap().len();
        assert_eq!(records, RECORDS_MAX);
        assert!(failures.locked_out_ms(locked, 3).is_some());
    }
}
