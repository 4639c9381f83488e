use larder_abi::Value;

use super::*;
use crate::sandbox::{Given, Settings};

const FULL: &str = r#"{"name":"s3-fifo","version":"0.1.0","about":"one\nline","kinds":["ttl","eviction"],
    "wants_misses":true,"wants_reuse":true,"value_prefix_bytes":64,"newer":[1],"parameters":[
    {"name":"part","type":"int","default":10,"min":1,"max":90,"about":"x","newer":1},
    {"name":"ratio","type":"float","default":1,"min":0.5},
    {"name":"flag","type":"bool","default":true},
    {"name":"text","type":"text","default":"a"},
    {"name":"list","type":"list","default":["a","b"]},
    {"name":"grace","type":"duration","default":1500,"max":2000},
    {"name":"largest","type":"size","default":4096,"max":18446744073709551615}]}"#;

fn full() -> Manifest {
    Manifest::parse(FULL.as_bytes()).unwrap()
}

fn set(given: &[(&str, Given)]) -> Result<Parameters, String> {
    let parameters = given.iter().cloned();
    let places = [("smal".to_owned(), "p.toml:3".to_owned())];
    let settings = Settings {
        parameters: parameters
            .map(|(name, given)| (name.to_owned(), given))
            .collect(),
        places: places.into(),
        ..Settings::default()
    };
    full().set(&settings).map_err(|refusal| refusal.0)
}

fn text(text: &str) -> Given {
    Given::Text(text.to_owned())
}

#[test]
fn a_manifest_says_what_a_policy_is_and_newer_words_are_ignored() {
    let manifest = full();
    assert_eq!(
        (manifest.name.as_str(), manifest.version.as_str()),
        ("s3-fifo", "0.1.0")
    );
    assert_eq!(manifest.about, "one line");
    let kinds: Vec<_> = manifest.kinds.iter().map(Kind::name).collect();
    assert_eq!(kinds, ["eviction", "ttl"]);
    assert!(manifest.wants_misses && manifest.wants_reuse);
    assert_eq!(
        (manifest.value_prefix_bytes, manifest.parameters.len()),
        (64, 7)
    );
}

#[test]
fn what_is_wrong_with_a_manifest_is_said() {
    let parameter = |rest: &str| {
        format!(r#"{{"name":"p","kinds":["ttl"],"parameters":[{{"name":"n",{rest}}}]}}"#)
    };
    for (json, words) in [
        ("[]".to_owned(), "invalid length 0"),
        (r#"{"name":"p"}"#.to_owned(), "missing field `kinds`"),
        (
            r#"{"name":"P","kinds":["ttl"]}"#.to_owned(),
            r#"its name "P" is not 1 to 64"#,
        ),
        (r#"{"name":"p","kinds":[]}"#.to_owned(), "names no kind"),
        (
            r#"{"name":"p","kinds":["x"]}"#.to_owned(),
            "no kind \"x\"; there are eviction, should_cache",
        ),
        (
            r#"{"name":"p","kinds":["ttl"],"value_prefix_bytes":4097}"#.to_owned(),
            "wants 4097 bytes of each value, and 4096 can be had",
        ),
        (
            parameter(r#""type":"uint","default":1"#),
            "unknown variant `uint`",
        ),
        (
            parameter(r#""type":"int","default":"1""#),
            "the default of its parameter n is \"1\"",
        ),
        (
            parameter(r#""type":"int","default":1,"min":"0""#),
            "the min of its parameter n is \"0\"",
        ),
        (
            parameter(r#""type":"int","default":1,"min":2"#),
            "the default of its parameter n is 1, which is not a whole number of at least 2",
        ),
        (
            parameter(r#""type":"size","default":-1"#),
            "the default of its parameter n is -1",
        ),
        (
            parameter(r#""type":"list","default":[1]"#),
            "the default of its parameter n is [1]",
        ),
        (
            parameter(r#""type":"int","default":1},{"name":"n","type":"int","default":1"#),
            "two parameters n",
        ),
    ] {
        let why = Manifest::parse(json.as_bytes()).unwrap_err().0;
        assert!(why.starts_with("its manifest cannot be used: "), "{why}");
        assert!(why.contains(words), "{words:?} is not in: {why}");
    }
    assert!(Manifest::parse(b"\xff").is_err());
}

#[test]
fn parameters_have_their_defaults_or_what_was_given() {
    let defaults = set(&[]).unwrap();
    let values = [
        Value::Int(10),
        Value::Float(1.0),
        Value::Bool(true),
        Value::Text("a".into()),
        Value::List(vec!["a".into(), "b".into()]),
        Value::Int(1500),
        Value::Int(4096),
    ];
    assert_eq!(defaults.values, values);
    let shown: Vec<_> = defaults
        .shown
        .iter()
        .map(|(_, value)| value.as_str())
        .collect();
    assert_eq!(shown, ["10", "1", "true", "a", "a, b", "1500ms", "4KiB"]);
    let given = set(&[
        ("part", Given::Int(90)),
        ("ratio", Given::Int(2)),
        ("flag", Given::Bool(false)),
        ("text", text("")),
        ("list", Given::List(Vec::new())),
        ("grace", text("2s")),
        ("largest", text("1MiB")),
    ]);
    let values = [
        Value::Int(90),
        Value::Float(2.0),
        Value::Bool(false),
        Value::Text(String::new()),
        Value::List(Vec::new()),
        Value::Int(2000),
        Value::Int(1 << 20),
    ];
    assert_eq!(given.unwrap().values, values);
}

#[test]
fn all_that_is_given_wrongly_is_said_at_once() {
    let why = set(&[
        ("smal", Given::Int(1)),
        ("part", Given::Int(91)),
        ("ratio", Given::Float(0.25)),
        ("flag", text("yes")),
        ("text", Given::Int(1)),
        ("list", text("a")),
        ("grace", Given::Int(5)),
        ("largest", Given::Int(-1)),
    ])
    .unwrap_err();
    for words in [
        "p.toml:3: there is no parameter 'smal'; there are part, ratio, flag,",
        "; parameter 'part' is 91, and has to be a whole number from 1 to 90;",
        "'ratio' is 0.25, and has to be a number of at least 0.5;",
        "'flag' is \"yes\", and has to be true or false;",
        "'text' is 1, and has to be a text in quotes;",
        "'list' is \"a\", and has to be a list of texts;",
        "'grace' is 5, and has to be a duration such as \"30s\" of at most 2s;",
        "'largest' is -1, and has to be a size such as \"4KiB\" of at most",
    ] {
        assert!(why.contains(words), "{words:?} is not in: {why}");
    }
    let bare = Manifest::parse(br#"{"name":"p","kinds":["ttl"]}"#).unwrap();
    let given = (0..20).map(|n| (format!("n{n:02}"), Given::Int(1)));
    let settings = Settings {
        parameters: given.collect(),
        ..Settings::default()
    };
    let why = bare.set(&settings).unwrap_err().0;
    assert!(
        why.contains("there is no parameter 'n09'; there are none; and 10 more"),
        "{why}"
    );
}
