use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use super::*;
use crate::sandbox::{Limits, Sandbox, SandboxConfig, Settings};
use crate::testing::guest;

fn sandbox(folder: &Path) -> Result<Arc<Sandbox>, Refusal> {
    Sandbox::new(SandboxConfig {
        cache_dir: Some(folder.to_owned()),
        limits: Limits::default(),
    })
}

fn load(folder: &Path, module: &[u8]) {
    sandbox(folder)
        .unwrap()
        .load("p", module, &Settings::default(), Arc::default())
        .unwrap();
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn compiled_code_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/here");
    load(&folder, &guest(&[]));
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let [file] = &files(&folder)[..] else {
        panic!("{:?}", files(&folder));
    };
    assert_eq!(mode(file), 0o600);

    let engine = &sandbox(&folder).unwrap().engine;
    let digest: [u8; 32] = Sha256::digest(guest(&[])).into();
    let cache = CodeCache::new(folder.clone(), engine).unwrap();
    let compiles = || -> Result<Module, Refusal> { panic!("it is compiled again") };
    cache.get_or_compile(engine, &digest, compiles).unwrap();
}

#[test]
fn what_is_damaged_is_compiled_anew_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    load(&folder, &guest(&[]));
    let file = files(&folder).remove(0);
    let whole = fs::read(&file).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&flipped[..], &whole[..whole.len() / 2], &whole[..7], b""] {
        fs::write(&file, damaged).unwrap();
        load(&folder, &guest(&[]));
        let healed = fs::read(&file).unwrap();
        assert_eq!(
            Sha256::digest(&healed[DIGEST_BYTES..])[..],
            healed[..DIGEST_BYTES]
        );
    }
}

#[test]
fn another_module_has_another_file_and_the_number_is_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    load(&folder, &guest(&[]));
    let first = files(&folder).remove(0);
    let long_ago = SystemTime::UNIX_EPOCH;
    for n in 0..FILES_MAX - 1 {
        let file = File::create(folder.join(format!("{n}.{ENDING}"))).unwrap();
        file.set_modified(long_ago).unwrap();
    }
    load(&folder, &guest(&[("ttl", "(i64.const -3)")]));
    assert_eq!(files(&folder).len(), FILES_MAX);
    assert!(first.exists(), "the oldest goes first");
}

#[test]
fn a_folder_that_others_may_write_into_is_not_trusted() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
    let Err(Refusal(why)) = sandbox(folder.path()) else {
        panic!("it is trusted");
    };
    assert!(why.contains("others may write into the folder"), "{why}");
    assert!(why.contains("mode 700"), "{why}");

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let Err(Refusal(why)) = sandbox(&file) else {
        panic!("a file is no folder");
    };
    assert!(why.contains("cannot be made"), "{why}");
}

#[test]
fn a_folder_that_others_may_write_into_later_costs_time_only() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("cache");
    let sandbox = sandbox(&folder).unwrap();
    let load = || sandbox.load("p", &guest(&[]), &Settings::default(), Arc::default());
    assert!(load().is_ok());
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(load().is_ok());
    fs::remove_dir_all(&folder).unwrap();
    assert!(load().is_ok());
}
