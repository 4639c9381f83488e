//! What stands below the help of subcommands whose arguments are made elsewhere.

/// The whole program.
pub(super) const LARDER: &str = "\
Examples:
  larder serve                                        serve on 127.0.0.1:6379 with 256 MiB, 4 GiB on disk
  larder serve --memory 1GiB --listen 127.0.0.1:7000
  larder serve --config larder.toml                   settings from a file
  larder check-config --config larder.toml            is the file right?
  larder print-config --config larder.toml            what would be in force, and why
  larder doctor                                       what of this machine is in the way
  larder health                                       is the server ready?
  larder hash-password                                a password for the configuration
  larder keys new keys.ring                           a key ring to seal values on disk with
  larder bench --clients 50 --duration 10s            load a running server
  larder replay trace.oracleGeneral.zst               replay a recorded trace
  larder record --out monday.larder --for 10m         record what clients do
  larder warmup --keys keys.txt                       have a server bring keys into memory
  larder simulate trace.oracleGeneral.zst --policy lru --policy s3-fifo
  larder trace info trace.oracleGeneral.zst           what is in a trace
  larder policy new my-ttl --kind ttl                 begin a policy of your own
  larder predict status                               is what will be asked for fetched before?
  larder completions bash                             a script that completes these

Exit codes: 0 done; 1 failed, or clients were cut off when the server stopped; 2 wrong
configuration, or the server could not start.";

const SETTINGS: &str = "
Each setting can also be a variable of the environment (--limits-clients-max is
LARDER_LIMITS_CLIENTS_MAX) or a key of the file (clients_max in [limits]). A flag beats the
environment, which beats the file. LARDER_CONFIG names the file; LARDER_LOG sets the log by
module (larder_server=debug,warn) in place of the level. Tenants and users are listed in the file.";

/// Examples of a subcommand that takes settings, and where else those come from.
pub(super) fn with_settings(examples: &str) -> String {
    format!("{examples}{SETTINGS}")
}

pub(super) const SERVE: &str = "\
Examples:
  larder serve                                   on 127.0.0.1:6379, with 256 MiB and 4 GiB on disk
  larder serve --l2 none                         in memory alone
  larder serve --l2 redis://127.0.0.1:6380       what memory has no room for is in Redis
  larder serve --l3 redis-cluster://10.0.0.1:7000,10.0.0.2:7000
                                                 on disk, and in a Redis Cluster behind it
  larder serve --memory 4GiB --threads 4 --eviction gdsf
  larder serve --config larder.toml --log-level debug
  larder serve --listen 127.0.0.1:0 --http none  on a free port, which the ready line tells

Exit codes: 0 stopped by a signal, with all that was begun finished; 1 clients were cut off; 2 the
server could not start.
";

pub(super) const CHECK_CONFIG: &str = "\
Examples:
  larder check-config --config larder.toml
  larder check-config --config larder.toml --memory 4GiB   would that be right, too?

Exit codes: 0 it is right; 2 it is not: every problem with its place stands on standard error.
";

pub(super) const PRINT_CONFIG: &str = "\
Examples:
  larder print-config                          all settings, and where each came from
  larder print-config --config larder.toml > in-force.toml
";

pub(super) const DOCTOR: &str = "\
Examples:
  larder doctor                                a machine with the settings that are in force by default
  larder doctor --config larder.toml --memory 4GiB
  larder doctor --format json                  an array of objects: name, verdict, found, mend

Run it as the user, in the container or the service that is to run the server: limits differ. It changes
nothing. Exit codes: 0 all is fine; 1 something is wrong; 2 something could not be looked at, or the
settings are wrong.
";

pub(super) const COMPLETIONS: &str = "\
Examples:
  larder completions bash > ~/.local/share/bash-completion/completions/larder
  larder completions zsh > ~/.zfunc/_larder
  larder completions fish > ~/.config/fish/completions/larder.fish";
