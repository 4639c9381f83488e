//! One way to Redis: a connection that is made when it is needed and thrown away when it is broken.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use larder_engine::tier::TierError;
use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::sync::Mutex;

use super::connect::Dialer;
use super::connection::Connection;
use super::doubt::Doubt;
use super::fault::ConnectError;
use super::script::Call;
use super::standing::Standing;
use crate::guard::time_for;

/// See the module.
pub(super) struct Lane {
    dialer: Arc<Dialer>,
    standing: Arc<Standing>,
    timeout: Duration,
    held: Mutex<Option<Connection>>,
    doubt: Doubt,
}

/// Why nothing was answered.
enum Fault {
    Connect(ConnectError),
    Lost(RedisError),
}

/// That nothing was answered.
pub(super) struct Silence {
    pub(super) error: TierError,
    /// The connection broke off over what was sent.
    pub(super) is_broken: bool,
    /// Something was sent, and may have been done.
    pub(super) is_sent: bool,
}

impl From<Silence> for TierError {
    fn from(silence: Silence) -> Self {
        silence.error
    }
}

impl Lane {
    pub(super) fn new(dialer: &Arc<Dialer>, standing: &Arc<Standing>, timeout: Duration) -> Self {
        Self {
            dialer: Arc::clone(dialer),
            standing: Arc::clone(standing),
            timeout,
            held: Mutex::default(),
            doubt: Doubt::default(),
        }
    }

    /// Makes the connection now.
    pub(super) async fn open(&self) -> Result<(), ConnectError> {
        let mut held = self.held.lock().await;
        *held = Some(self.dialer.dial_patiently().await?);
        Ok(())
    }

    /// How long ago a change counts as done that was told then and is sent now.
    pub(super) fn age(&self, told: Instant) -> Duration {
        self.doubt.age(told)
    }

    /// Sends commands and brings their answers, about so many bytes, within the time that it may take; see
    /// [`Connection::send`].
    pub(super) async fn send(
        &self,
        commands: &[Cmd],
        answer_bytes: usize,
    ) -> Result<Vec<RedisResult<Value>>, TierError> {
        let timeout = self.timeout + time_for(answer_bytes as u64);
        Ok(self.send_within(commands, &[], timeout, true).await?)
    }

    /// Carries out scripts and brings their answers; behind them, over the same connection and when they are done, `asks` and
    /// `wait` and the answers to these.
    pub(super) async fn call(
        &self,
        calls: &[Call],
        asks: &[Cmd],
        wait: Option<&Cmd>,
    ) -> Result<Vec<RedisResult<Value>>, Silence> {
        let bytes: usize = calls.iter().map(Call::bytes).sum();
        let waits = wait.map_or(Duration::ZERO, |_| self.timeout);
        let timeout = self.timeout + time_for(bytes as u64) + waits;
        let is_repeatable = calls.iter().all(|call| call.script.is_repeatable);
        // One server does what comes at once in its order.
        let (beside, asks) = match self.dialer.is_cluster() {
            true => (&[][..], asks),
            false => (asks, &[][..]),
        };
        let behind: Vec<_> = asks.iter().chain(wait).cloned().collect();
        let send = async |mut commands: Vec<Cmd>| {
            commands.extend_from_slice(beside);
            self.send_within(&commands, &behind, timeout, is_repeatable)
                .await
        };
        let mut answers = send(calls.iter().map(|call| call.command(false)).collect()).await?;
        let is_unknown = |answer: &RedisResult<Value>| {
            let error = answer.as_ref().err();
            error.is_some_and(|error| error.code() == Some("NOSCRIPT"))
        };
        let unknown: Vec<_> = (0..calls.len())
            .filter(|at| is_unknown(&answers[*at]))
            .collect();
        if !unknown.is_empty() {
            let commands = unknown.iter().map(|at| calls[*at].command(true));
            // What the server knew was done.
            let again = send(commands.collect()).await.map_err(|silence| Silence {
                is_sent: true,
                ..silence
            })?;
            let rest = calls.len()..answers.len();
            for (at, answer) in unknown.into_iter().chain(rest).zip(again) {
                answers[at] = answer;
            }
        }
        Ok(answers)
    }

    async fn send_within(
        &self,
        commands: &[Cmd],
        behind: &[Cmd],
        timeout: Duration,
        is_repeatable: bool,
    ) -> Result<Vec<RedisResult<Value>>, Silence> {
        let sending = self.try_send(commands, behind, is_repeatable);
        let sent = tokio::time::timeout(timeout, sending).await;
        let is_broken = matches!(sent, Ok(Err(Fault::Lost(_))));
        let mut is_sent = is_broken;
        if matches!(sent, Ok(Err(_))) {
            self.standing.breaks.fetch_add(1, Relaxed);
        }
        let text = match sent {
            Ok(Ok(answers)) => {
                self.standing.works();
                return Ok(answers);
            }
            Ok(Err(Fault::Connect(error))) => error.to_string(),
            Ok(Err(Fault::Lost(error))) => {
                format!(
                    "{} broke off: {error}; look at it and at the network",
                    self.dialer.place
                )
            }
            Err(_) => {
                is_sent = self.doubt.stays();
                format!(
                    "{} has not answered within {} ms; look at it and at the network",
                    self.dialer.place,
                    timeout.as_millis()
                )
            }
        };
        Err(Silence {
            error: self.standing.fails(text),
            is_broken,
            is_sent,
        })
    }

    /// The connection is put back when all went well: one whose answers nobody waited for is not used again.
    async fn try_send(
        &self,
        commands: &[Cmd],
        behind: &[Cmd],
        is_repeatable: bool,
    ) -> Result<Vec<RedisResult<Value>>, Fault> {
        let mut held = self.held.lock().await;
        if let Some(mut connection) = held.take() {
            match self.send_over(&mut connection, commands, behind).await {
                Ok(answers) => {
                    *held = Some(connection);
                    return Ok(answers);
                }
                Err(error) if !is_repeatable => return Err(Fault::Lost(error)),
                Err(_) => {}
            }
        }
        // It may have been closed while nothing was asked of it; what is repeatable may be asked twice.
        let mut connection = self.dialer.dial().await.map_err(Fault::Connect)?;
        let sent = self.send_over(&mut connection, commands, behind).await;
        let answers = sent.map_err(Fault::Lost)?;
        *held = Some(connection);
        Ok(answers)
    }

    async fn send_over(
        &self,
        connection: &mut Connection,
        commands: &[Cmd],
        behind: &[Cmd],
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        self.doubt.begins();
        let sent = send_over(connection, commands, behind).await;
        self.doubt.ends(sent.is_ok());
        sent
    }
}

/// An error where the connection is of no use any more.
async fn send_over(
    connection: &mut Connection,
    commands: &[Cmd],
    behind: &[Cmd],
) -> RedisResult<Vec<RedisResult<Value>>> {
    let mut answers = connection.send(commands).await?;
    if !answers.is_empty() && answers.iter().all(is_lost) {
        answers.truncate(1);
        answers.pop().transpose()?;
    }
    if !behind.is_empty() {
        answers.extend(connection.send(behind).await?);
    }
    Ok(answers)
}

fn is_lost(answer: &RedisResult<Value>) -> bool {
    let error = answer.as_ref().err();
    error.is_some_and(|error| error.is_io_error() || error.is_unrecoverable_error())
}
