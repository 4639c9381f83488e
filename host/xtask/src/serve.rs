//! `cargo xtask serve`: build the server, say what to type, become the server.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{policies, process};

/// Set in the environment, it makes the server the one that the tests use.
pub(crate) const TEST_BUILD: &str = "XTASK_TEST_BUILD";

/// Builds the server and hands this process over to it.
///
/// # Errors
/// When the build fails or the server cannot be started; there is no return otherwise.
pub(crate) fn run(args: &[OsString]) -> Result<()> {
    let (mut build, folder) = match std::env::var_os(TEST_BUILD) {
        Some(_) => (process::test_build(), "debug"),
        None => (
            process::cargo(["build", "--release", "--package", "larder"]),
            "release",
        ),
    };
    eprintln!(
        "xtask: {} (the first time takes minutes)",
        process::shown(&build)
    );
    process::run(&mut build)?;
    if !args.iter().any(|arg| arg == "--help" || arg == "-h") {
        policies::build()?;
        let env = |name: &str| std::env::var_os(name);
        let built = process::target()?.join("policies");
        eprintln!("{}", policies::put_starters(args, &env, &built)?);
        eprint!("{}", hints(args, &env));
    }
    let server = process::target()?.join(folder).join("larder");
    let error = Command::new(&server).arg("serve").args(args).exec();
    Err(error).with_context(|| format!("cannot start {}", server.display()))
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// What to type once the server listens; addresses that only the server knows are left to its ready line.
fn hints(args: &[OsString], env: Environment<'_>) -> String {
    let resp = address(args, env, "--listen", "LARDER_LISTEN", "127.0.0.1:6379");
    let cli = match resp {
        Some(at) if at.ip() == Ipv4Addr::LOCALHOST => format!("redis-cli -p {}", at.port()),
        Some(at) => format!("redis-cli -h {} -p {}", at.ip(), at.port()),
        None => "redis-cli -h HOST -p PORT".to_owned(),
    };
    let http = address(args, env, "--http", "LARDER_HTTP", "127.0.0.1:8379");
    let url = http.map_or_else(
        || "http://HOST:PORT".to_owned(),
        |at| format!("http://{at}"),
    );
    let unknown = if resp.is_some() && http.is_some() {
        ""
    } else {
        " (HOST and PORT are in it)"
    };
    format!(
        "xtask: starting larder; when its ready line appears{unknown}, try in another terminal:\n  \
         {cli} SET greeting hello\n  {cli} GET greeting\n  {cli} POLICY LIST\n  \
         curl {url}/metrics\nCtrl-C ends it.\n"
    )
}

/// Where a client reaches the server, as far as it can be told before the start:
/// flag beats environment beats `default`; unknown where a file or the system may choose.
fn address(
    args: &[OsString],
    env: Environment<'_>,
    flag: &str,
    variable: &str,
    default: &str,
) -> Option<SocketAddr> {
    let file = value(args, "--config").or_else(|| env("LARDER_CONFIG"));
    let default = file.is_none().then(|| default.into());
    let text = value(args, flag).or_else(|| env(variable)).or(default)?;
    let mut address: SocketAddr = text
        .to_str()?
        .parse()
        .ok()
        .filter(|at: &SocketAddr| at.port() > 0)?;
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Some(address)
}

/// The value of `--flag VALUE` or `--flag=VALUE`.
pub(crate) fn value(args: &[OsString], flag: &str) -> Option<OsString> {
    args.iter().enumerate().find_map(|(at, arg)| {
        if arg == flag {
            return args.get(at + 1).cloned();
        }
        let text = arg.to_str()?.strip_prefix(flag)?.strip_prefix('=')?;
        Some(OsStr::new(text).to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(args: &str, env: &[(&str, &str)], expected: &[&str]) {
        let args: Vec<OsString> = args.split_whitespace().map(OsString::from).collect();
        let found = hints(&args, &|name| {
            env.iter()
                .find(|(variable, _)| *variable == name)
                .map(|(_, value)| value.into())
        });
        for text in expected {
            assert!(found.contains(text), "{text:?} is missing in:\n{found}");
        }
    }

    #[test]
    fn hints_name_the_real_addresses() {
        let plain = [
            "redis-cli -p 6379 SET greeting hello\n",
            "curl http://127.0.0.1:8379/metrics\n",
        ];
        check("", &[], &plain);
        check(
            "--listen 127.0.0.1:7000",
            &[("LARDER_LISTEN", "127.0.0.1:7001")],
            &["-p 7000 GET"],
        );
        check(
            "--threads 2",
            &[("LARDER_LISTEN", "10.0.0.1:7001")],
            &["-h 10.0.0.1 -p 7001 GET"],
        );
        check(
            "--listen=0.0.0.0:7000 --http=[::]:80",
            &[],
            &["cli -p 7000 ", "http://[::1]:80/"],
        );
    }

    #[test]
    fn what_only_the_server_knows_is_left_to_its_ready_line() {
        let unknown = ["HOST and PORT are in it", "redis-cli -h HOST -p PORT SET"];
        check("--listen 127.0.0.1:0", &[], &unknown);
        check("--config larder.toml", &[], &unknown);
        check("", &[("LARDER_CONFIG", "larder.toml")], &unknown);
        check(
            "--config larder.toml --listen 127.0.0.1:7000",
            &[],
            &["-p 7000", "http://HOST:PORT/"],
        );
    }
}
