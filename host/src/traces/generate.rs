//! `larder trace generate`: a trace made up.

use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use larder_simulator::trace::Generator;

use super::options::{seconds, share, sizes};
use super::output::OutputArgs;

const DAY_SECONDS: f64 = 86_400.0;
/// As clap exits for what it finds wrong itself.
const EXIT_WRONG: u8 = 2;

const EXAMPLES: &str = "\
Examples:
  larder trace generate made.oracleGeneral.zst               1,000,000 requests, zipf and nothing else
  larder trace generate hard.zst --drift 100 --one-hit 10% --scan 10% --loop 10%
  larder trace generate day.zst --daily 50% --rate 4         three days
  larder trace generate music.zst --playlist 60% --playlists 5000 --playlist-length 20
  larder trace generate visits.zst --playlist 100% --shuffled 100%     sessions: each asks for what it always does, in any order
  larder trace generate ttl.csv --size 100..64KiB --ttl 60..3600 --seed 7

Exit codes: 0 done; 1 OUT could not be written (nothing is left behind); 2 wrong command line.";

/// Make up a trace: zipf, drift, one-hit objects, scans, a loop, days, playlists
///
/// What is not asked for is not there. The requests that no share is set apart for ask for objects of
/// a catalogue, some of them far more often than others. The same command line makes the same trace
/// everywhere. Memory follows the objects, as in `larder trace convert`.
#[derive(Debug, Clone, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct GenerateArgs {
    #[command(flatten)]
    output: OutputArgs,
    /// Requests in all
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
    /// Objects of the catalogue
    #[arg(long, default_value_t = 100_000)]
    objects: u64,
    /// Skew of the popularity, of objects and of playlists: from 0 (none) to 20
    #[arg(long, default_value_t = 0.9)]
    zipf: f64,
    /// Requests to the catalogue after which its favourite gives way to an object that nobody asked
    /// for; 0: never
    #[arg(long, default_value_t = 0, value_name = "REQUESTS")]
    drift: u64,
    /// Share of the requests for objects that are asked for once and never again
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = share)]
    one_hit: f64,
    /// Share of the requests that scan a stretch of the catalogue
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = share)]
    scan: f64,
    /// Objects that a scan sweeps
    #[arg(long, default_value_t = 2_000, value_name = "OBJECTS")]
    scan_objects: u64,
    /// Share of the requests that sweep a set of their own, again and again
    #[arg(long = "loop", default_value = "0%", value_name = "SHARE", value_parser = share)]
    looped: f64,
    /// Objects of that set
    #[arg(long, default_value_t = 10_000, value_name = "OBJECTS")]
    loop_objects: u64,
    /// Share of the requests that ask for the next track of a playlist
    ///
    /// Several playlists are under way at once; which goes on is chance. Each plays to its end and
    /// gives way to another. A track has one place in one playlist, so who knows what was asked for
    /// can know what comes.
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = share)]
    playlist: f64,
    /// Playlists that there are
    #[arg(long, default_value_t = 1_000)]
    playlists: u64,
    /// Tracks of a playlist
    #[arg(long, default_value_t = 12, value_name = "TRACKS")]
    playlist_length: u64,
    /// Playlists that are under way at once
    #[arg(long, default_value_t = 16, value_name = "PLAYLISTS")]
    playlists_at_once: u64,
    /// Share of the plays whose tracks come in an order of their own, as in a visitor's session
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = share)]
    shuffled: f64,
    /// Share of the requests to the catalogue that favour what the hour of the day favours
    ///
    /// Above 0 the rate, too, follows the hour: from a fifth of the mean at night to 1.7 times in the
    /// evening. The trace begins at midnight; what an hour favours comes back the next day.
    #[arg(long, default_value = "0%", value_name = "SHARE", value_parser = share)]
    daily: f64,
    /// Requests a second, on average over a day
    #[arg(long, default_value_t = 1_000.0, value_name = "REQUESTS")]
    rate: f64,
    /// Bytes of an object, MIN..MAX or one size; each keeps its own
    #[arg(long, default_value = "1", value_name = "MIN..MAX", value_parser = sizes)]
    size: RangeInclusive<u32>,
    /// Seconds that an object lives, MIN..MAX or one number, 0 for as long as there is room; needs a
    /// .csv
    #[arg(long, default_value = "0", value_name = "MIN..MAX", value_parser = seconds)]
    ttl: RangeInclusive<u32>,
    /// What all randomness follows from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl GenerateArgs {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        let stream = match self.generator().stream() {
            Ok(stream) => stream,
            Err(why) => return Ok(refused(&why)),
        };
        let (lasts, is_daily) = (self.requests as f64 / self.rate, self.daily > 0.0);
        let has_ttls = *self.ttl.end() > 0;
        let output = self.output.open()?;
        if has_ttls && !output.has_ttls() {
            return Ok(refused(
                "only a .csv can hold times to live; call OUT .csv, or leave out --ttl",
            ));
        }
        if is_daily && lasts < DAY_SECONDS {
            eprintln!(
                "warning: the trace ends after {lasts:.0} seconds of its first day, so that --daily shows \
                 little; lower --rate or make more --requests"
            );
        }
        let count = output.write(stream)?;
        let out = output.path().display();
        writeln!(io::stdout(), "{out}: {count} requests").context("cannot print the result")?;
        Ok(ExitCode::SUCCESS)
    }

    fn generator(&self) -> Generator {
        let ends = |range: &RangeInclusive<u32>| (*range.start(), *range.end());
        Generator {
            seed: self.seed,
            requests: usize::try_from(self.requests).unwrap_or(usize::MAX),
            objects: self.objects,
            zipf: self.zipf,
            drift_requests: self.drift,
            one_hit_share: self.one_hit,
            scan_share: self.scan,
            scan_objects: self.scan_objects,
            loop_share: self.looped,
            loop_objects: self.loop_objects,
            playlist_share: self.playlist,
            playlists: self.playlists,
            playlist_tracks: self.playlist_length,
            listeners: self.playlists_at_once,
            shuffled_share: self.shuffled,
            daily_share: self.daily,
            requests_per_second: self.rate,
            size_bytes: ends(&self.size),
            ttl_seconds: ends(&self.ttl),
        }
    }
}

fn refused(why: &str) -> ExitCode {
    eprintln!("error: {why}");
    ExitCode::from(EXIT_WRONG)
}
