//! A connection in one line, as CLIENT LIST tells it.

use std::fmt::Write;
use std::sync::atomic::{AtomicU32, Ordering};

use larder_engine::Millis;
use larder_resp::Version;

use super::{Client, Kind, Told, lock};
use crate::commands::name_of;

impl Client {
    /// Appends the line, with the fields of Redis 7.2 and `watch`, which came later. What Larder has no
    /// counterpart of is 0: buffers of replies belong to the worker until a client lags.
    pub(crate) fn write_line(&self, now: Millis, out: &mut String) {
        let load = |value: &AtomicU32| value.load(Ordering::Relaxed);
        let standing = &self.standing;
        let [sub, psub, ssub] = standing.subscriptions.each_ref().map(load);
        let (input, input_free) = (
            load(&standing.input_bytes),
            load(&standing.input_free_bytes),
        );
        let multi_mem = load(&standing.transaction_bytes);
        let mail = self.mailbox().map_or(0, |mailbox| mailbox.bytes());
        let output = load(&standing.output_bytes) as usize + mail;
        let total = size_of::<Self>() + (input + input_free + multi_mem) as usize + output;
        let told = lock(&self.told);
        let Told { user, version, .. } = &*told;
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={sub} psub={psub} \
             ssub={ssub} multi={} watch={} qbuf={input} qbuf-free={input_free} argv-mem=0 \
             multi-mem={multi_mem} rbs=0 rbp=0 obl=0 oll={} omem={output} tot-mem={total} events={} cmd={} \
             user={} redir={} resp={} lib-name={} lib-ver={}",
            self.id,
            self.origin.peer,
            self.origin.local,
            self.origin.descriptor,
            told.name,
            self.age_ms(now) / 1000,
            now.saturating_sub(standing.seen_ms.load(Ordering::Relaxed)) / 1000,
            standing.letters(self.origin.kind == Kind::Unix),
            standing.db.load(Ordering::Relaxed),
            standing.queued.load(Ordering::Relaxed),
            load(&standing.watched),
            u8::from(output > 0),
            if output > 0 { "rw" } else { "r" },
            name_of(standing.command.load(Ordering::Relaxed)).unwrap_or("NULL"),
            user.name(),
            standing.redirect.load(Ordering::Relaxed),
            match version {
                Version::V2 => 2,
                Version::V3 => 3,
            },
            told.library_name,
            told.library_version,
        );
    }
}
