//! Transactions: the commands that wait for EXEC, the keys that are watched for them, and how all of them
//! are executed at one moment.

use larder_engine::authority::{Mark, Seen};
use larder_engine::{KEY_BYTES_MAX, Key, Store, Tenant, Watch};
use larder_resp::{Args, ArgsBuf};

use crate::commands::{Command, Failure, Flag, Found, Group, Outcome, database};
use crate::exec::run_all;
use crate::fetch::{self, Complete, Wanted, keys_of, reach_of};
use crate::{Context, Flow, Session};

/// Commands that may wait, and keys that may be watched.
const COMMANDS_MAX: usize = 131_072;
/// Bytes that waiting commands and watched keys may take.
const BYTES_MAX: usize = 64 << 20;

/// Answered at once while others wait.
const AT_ONCE: [&str; 6] = ["DISCARD", "EXEC", "MULTI", "QUIT", "RESET", "WATCH"];

const TOO_LARGE: Failure =
    Failure::new("ERR transaction too large: 131072 commands and 64 MiB are allowed");

const WATCH_INSIDE: Failure = Failure::new("ERR WATCH inside MULTI is not allowed");

/// What a connection has said since WATCH or MULTI.
#[derive(Default)]
pub(crate) struct Transaction {
    /// MULTI was said.
    is_queuing: bool,
    /// A command was refused, so that EXEC will be.
    is_aborted: bool,
    queue: Vec<Queued>,
    watches: Vec<Watch>,
    /// Keys over which a level has the authority, as it had them.
    marks: Vec<(u8, Box<[u8]>, Mark)>,
    bytes: usize,
}

struct Queued {
    command: &'static Command,
    request: ArgsBuf,
}

impl Transaction {
    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Commands that wait for EXEC, if some may.
    pub(crate) fn queued(&self) -> Option<usize> {
        self.is_queuing.then_some(self.queue.len())
    }

    /// Whether one of the commands that wait may change something.
    pub(crate) fn may_change(&self) -> bool {
        self.queue.iter().any(|queued| queued.command.may_change())
    }

    /// Keys that are watched.
    pub(crate) fn watched(&self) -> usize {
        self.watches.len() + self.marks.len()
    }

    /// Pays for one more of `what`.
    fn grow<T>(&mut self, what: fn(&mut Self) -> &mut Vec<T>, bytes: usize) -> Result<(), Failure> {
        let bytes = self.bytes + bytes + size_of::<T>();
        if what(self).len() >= COMMANDS_MAX || bytes > BYTES_MAX {
            return Err(TOO_LARGE);
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Session {
    /// Whether commands wait for EXEC.
    #[inline]
    pub(crate) fn is_queuing(&self) -> bool {
        self.transaction
            .as_ref()
            .is_some_and(|transaction| transaction.is_queuing)
    }
}

/// MULTI.
pub(crate) fn begin(session: &mut Session) -> Result<(), Failure> {
    let transaction = session.transaction.get_or_insert_default();
    if transaction.is_queuing {
        return Err(Failure::new("ERR MULTI calls can not be nested"));
    }
    transaction.is_queuing = true;
    Ok(())
}

/// DISCARD.
pub(crate) fn discard(session: &mut Session) -> Result<(), Failure> {
    if !session.is_queuing() {
        return Err(Failure::new("ERR DISCARD without MULTI"));
    }
    session.transaction = None;
    Ok(())
}

/// WATCH.
pub(crate) fn watch(ctx: &mut Context<'_>, args: Args<'_>) -> Result<(), Failure> {
    if ctx.session.is_queuing() {
        return Err(WATCH_INSIDE);
    }
    let db = ctx.session.db;
    for bytes in args.iter().skip(1) {
        let watch = ctx.session.tenant.watch(Key::new(db, bytes), ctx.now);
        let transaction = ctx.session.transaction.get_or_insert_default();
        transaction.grow(|transaction| &mut transaction.watches, bytes.len())?;
        transaction.watches.push(watch);
    }
    Ok(())
}

/// WATCH of keys as a level has them that has the authority over them.
pub(crate) fn watch_below<'k>(
    ctx: &mut Context<'_>,
    marks: impl Iterator<Item = (Key<'k>, Mark)>,
) -> Result<(), Failure> {
    if ctx.session.is_queuing() {
        return Err(WATCH_INSIDE);
    }
    for (key, mark) in marks {
        let transaction = ctx.session.transaction.get_or_insert_default();
        transaction.grow(|transaction| &mut transaction.marks, key.bytes.len())?;
        transaction.marks.push((key.db, key.bytes.into(), mark));
    }
    Ok(())
}

/// UNWATCH. Within a transaction it comes too late to change anything.
pub(crate) fn unwatch(ctx: &mut Context<'_>) {
    // The end of a watch locks its shard, which may be held.
    if !ctx.store.is_held() {
        ctx.session.transaction = None;
    }
}

/// A command was refused: so will be the transaction that it was to be a part of.
fn abort(session: &mut Session) {
    if let Some(transaction) = &mut session.transaction {
        transaction.is_aborted |= transaction.is_queuing;
    }
}

/// What is said of a request that was refused; EXEC itself ends the transaction so.
pub(crate) fn refused(session: &mut Session, name: &[u8], failure: Failure) -> Failure {
    if !name.eq_ignore_ascii_case(b"EXEC") {
        abort(session);
        return failure;
    }
    // Within a script shards may be held, which the end of a watch would wait for.
    if session.is_queuing() {
        session.transaction = None;
    }
    let why = failure.text().trim_start_matches("ERR ");
    Failure::from(format!("EXECABORT Transaction discarded because of: {why}"))
}

/// Has a command wait for EXEC, or answers it if it is about the transaction itself.
pub(crate) fn queue(ctx: &mut Context<'_>, args: Args<'_>, found: Found) -> Outcome {
    if AT_ONCE.contains(&found.command.name) {
        return found.carry_out(ctx, args);
    }
    let queued = add(ctx.session, args, found.command);
    match queued {
        Ok(()) => ctx.reply.simple("QUEUED"),
        Err(_) => abort(ctx.session),
    }
    queued.map(|()| Flow::Continue)
}

fn add(session: &mut Session, args: Args<'_>, command: &'static Command) -> Result<(), Failure> {
    if command.flags.contains(&Flag::NoMulti) {
        return Err(Failure::new("ERR Command not allowed inside a transaction"));
    }
    let transaction = session.transaction.get_or_insert_default();
    let request = ArgsBuf::from(args);
    transaction.grow(|transaction| &mut transaction.queue, request.heap_bytes())?;
    transaction.queue.push(Queued { command, request });
    Ok(())
}

/// EXEC. Others see all that the commands do, or nothing.
pub(crate) fn exec(ctx: &mut Context<'_>) -> Outcome {
    let is_begun = |transaction: &mut Box<Transaction>| transaction.is_queuing;
    let Some(transaction) = ctx.session.transaction.take_if(is_begun) else {
        return Err(Failure::new("ERR EXEC without MULTI"));
    };
    if transaction.is_aborted {
        return Err(Failure::new(
            "EXECABORT Transaction discarded because of previous errors.",
        ));
    }
    let keys = transaction.keys(ctx.session.db);
    if fetch::is_over(ctx.store.tenant(), keys.iter().copied())? {
        let outcome = transaction.try_out(ctx, &keys);
        if matches!(outcome, Ok(Flow::Fetch)) {
            ctx.session.transaction = Some(transaction);
        }
        return outcome;
    }
    let Some(Complete { mut held, rest }) = transaction.hold(ctx)? else {
        ctx.session.transaction = Some(transaction);
        return Ok(Flow::Fetch);
    };
    let unchanged = |watch: &Watch| held.is_unchanged(watch, ctx.now);
    let flow = if transaction.watches.iter().all(unchanged) {
        let (tenant, is_quiet) = (ctx.store.tenant(), ctx.session.no_touch);
        ctx.store = Store::held(held, is_quiet);
        let requests = transaction.queue.iter();
        let flow = run_all(ctx, requests.map(|queued| queued.request.args()));
        ctx.store = Store::open(tenant, is_quiet);
        flow
    } else {
        drop(held);
        ctx.reply.null_array();
        Flow::Continue
    };
    // Their end locks shards: not before they are given back.
    drop((transaction, rest));
    Ok(flow)
}

impl Transaction {
    /// Locks what its commands need, once what they lack in memory is at hand; `None` where that is to come.
    fn hold<'c>(&self, ctx: &mut Context<'c>) -> Result<Option<Complete<'c>>, Failure> {
        // What is too long is no key of this store, and the command will say so.
        let fits = |key: &Key<'_>| key.bytes.len() <= KEY_BYTES_MAX;
        let wanted = self.wanted(ctx.session.db);
        let wanted: Vec<Wanted<'_>> = wanted.filter(|(key, _)| fits(key)).collect();
        let is_boundless = self.queue.iter().any(Queued::is_boundless);
        fetch::hold(ctx, &wanted, |tenant, room_bytes, now| match is_boundless {
            true => Ok(tenant.lock_all()),
            false => {
                let watched = self.watches.iter().map(Watch::key).filter(fits);
                let keys = wanted.iter().map(|(key, _)| *key);
                tenant.lock(keys.chain(watched), room_bytes, now)
            }
        })
    }

    /// The keys that its commands and WATCH name. What is too long is no key of this store.
    fn keys(&self, db: u8) -> Vec<Key<'_>> {
        let marked = self.marks.iter().map(|(db, bytes, _)| Key::new(*db, bytes));
        let watched = self.watches.iter().map(Watch::key).chain(marked);
        let wanted = self.wanted(db).map(|(key, _)| key);
        let keys = wanted.chain(watched);
        let mut keys: Vec<_> = keys
            .filter(|key| key.bytes.len() <= KEY_BYTES_MAX)
            .collect();
        keys.sort_unstable_by_key(|key| (key.db, key.bytes));
        keys.dedup();
        keys
    }

    /// Executes its commands on keys over which a level has the authority.
    fn try_out<'c>(&self, ctx: &mut Context<'c>, keys: &[Key<'_>]) -> Outcome {
        if self.queue.iter().any(Queued::is_boundless) {
            return Err(fetch::NOT_WITH_THEM);
        }
        let is_unchanged = |seen: &[Seen]| {
            let mut marks = self.marks.iter();
            marks.all(|(db, bytes, mark)| {
                let at = keys.binary_search_by_key(&(*db, &**bytes), |key| (key.db, key.bytes));
                at.ok()
                    .and_then(|at| seen.get(at))
                    .is_some_and(|seen| seen.mark.state == mark.state)
            })
        };
        let lock = |tenant: &'c Tenant, now| tenant.lock(keys.iter().copied(), 0, now);
        fetch::try_out(ctx, keys, is_unchanged, lock, |ctx| {
            let requests = self.queue.iter();
            Ok(run_all(ctx, requests.map(|queued| queued.request.args())))
        })
    }

    /// The keys that its commands name, in the databases that they select.
    fn wanted(&self, mut db: u8) -> impl Iterator<Item = Wanted<'_>> {
        self.queue.iter().flat_map(move |queued| {
            let args = queued.request.args();
            if queued.command.name == "SELECT"
                && let Ok(selected) = database(&args[1])
            {
                db = selected;
            }
            let reach = reach_of(queued.command);
            keys_of(queued.command, args, db)
                .into_iter()
                .map(move |key| (key, reach))
        })
    }
}

impl Queued {
    fn is_boundless(&self) -> bool {
        is_boundless(self.command, self.request.args().len())
    }
}

/// Whether a command, called with that many arguments, may touch more than keys of the selected database
/// that it names.
pub(crate) fn is_boundless(command: &Command, len: usize) -> bool {
    match command.name {
        "MOVE" | "SELECT" | "SWAPDB" => true,
        // Tags are the tenant's, and no shard has to be held for them.
        "TIME" | "TAG" => false,
        // With the option DB.
        "COPY" => len > 4,
        _ => {
            let is_about_none = matches!(
                command.group,
                Group::Connection | Group::PubSub | Group::Transactions
            );
            command.keys.first == 0 && !is_about_none
        }
    }
}
