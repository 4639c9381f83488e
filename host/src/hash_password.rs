//! `larder hash-password`: makes of a password what the configuration keeps of it.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::{Command, ExitCode};

use anyhow::{Context, bail};
use clap::Args;
use larder_server::hash_password;
use rand::TryRng;
use rand::rngs::SysRng;

/// Longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;

const EXAMPLES: &str = "\
Examples:
  larder hash-password                        ask for the password, twice
  cat password.txt | larder hash-password     take it from another program

The line printed is for the configuration:
  [[user]]
  name = \"app\"
  password = \"$argon2id$v=19$...\"";

/// Print what the configuration keeps of a password, which is read from standard input
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct HashPasswordArgs {}

impl HashPasswordArgs {
    /// Asks, hashes and prints.
    ///
    /// # Errors
    /// When there is no password, or the two are not the same.
    pub fn run(self) -> anyhow::Result<ExitCode> {
        let stdin = io::stdin();
        let password = if stdin.is_terminal() {
            let _hidden = Hidden::new();
            ask_twice(&mut stdin.lock(), &mut io::stderr())?
        } else {
            read_password(&mut stdin.lock())?
        };
        let mut salt = [0; 16];
        SysRng
            .try_fill_bytes(&mut salt)
            .context("the system gives no random numbers")?;
        let hash = hash_password(&password, &salt).map_err(anyhow::Error::msg)?;
        writeln!(io::stdout(), "{hash}").context("cannot write to standard output")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The terminal shows nothing of what is typed while this lives.
struct Hidden;

impl Hidden {
    fn new() -> Self {
        stty("-echo");
        Self
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        stty("echo");
    }
}

/// Without the program what is typed can be seen, and the password is made all the same.
fn stty(mode: &str) {
    let _ = Command::new("stty").arg(mode).status();
}

/// Asks a person for a new password.
fn ask_twice(reader: &mut impl BufRead, prompt: &mut impl Write) -> anyhow::Result<Vec<u8>> {
    let mut ask = |what: &str| {
        write!(prompt, "{what}: ").and_then(|()| prompt.flush())?;
        let line = read_line(reader);
        writeln!(prompt)?;
        line
    };
    let password = ask("Password")?;
    if ask("Once more")? != password {
        bail!("the two passwords are not the same");
    }
    Ok(password)
}

/// The password that another program wrote: one line.
///
/// # Errors
/// When there is none, or more than one line.
pub(crate) fn read_password(reader: &mut impl BufRead) -> anyhow::Result<Vec<u8>> {
    let password = read_line(reader)?;
    if !reader.fill_buf()?.is_empty() {
        bail!("there is more than one line; a password is one");
    }
    Ok(password)
}

fn read_line(reader: &mut impl BufRead) -> anyhow::Result<Vec<u8>> {
    let mut line = Vec::new();
    let bytes_max = PASSWORD_BYTES_MAX as u64 + 3;
    reader.take(bytes_max).read_until(b'\n', &mut line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    match line.len() {
        0 => bail!("the password is empty"),
        1..=PASSWORD_BYTES_MAX => Ok(line),
        _ => bail!("a password may have {PASSWORD_BYTES_MAX} bytes at most"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &str) -> Result<Vec<u8>, String> {
        let mut prompt = Vec::new();
        let asked = ask_twice(&mut text.as_bytes(), &mut prompt);
        assert!(prompt.starts_with(b"Password: \n"));
        asked.map_err(|error| error.to_string())
    }

    fn piped(text: &str) -> Result<Vec<u8>, String> {
        read_password(&mut text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_person_is_asked_twice() {
        assert_eq!(typed("secret\nsecret\n"), Ok(b"secret".to_vec()));
        let different = typed("secret\nsecrets\n").unwrap_err();
        assert_eq!(different, "the two passwords are not the same");
        assert_eq!(typed("\n\n").unwrap_err(), "the password is empty");
    }

    #[test]
    fn a_program_writes_one_line_with_or_without_its_end() {
        for text in ["a b", "a b\n", "a b\r\n"] {
            assert_eq!(piped(text), Ok(b"a b".to_vec()));
        }
        assert!(piped("").is_err() && piped("\n").is_err() && piped("a\nb").is_err());
    }

    #[test]
    fn a_password_has_a_bound() {
        let longest = "x".repeat(PASSWORD_BYTES_MAX);
        assert_eq!(piped(&format!("{longest}\r\n")), Ok(longest.clone().into()));
        assert!(piped(&format!("{longest}x\n")).is_err());
        assert!(piped(&longest.repeat(9)).is_err());
    }
}
