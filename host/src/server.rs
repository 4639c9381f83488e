//! The server that a command speaks to: where it is, how it is spoken to, and as whom.

use std::fmt;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use larder_resp::{Limits, Value, decode, encode_command};
use tokio_rustls::rustls::ClientConfig;

use crate::address::{Address, Socket};
use crate::config::PASSWORD_VARIABLE;
use crate::hash_password::read_password;
use crate::tls;

/// A wrong password is answered late.
const SIGN_IN_TIME_MAX: Duration = Duration::from_secs(30);
/// Longer than any command of ours takes.
const PATIENCE: Duration = Duration::from_secs(120);
/// Bytes of a reply: a listing of policies has some hundred each, one of hot keys their names.
const REPLY_BYTES_MAX: usize = 16 << 20;
/// Longest answer to AUTH.
const ANSWER_BYTES_MAX: usize = 4096;

/// Which server.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// Where the server listens: HOST:PORT, or unix:PATH
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:6379")]
    pub(crate) addr: Address,
    /// Speak TLS, to a server whose certificate one of these authorities (PEM) has signed
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The certificate (PEM) to show a server that asks for one
    #[arg(long, value_name = "FILE", requires = "tls_ca", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Whom to sign in as, "default" if left out; the password is in --password-file or in the variable
    /// LARDER_PASSWORD, and without one nobody signs in
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A file whose one line is the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl ServerArgs {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, or there is a user and no password.
    pub(crate) fn server(&self) -> anyhow::Result<Server> {
        let own = self.tls_cert.as_deref().zip(self.tls_key.as_deref());
        let trust = |ca: &PathBuf| tls::trusting(ca, own);
        let tls = self.tls_ca.as_ref().map(trust).transpose()?;
        ensure!(
            tls.is_none() || matches!(self.addr, Address::Tcp(_)),
            "{} is no address for TLS; name HOST:PORT",
            self.addr
        );
        Ok(Server {
            addr: self.addr.clone(),
            tls,
            sign_in: self.sign_in()?,
        })
    }

    /// The request that signs in.
    fn sign_in(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let password = match &self.password_file {
            Some(path) => {
                let wrong = || format!("no password in {}", path.display());
                let file = fs::File::open(path).with_context(wrong)?;
                Some(read_password(&mut BufReader::new(file)).with_context(wrong)?)
            }
            None => env::var_os(PASSWORD_VARIABLE).map(|text| text.into_encoded_bytes()),
        };
        let mut request = Vec::new();
        match (&self.user, &password) {
            (None, None) => return Ok(None),
            (None, Some(password)) => encode_command(&mut request, &[b"AUTH", password]),
            (Some(user), Some(password)) => {
                encode_command(&mut request, &[b"AUTH", user.as_bytes(), password]);
            }
            (Some(user), None) => bail!(
                "no password for {user}; name a file with --password-file, or set {PASSWORD_VARIABLE}"
            ),
        }
        Ok(Some(request))
    }
}

/// A server, ready to be connected to.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) addr: Address,
    tls: Option<Arc<ClientConfig>>,
    sign_in: Option<Vec<u8>>,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addr.fmt(f)
    }
}

impl Server {
    /// Connects and signs in, blocking.
    ///
    /// # Errors
    /// When nobody listens there, the handshake of TLS fails, or the password is wrong.
    pub(crate) fn connect(&self) -> anyhow::Result<Socket> {
        self.greet(self.addr.connect()?)
    }

    /// Makes of a connection to the server one that requests can be sent over.
    ///
    /// # Errors
    /// When the handshake of TLS fails, or the password is wrong.
    pub(crate) fn greet(&self, mut socket: Socket) -> anyhow::Result<Socket> {
        if let Some(tls) = &self.tls {
            socket.set_timeout(SIGN_IN_TIME_MAX)?;
            let failed = || format!("{self} and we do not agree on TLS");
            socket = socket
                .encrypt(tls.clone(), &self.addr)
                .with_context(failed)?;
        }
        if let Some(request) = &self.sign_in {
            socket.set_timeout(SIGN_IN_TIME_MAX)?;
            let answer = ask(&mut socket, request);
            let answer = answer.with_context(|| format!("{self} does not answer"))?;
            ensure!(answer.starts_with('+'), "{self} refuses: {}", &answer[1..]);
        }
        Ok(socket)
    }
}

impl Server {
    /// Sends one command over a connection to it, and waits for its reply.
    ///
    /// # Errors
    /// When the connection is lost, or what comes is no reply.
    pub(crate) fn exchange<A: AsRef<[u8]>>(
        &self,
        socket: &mut Socket,
        command: &[A],
    ) -> anyhow::Result<Value> {
        let lost = || format!("the connection to {self} is lost");
        socket.set_timeout(PATIENCE).with_context(lost)?;
        let args: Vec<_> = command.iter().map(AsRef::as_ref).collect();
        let mut request = Vec::new();
        encode_command(&mut request, &args);
        socket.write_all(&request).with_context(lost)?;
        let mut received = Vec::new();
        let mut buffer = [0; 64 << 10];
        loop {
            let reply = decode(&received, &Limits::default());
            match reply.with_context(|| format!("{self} does not speak the Redis protocol"))? {
                Some((value, _)) => return Ok(value),
                None if received.len() > REPLY_BYTES_MAX => bail!("{self} answers without end"),
                None => {}
            }
            let bytes = socket.read(&mut buffer).with_context(lost)?;
            if bytes == 0 {
                bail!("{self} closed the connection");
            }
            received.extend_from_slice(&buffer[..bytes]);
        }
    }

    /// Sends one command over a connection of its own, and waits for its reply; an error reply is an error.
    ///
    /// # Errors
    /// As [`Self::exchange`], and where nobody can be connected to.
    pub(crate) fn ask<A: AsRef<[u8]>>(&self, command: &[A]) -> anyhow::Result<Value> {
        match self.exchange(&mut self.connect()?, command)? {
            Value::Error(why) => Err(refusal(&why)),
            value => Ok(value),
        }
    }
}

/// An error reply as an error.
pub(crate) fn refusal(why: &str) -> anyhow::Error {
    anyhow!("{}", why.trim_start_matches("ERR "))
}

/// One line of an answer, without its end.
fn ask(socket: &mut Socket, request: &[u8]) -> anyhow::Result<String> {
    socket.write_all(request)?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n") {
        ensure!(answer.len() < ANSWER_BYTES_MAX, "its answer has no end");
        socket.read_exact(&mut byte)?;
        answer.extend_from_slice(&byte);
    }
    Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
}

#[cfg(test)]
impl Server {
    /// One that is spoken to as it is.
    pub(crate) fn plain(addr: Address) -> Self {
        Self {
            addr,
            tls: None,
            sign_in: None,
        }
    }
}
