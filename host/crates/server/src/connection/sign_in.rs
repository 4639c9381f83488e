//! Signing in where it takes a while.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;

use larder_resp::Reply;

use super::late::Late;
use super::{Connection, Stage};
use crate::User;
use crate::commands::finish_sign_in;
use crate::end::End;
use crate::users::{Address, Refused, SignIn};
use crate::worker::Scratch;

/// Somebody's password is being checked, or was wrong.
pub(super) type SigningIn = Pin<Box<dyn Future<Output = Result<Arc<User>, Refused>>>>;

impl Connection {
    /// Has a password checked; the connection waits, others go on.
    pub(super) fn begin_sign_in(&mut self, sign_in: Box<SignIn>) {
        let session = &self.dialogue.session;
        let (name, password) = (sign_in.name.clone(), sign_in.password.clone());
        let address = Address::of_peer(session.client.peer());
        let users = self.worker.shared.users.clone();
        let waiting = users.sign_in(name, password, address, session.denial("auth"));
        self.stage = Stage::Late(Late::SigningIn(sign_in, Box::pin(waiting)));
    }

    /// Answers who wanted to sign in; what came behind it is next.
    pub(super) fn sign_in(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut Scratch,
        result: Result<Arc<User>, Refused>,
    ) -> Result<(), End> {
        let stage = std::mem::replace(&mut self.stage, Stage::Behind);
        let Stage::Late(Late::SigningIn(sign_in, _)) = stage else {
            return Ok(());
        };
        scratch.output.clear();
        let session = &mut self.dialogue.session;
        let mut reply = Reply::new(&mut scratch.output, session.version);
        finish_sign_in(&self.worker.shared, session, &sign_in, result, &mut reply);
        self.answer(cx, &mut scratch.output)
    }
}
