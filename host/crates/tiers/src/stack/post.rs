//! What is heard of other hosts on its way to the thread that follows it. It is a thread of its own as it may have to wait
//! for whoever holds a shard, who in turn may wait for a tier.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use larder_engine::tier::{Answer, Heard};
use parking_lot::{Condvar, Mutex};
use tokio::sync::watch;

/// What may wait; of more it is only known that there was something.
const WAITING_MAX: usize = 16_384;
/// How long what was held up rests before it is tried again.
const HELD_UP: Duration = Duration::from_millis(1);

/// What a level tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// Something that others did.
    Heard(Heard),
    /// The same, which was followed before, and a change of this host's own came behind it.
    Again(Heard),
    /// All that the level of this number has told before is good until then.
    Good(usize, Instant),
}

/// See the module. Whoever waits for news is told of its end when it is dropped.
#[derive(Default)]
pub(super) struct Post(Arc<Shared>);

/// The end that news are taken from.
pub(super) struct Letterbox(Arc<Shared>);

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    came: Condvar,
    /// Of what was ever sent so much is followed.
    followed: watch::Sender<u64>,
}

#[derive(Default)]
struct Waiting {
    news: VecDeque<News>,
    /// How much was ever sent, and how much of that was taken.
    sent: u64,
    taken: u64,
    /// Whether nothing was heard when something was last said of that.
    is_deaf: bool,
    has_ended: bool,
}

impl Post {
    pub(super) fn letterbox(&self) -> Letterbox {
        Letterbox(Arc::clone(&self.0))
    }

    /// Adds to what waits; it waits for nobody.
    pub(super) fn send(&self, news: News) {
        let mut waiting = self.0.waiting.lock();
        waiting.sent += 1;
        if let News::Heard(Heard::Missed { is_deaf }) | News::Again(Heard::Missed { is_deaf }) =
            news
        {
            waiting.is_deaf = is_deaf;
        }
        if waiting.news.len() < WAITING_MAX {
            waiting.news.push_back(news);
        } else {
            let is_deaf = waiting.is_deaf;
            waiting.news.clear();
            let missed = Heard::Missed { is_deaf };
            waiting.news.push_back(News::Heard(missed));
        }
        drop(waiting);
        self.0.came.notify_one();
    }

    /// Ready once all is followed that was sent so far.
    pub(super) fn followed(&self) -> Answer<'static, ()> {
        let all = self.0.waiting.lock().sent;
        let mut followed = self.0.followed.subscribe();
        Box::pin(async move {
            // It does not end before whoever waits for it.
            let _ = followed.wait_for(|followed| *followed >= all).await;
        })
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.0.waiting.lock().has_ended = true;
        self.0.came.notify_one();
    }
}

impl Letterbox {
    /// What has come, once something has; or soon, where something is held up. `None` at the end. What was taken before is
    /// followed.
    pub(super) fn take(&self, is_held_up: bool) -> Option<VecDeque<News>> {
        let mut waiting = self.0.waiting.lock();
        self.0.followed.send_replace(waiting.taken);
        while waiting.news.is_empty() && !waiting.has_ended {
            if !is_held_up {
                self.0.came.wait(&mut waiting);
            } else if self.0.came.wait_for(&mut waiting, HELD_UP).timed_out() {
                break;
            }
        }
        waiting.taken = waiting.sent;
        let news = (!waiting.has_ended).then(|| std::mem::take(&mut waiting.news));
        drop(waiting);
        news.map(merged)
    }
}

/// What is cleared again and again is cleared once, at last.
fn merged(mut news: VecDeque<News>) -> VecDeque<News> {
    let mut cleared = HashSet::new();
    let mut is_new = |heard: &Heard, is_again| match heard {
        Heard::Cleared(tenant, db, prefix) => {
            cleared.insert((Arc::clone(tenant), *db, prefix.clone(), is_again))
        }
        Heard::Changed(_) | Heard::Missed { .. } => true,
    };
    let is_last = |one: &News| match one {
        News::Heard(heard) => is_new(heard, false),
        News::Again(heard) => is_new(heard, true),
        News::Good(..) => true,
    };
    let is_last: Vec<_> = news.iter().rev().map(is_last).collect();
    let mut is_last = is_last.into_iter().rev();
    news.retain(|_| is_last.next() == Some(true));
    news
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use larder_engine::tier::TierKeyBuf;

    use super::*;

    #[test]
    fn what_was_taken_is_followed_when_more_is_asked_for() {
        let post = Post::default();
        let letterbox = post.letterbox();
        let nothing = post.followed();
        assert!(nothing.now_or_never().is_some());
        post.send(News::Heard(Heard::Missed { is_deaf: false }));
        let mut followed = post.followed();
        for (count, is_over) in [(1, false), (0, true)] {
            assert!((&mut followed).now_or_never().is_none());
            assert_eq!(letterbox.take(true).map(|news| news.len()), Some(count));
            assert_eq!((&mut followed).now_or_never().is_some(), is_over);
        }
    }

    #[test]
    fn what_is_cleared_again_and_again_is_cleared_once() {
        let post = Post::default();
        let letterbox = post.letterbox();
        let cleared = |db| Heard::Cleared("t".into(), Some(db), b"a:"[..].into());
        let missed = Heard::Missed { is_deaf: false };
        for n in 0..100 {
            for heard in [cleared(n % 2), missed.clone()] {
                post.send(News::Heard(heard));
            }
        }
        let news = letterbox.take(false).unwrap();
        let missed = News::Heard(missed);
        let (cleared, others): (Vec<_>, Vec<_>) = news.iter().partition(|one| **one != missed);
        assert_eq!((cleared.len(), others.len()), (2, 100));
        assert_eq!(news[98], *cleared[0], "behind all that came before");
    }

    #[test]
    fn more_than_may_wait_is_as_if_anything_was_missed() {
        let post = Post::default();
        let letterbox = post.letterbox();
        let changed = Heard::Changed(TierKeyBuf {
            tenant: "t".into(),
            db: 0,
            bytes: b"k"[..].into(),
        });
        let send = |heard| post.send(News::Heard(heard));
        send(Heard::Missed { is_deaf: true });
        for _ in 1..WAITING_MAX {
            send(changed.clone());
        }
        assert_eq!(
            letterbox.take(false).map(|news| news.len()),
            Some(WAITING_MAX)
        );
        for _ in 0..=WAITING_MAX {
            send(changed.clone());
        }
        let news = letterbox.take(false).unwrap();
        assert_eq!(news, [News::Heard(Heard::Missed { is_deaf: true })]);
        assert!(letterbox.take(true).is_some_and(|news| news.is_empty()));
        drop(post);
        assert!(letterbox.take(false).is_none());
    }
}
