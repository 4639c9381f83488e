use super::*;
use std::path::Path;

fn layers(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Layers {
    let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    let environment: Vec<_> = environment.iter().map(owned).collect();
    let flags = flags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Layers {
        file: file::File::parse("l.toml", file),
        environment: environment::own(&environment),
        flags: flags.collect(),
    }
}

fn in_file(text: &str) -> Loaded {
    check(&layers(text, &[], &[])).unwrap()
}

/// Asserts that exactly these problems are reported, in this order.
fn refused(layers: &Layers, expected: &str) {
    let problems = check(layers).expect_err(expected).to_string();
    let expected: Vec<_> = expected.lines().map(str::trim).collect();
    assert_eq!(problems.lines().collect::<Vec<_>>(), expected);
}

mod codec;
mod hooks;
mod levels;
mod loaders;
mod precedence;
mod problems;
mod round_trip;
mod tenants;
mod tls;
mod users;
