//! Rules that no tool of the ecosystem checks, over every file that is, or would be, committed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::root;

const RUST_LINES_MAX: usize = 500;
const TOP: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "README.md",
    "host",
    "policies",
    "sdk",
    "tests",
    "benches",
];
// In pieces: this file keeps the rules too.
const MARKERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];
const STUBS: [&str; 2] = [concat!("todo", "!("), concat!("unimplemented", "!(")];
const MACHINE_FOLDERS: [&str; 4] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
];

/// What is wrong with a file, by its path in the repository and its text.
fn problems(path: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let rust = path.extension().is_some_and(|extension| extension == "rs");
    let count = text.lines().count();
    if rust && count > RUST_LINES_MAX {
        found.push(format!(
            "{count} lines, at most {RUST_LINES_MAX}: split it by concern"
        ));
    }
    for (at, line) in text.lines().enumerate() {
        let at = at + 1;
        let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
        if let Some(marker) = MARKERS
            .iter()
            .find(|marker| words().any(|word| word == **marker))
        {
            found.push(format!("line {at}: {marker}: do it, or leave it out"));
        }
        if let Some(stub) = STUBS.iter().find(|stub| rust && line.contains(**stub)) {
            found.push(format!("line {at}: {stub}: write it, or leave it out"));
        }
        if let Some(folder) = MACHINE_FOLDERS
            .iter()
            .find(|folder| names_root_of(line, folder))
        {
            found.push(format!(
                "line {at}: {folder} is a path of one machine: make it relative"
            ));
        }
    }
    found
}

/// Whether `line` has `folder` as the beginning of a path, not inside of one.
fn names_root_of(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"_-./~}".contains(c))
    })
}

fn allowed_at_top(name: &str) -> bool {
    TOP.contains(&name) || name.starts_with('.')
}

/// Files of the repository that git does not ignore, sorted, paths relative to its folder.
fn files() -> Vec<PathBuf> {
    let ignored = ignored();
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder can be read") {
            let entry = entry.expect("a folder can be read to its end");
            let path = folder.join(entry.file_name());
            if ignored.contains(&path) {
                continue;
            }
            let kind = entry.file_type().expect("an entry has a type");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What `.gitignore` names, each line one path from the top.
fn ignored() -> Vec<PathBuf> {
    let text = fs::read_to_string(root().join(".gitignore")).expect(".gitignore can be read");
    let lines = text.lines().map(|line| {
        let path = line
            .strip_prefix('/')
            .filter(|path| !path.contains(['*', '!']));
        PathBuf::from(path.expect("each line of .gitignore is one path from the top, as /target"))
    });
    lines.chain([PathBuf::from(".git")]).collect()
}

#[test]
fn the_repository_is_tidy() {
    let mut found = Vec::new();
    for path in files() {
        // What is no text (the corpora of the fuzzers) has no lines to judge.
        let Ok(text) = fs::read_to_string(root().join(&path)) else {
            continue;
        };
        found.extend(
            problems(&path, &text)
                .into_iter()
                .map(|what| format!("{}: {what}", path.display())),
        );
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn the_top_level_holds_what_the_layout_says() {
    let ignored = ignored();
    for entry in fs::read_dir(root()).expect("the repository can be read") {
        let name = entry
            .expect("the repository can be read to its end")
            .file_name();
        let known =
            allowed_at_top(&name.to_string_lossy()) || ignored.contains(&PathBuf::from(&name));
        assert!(
            known,
            "{name:?} does not belong at the top level: move it into one of {TOP:?}"
        );
    }
}

#[test]
fn each_rule_finds_what_it_is_for() {
    let check = |path: &str, text: &str, expected: Option<&str>| {
        let found = problems(Path::new(path), text);
        match expected {
            Some(part) => assert!(
                found.len() == 1 && found[0].contains(part),
                "{text:?}: {found:?}"
            ),
            None => assert!(found.is_empty(), "{text:?}: {found:?}"),
        }
    };
    check("a.rs", &"\n".repeat(RUST_LINES_MAX), None);
    check("a.rs", &"\n".repeat(RUST_LINES_MAX + 1), Some("501 lines"));
    check("a.json", &"\n".repeat(RUST_LINES_MAX + 1), None);
    for marker in MARKERS {
        check("a.md", &format!("\n- {marker}: later"), Some("line 2"));
        check(
            "a.md",
            &format!("mktemp {marker}{marker}, {marker}ED"),
            None,
        );
    }
    for stub in STUBS {
        check("a.rs", &format!("    {stub}\"later\")"), Some("line 1"));
        check("a.md", stub, None);
    }
    for folder in MACHINE_FOLDERS {
        check("a.sh", &format!("cd {folder}me"), Some("line 1"));
        check("a.sh", &format!("path={folder}me"), Some("line 1"));
        check(
            "a.sh",
            &format!("ls tests{folder}, $DIR{folder}, ..{folder}, ${{DIR}}{folder}"),
            None,
        );
    }
}
