//! Commands executed on a real engine, without sockets: a line in, the reply's bytes out.

mod acl;
mod bitmap;
mod clients;
mod connection;
mod errors;
mod generic;
mod introspection;
mod invalidate;
mod leases;
mod monitor;
mod notifications;
mod policies;
mod prediction;
mod pubsub;
mod recording;
mod scripts;
mod string;
mod tracking;
mod transactions;
mod tuning;

use larder_engine::{Decider, Millis, Undecided};
use larder_resp::{Args, ArgsBuf, Limits, Parsed, RequestParser, Version};

use super::dispatch;
use crate::meter::Watch;
use crate::testing::{config, parts, session};
use crate::{Context, Flow, Parts, ServerConfig, Session, Shared};

/// A connection, and a server whose time the test sets.
struct Bed {
    shared: Shared,
    session: Session,
    decider: Box<dyn Decider>,
    now: Millis,
}

impl Bed {
    fn new(version: Version) -> Self {
        Self::with(config(), version)
    }

    fn with(config: ServerConfig, version: Version) -> Self {
        Self::made_of(config, parts(), version)
    }

    fn made_of(config: ServerConfig, parts: Parts, version: Version) -> Self {
        let shared = Shared::new(config, parts);
        let now = shared.now();
        let session = session(&shared, version);
        Self {
            shared,
            session,
            decider: Box::new(Undecided),
            now,
        }
    }

    fn execute(&mut self, args: Args<'_>) -> (Vec<u8>, Flow) {
        let mut out = Vec::new();
        let mut watch = Watch::of_turn(&self.shared, 0, &self.session);
        let (session, decider) = (&mut self.session, &mut *self.decider);
        let mut context = Context::new(
            &self.shared,
            session,
            decider,
            self.now,
            &mut watch,
            &mut out,
        );
        let flow = dispatch(&mut context, args);
        drop(context);
        watch.close_run(&self.shared);
        (out, flow)
    }

    /// Executes a request whose arguments may be anything: its reply, and how the connection goes
    /// on.
    fn execute_args(&mut self, args: &[&[u8]]) -> (Vec<u8>, Flow) {
        let buffer: ArgsBuf = args.iter().copied().collect();
        self.execute(buffer.args())
    }

    /// Executes a request written like an inline command.
    fn line(&mut self, line: &str) -> (String, Flow) {
        let mut parser = RequestParser::new(Limits::default());
        let input = format!("{line}\r\n");
        let Ok(Parsed::Request { args, .. }) = parser.parse(input.as_bytes()) else {
            panic!("no request: {line}");
        };
        let (out, flow) = self.execute(args);
        (String::from_utf8_lossy(&out).into_owned(), flow)
    }

    #[track_caller]
    fn check(&mut self, line: &str, expected: &str) {
        assert_eq!(
            self.line(line),
            (expected.to_owned(), Flow::Continue),
            "{line}"
        );
    }
}

/// Checks the replies to lines, one after another on a new server, in both versions of the
/// protocol. `NIL` stands for what either writes where there is nothing.
#[track_caller]
fn check(lines: &[(&str, &str)]) {
    for (version, nil) in [(Version::V2, "$-1\r\n"), (Version::V3, "_\r\n")] {
        let mut bed = Bed::new(version);
        for (line, expected) in lines {
            bed.check(line, &expected.replace("NIL", nil));
        }
    }
}
