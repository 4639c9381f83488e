//! What is heard of each host that shares entries, this one included: whether any of what it told was missed.
//!
//! Messages come over several ways, in any order: through whatever node the change was carried out at. Each way keeps its
//! own order, and a round of beats goes over all of them. So once a round is there, all is there that came before it, or
//! was missed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::message::{Beat, HostId, Message};

/// Hosts that are told apart. Where there are more they are met anew, which counts as having missed something.
const HOSTS_MAX: usize = 1024;
/// Messages of a host that may come before one that was sent earlier.
const EARLY_MAX: usize = 65_536;
/// The same of all hosts.
const ALL_EARLY_MAX: usize = 4 * EARLY_MAX;

/// See the module.
pub(super) struct Hosts {
    own: HostId,
    timeout: Duration,
    known: HashMap<HostId, Host>,
}

struct Host {
    /// All messages up to this one came, or are known to have been missed.
    all_to: u64,
    /// Those beyond it that came.
    early: BTreeSet<u64>,
    /// The round that is coming in, and the nodes through which it did, and is to.
    round: u64,
    nodes_max: u16,
    nodes: HashSet<u16>,
    /// When one was last whole.
    whole_at: Instant,
}

/// What follows from what was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// Nothing is missing as far as is known.
    Well,
    /// A round of this host itself is whole.
    Echo(u64),
    /// Something was told that did not come.
    Missed,
}

impl Host {
    fn new(now: Instant) -> Self {
        Self {
            all_to: 0,
            early: BTreeSet::new(),
            round: 0,
            nodes_max: 0,
            nodes: HashSet::new(),
            whole_at: now,
        }
    }

    /// Whether it cannot have told anything that did not come, though it says no more: all that it is known to have told has, and
    /// what a single node tells comes in its order.
    fn has_told_all(&self) -> bool {
        self.nodes_max == 1 && self.early.is_empty()
    }

    fn came(&mut self, number: u64) {
        if number > self.all_to {
            self.early.insert(number);
            self.join_up();
        }
    }

    fn join_up(&mut self) {
        while let Some(next) = self
            .all_to
            .checked_add(1)
            .filter(|next| self.early.remove(next))
        {
            self.all_to = next;
        }
    }

    /// Whether all messages up to this one came. From now on they count as if they had.
    fn has_all_to(&mut self, number: u64) -> bool {
        let has_all = self.all_to >= number;
        if !has_all {
            self.all_to = number;
            self.early.retain(|early| *early > number);
            self.join_up();
        }
        has_all
    }

    /// Whether the round is whole with it.
    fn beats(&mut self, beat: Beat, now: Instant) -> bool {
        if beat.round < self.round {
            return false;
        }
        if beat.round > self.round {
            self.round = beat.round;
            self.nodes.clear();
        }
        self.nodes_max = self.nodes_max.max(beat.nodes);
        let is_new = self.nodes.insert(beat.node);
        let is_whole = is_new && self.nodes.len() == usize::from(beat.nodes);
        if is_whole {
            self.whole_at = now;
        }
        is_whole
    }
}

impl Hosts {
    /// A host that says nothing for `timeout` is gone, and may have told what was missed.
    pub(super) fn new(own: HostId, timeout: Duration) -> Self {
        Self {
            own,
            timeout,
            known: HashMap::new(),
        }
    }

    /// Begins anew: nothing was heard.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }

    /// A message came.
    pub(super) fn hear(&mut self, from: &HostId, told: &Message<'_>, now: Instant) -> Finding {
        if self.known.len() >= HOSTS_MAX && !self.known.contains_key(from) {
            self.known.clear();
            return Finding::Missed;
        }
        let host = self.known.entry(*from).or_insert_with(|| Host::new(now));
        match told {
            Message::Changed(number, _)
            | Message::Cleared(number, ..)
            | Message::Invalidated(number, _) => {
                host.came(*number);
                if host.early.len() > EARLY_MAX {
                    host.has_all_to(*number);
                    return Finding::Missed;
                }
                if !host.early.is_empty() && self.early() > ALL_EARLY_MAX {
                    self.known.clear();
                    return Finding::Missed;
                }
            }
            Message::Beat(beat) if host.beats(*beat, now) => {
                if !host.has_all_to(beat.last) {
                    return Finding::Missed;
                }
                if *from == self.own {
                    return Finding::Echo(beat.round);
                }
            }
            Message::Beat(_) => {}
            Message::Bye(number) => {
                let has_all = host.has_all_to(*number);
                self.known.remove(from);
                if !has_all {
                    return Finding::Missed;
                }
            }
        }
        Finding::Well
    }

    /// Whether this host hears itself.
    pub(super) fn is_hearing(&self, now: Instant) -> bool {
        let own = self.known.get(&self.own);
        own.is_some_and(|own| own.round > 0 && now - own.whole_at < self.timeout)
    }

    /// Messages that came before one that was sent earlier.
    fn early(&self) -> usize {
        self.known.values().map(|host| host.early.len()).sum()
    }

    /// Forgets others that have gone without a word. Whether there was one that may have told what did not come.
    pub(super) fn forget_silent(&mut self, now: Instant) -> bool {
        let (own, timeout) = (self.own, self.timeout);
        let is_silent = |id: &HostId, host: &Host| *id != own && now - host.whole_at >= timeout;
        let silent = self.known.extract_if(|id, host| is_silent(id, host));
        silent.fold(false, |any, (_, host)| any | !host.has_told_all())
    }

    /// How many others there are.
    pub(super) fn others(&self) -> u64 {
        self.known.keys().filter(|id| **id != self.own).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use larder_engine::tier::TierKey;

    const OWN: HostId = [0; 16];
    const OTHER: HostId = [1; 16];
    const TIMEOUT: Duration = Duration::from_secs(1);

    fn changed(number: u64) -> Message<'static> {
        let key = TierKey {
            tenant: "t",
            db: 0,
            bytes: b"k",
        };
        Message::Changed(number, key)
    }

    fn beat(round: u64, last: u64, node: u16, nodes: u16) -> Message<'static> {
        Message::Beat(Beat {
            round,
            last,
            node,
            nodes,
        })
    }

    #[test]
    fn what_is_missing_is_found_when_a_round_is_whole() {
        let now = Instant::now();
        let mut hosts = Hosts::new(OWN, TIMEOUT);
        let mut hear = |told| hosts.hear(&OTHER, &told, now);
        // In any order, over two ways.
        assert_eq!(hear(changed(2)), Finding::Well);
        assert_eq!(hear(beat(1, 2, 0, 2)), Finding::Well);
        assert_eq!(hear(changed(1)), Finding::Well);
        assert_eq!(hear(beat(1, 2, 1, 2)), Finding::Well);
        assert_eq!(hear(changed(4)), Finding::Well);
        assert_eq!(hear(beat(2, 4, 1, 2)), Finding::Well);
        assert_eq!(hear(beat(2, 4, 0, 2)), Finding::Missed);
        // Once is enough.
        assert_eq!(hear(changed(5)), Finding::Well);
        assert_eq!(hear(beat(3, 5, 0, 1)), Finding::Well);
        assert_eq!(hear(beat(2, 9, 0, 1)), Finding::Well, "it is late");
        assert_eq!(hear(Message::Bye(6)), Finding::Missed);
    }

    #[test]
    fn no_number_is_too_large() {
        let now = Instant::now();
        let mut hosts = Hosts::new(OWN, TIMEOUT);
        let mut hear = |told| hosts.hear(&OTHER, &told, now);
        assert_eq!(hear(changed(u64::MAX)), Finding::Well);
        assert_eq!(hear(beat(1, u64::MAX, 0, 1)), Finding::Missed);
        assert_eq!(hear(changed(u64::MAX)), Finding::Well);
        assert_eq!(hear(Message::Bye(u64::MAX)), Finding::Well);
    }

    #[test]
    fn who_is_new_has_told_nothing_yet_and_who_is_silent_may_have() {
        let begin = Instant::now();
        let mut hosts = Hosts::new(OWN, TIMEOUT);
        assert_eq!(hosts.hear(&OTHER, &beat(1, 0, 0, 1), begin), Finding::Well);
        let third = [2; 16];
        assert_eq!(
            hosts.hear(&third, &beat(7, 3, 0, 1), begin),
            Finding::Missed
        );
        assert!(!hosts.is_hearing(begin));
        assert_eq!(hosts.hear(&OWN, &beat(1, 0, 0, 1), begin), Finding::Echo(1));
        assert!(hosts.is_hearing(begin) && hosts.others() == 2);
        let later = begin + TIMEOUT;
        assert_eq!(hosts.hear(&third, &Message::Bye(3), later), Finding::Well);
        assert!(!hosts.is_hearing(later));
        assert!(!hosts.forget_silent(later), "all that it told came");
        assert_eq!(hosts.others(), 0);
        for lost in [changed(2), beat(1, 0, 0, 2)] {
            assert_eq!(hosts.hear(&OTHER, &lost, begin), Finding::Well);
            assert!(hosts.forget_silent(later) && !hosts.forget_silent(later));
        }
    }

    #[test]
    fn of_all_hosts_together_so_many_may_come_early() {
        let mut hosts = Hosts::new(OWN, TIMEOUT);
        let now = Instant::now();
        let mut has_missed = false;
        for host in 1..=8 {
            for number in 2..50_000 {
                has_missed |= hosts.hear(&[host; 16], &changed(number), now) == Finding::Missed;
            }
            assert!(hosts.early() <= ALL_EARLY_MAX);
        }
        assert!(has_missed);
    }

    proptest! {
        /// Each node keeps its order, and among them there is none.
        #[test]
        fn nothing_is_found_missing_but_what_is(
            nodes in 1..4_u16,
            places in prop::collection::vec((0..4_u16, 0..20_u8), 1..60),
            picks in prop::collection::vec(0..4_usize, 400),
        ) {
            let now = Instant::now();
            let mut ways: Vec<Vec<Message<'static>>> = vec![Vec::new(); usize::from(nodes)];
            let (mut last, mut is_lost) = (0, false);
            for (node, fate) in places {
                last += 1;
                match fate {
                    0 => is_lost = true,
                    _ => ways[usize::from(node % nodes)].push(changed(last)),
                }
                if fate > 15 {
                    for node in 0..nodes {
                        ways[usize::from(node)].push(beat(last, last, node, nodes));
                    }
                }
            }
            for node in 0..nodes {
                ways[usize::from(node)].push(beat(last + 1, last, node, nodes));
            }
            let mut hosts = Hosts::new(OWN, TIMEOUT);
            let mut has_missed = false;
            let total: usize = ways.iter().map(Vec::len).sum();
            let mut picks = picks.into_iter().cycle();
            for _ in 0..total {
                let mut way = picks.next().unwrap() % ways.len();
                while ways[way].is_empty() {
                    way = (way + 1) % ways.len();
                }
                let told = ways[way].remove(0);
                has_missed |= hosts.hear(&OTHER, &told, now) == Finding::Missed;
            }
            prop_assert_eq!(has_missed, is_lost);
        }
    }
}
