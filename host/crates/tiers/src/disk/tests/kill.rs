//! A process that writes is killed, again and again.

use std::collections::HashMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use larder_engine::tier::{Tier, TierChange, TierKeyBuf};
use xxhash_rust::xxh3::xxh3_64;

use super::support::{NOW, opened};
use crate::conformance::{key, stored, tell};
use crate::disk::{Disk, DiskOptions};

const FOLDER: &str = "LARDER_TEST_DISK";
const KILLS: usize = 10;
const KEYS: u64 = 300;

fn open(path: &Path) -> Disk {
    let options = DiskOptions {
        folder: path.into(),
        // Reclaimed several times a second; what lives is a tenth of it.
        bytes_max: 4 << 20,
        index_bytes_max: u64::MAX,
        sync_every: None,
    };
    opened(&options)
}

fn random(batch: u64, n: u64) -> u64 {
    xxh3_64([batch.to_le_bytes(), n.to_le_bytes()].as_flattened())
}

fn value(random: u64) -> Vec<u8> {
    random.to_le_bytes().repeat(1 + random as usize / 7 % 300)
}

/// The changes of a batch: the value's random number under each key, or none.
fn changes(batch: u64) -> Vec<(u64, Option<u64>)> {
    let changes = (0..1 + random(batch, 0) % 30).map(|n| {
        let random = random(batch, n + 1);
        (
            random % KEYS,
            (!(random / KEYS).is_multiple_of(5)).then_some(random),
        )
    });
    changes.collect()
}

fn name(of: u64) -> TierKeyBuf {
    key(of.to_le_bytes())
}

/// What is killed. It is no test by itself.
#[test]
#[ignore = "run by the test beside it"]
fn child() {
    let Some(path) = env::var_os(FOLDER) else {
        return;
    };
    let disk = open(Path::new(&path));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut first = String::new();
    std::io::stdin().read_line(&mut first).unwrap();
    let mut out = std::io::stdout();
    for batch in first.trim().parse::<u64>().unwrap().. {
        let changes = changes(batch).into_iter().map(|(of, put)| match put {
            Some(random) => TierChange::Put(name(of), Arc::new(stored(&value(random)))),
            None => TierChange::Delete(name(of)),
        });
        let changes: Vec<_> = changes.collect();
        let results = runtime.block_on(tell(&disk, &changes, NOW));
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        // In one write, so that a line is whole or absent.
        out.write_all(format!("\ndone {batch}\n").as_bytes())
            .unwrap();
        out.flush().unwrap();
    }
}

/// Lets a child write from a batch on, kills it after so many answers, and tells the last it gave.
fn killed(folder: &Path, first: u64, answers: u64) -> u64 {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([
            "--exact",
            "disk::tests::kill::child",
            "--ignored",
            "--nocapture",
            "--test-threads=1",
        ])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(child.stdin.take().unwrap(), "{first}").unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    while text.matches("done ").count() < answers as usize {
        assert!(
            lines.read_line(&mut text).unwrap() > 0,
            "the child has ended by itself: {text}"
        );
    }
    child.kill().unwrap();
    lines.read_to_string(&mut text).unwrap();
    child.wait().unwrap();
    let last = text
        .lines()
        .filter_map(|line| line.strip_prefix("done "))
        .next_back();
    last.unwrap().parse().unwrap()
}

#[test]
fn what_was_answered_survives_being_killed() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut model: HashMap<u64, Option<u64>> = HashMap::new();
    let mut next = 0;
    for kill in 0..KILLS {
        let last = killed(folder.path(), next, 20 + random(kill as u64, 99) % 200);
        for batch in next..=last {
            model.extend(changes(batch));
        }
        // The one after that may be there in part.
        let begun = changes(last + 1);
        next = last + 2;
        let disk = open(folder.path());
        for of in 0..KEYS {
            let found = runtime.block_on(disk.read(&name(of), NOW)).unwrap();
            let found = found.map(|stored| Vec::from(stored.value));
            let before = model.get(&of).copied().flatten();
            let mut may_be = vec![before];
            may_be.extend(
                begun
                    .iter()
                    .filter(|(key, _)| *key == of)
                    .map(|(_, put)| *put),
            );
            let is = may_be.into_iter().find(|put| put.map(value) == found);
            let is = is.unwrap_or_else(|| panic!("kill {kill}: key {of} has {found:?}"));
            model.insert(of, is);
        }
        let figures = disk.figures();
        assert_eq!(
            (figures.damaged, figures.evictions),
            (0, 0),
            "kill {kill}: {figures:?}"
        );
        runtime.block_on(disk.close());
    }
}
