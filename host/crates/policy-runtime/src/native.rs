//! Policies that are compiled in are set as those from files are.

use larder_abi::write_setup;

use crate::policy::Manifest;
use crate::sandbox::{Given, Refusal, Settings};

impl Settings {
    /// Parameters as a command line names them: numbers, `true` and `false`, lists in brackets, and
    /// everything else a text. See [`Self::parameters`].
    pub fn from_texts(texts: &[(String, String)]) -> Self {
        let given = texts.iter().map(|(name, text)| (name.clone(), given(text)));
        Self {
            parameters: given.collect(),
            ..Self::default()
        }
    }
}

fn given(text: &str) -> Given {
    let value = format!("value = {text}").parse::<toml::Table>();
    let value = value.ok().and_then(|mut table| table.remove("value"));
    match value {
        Some(toml::Value::Integer(int)) => Given::Int(int),
        Some(toml::Value::Float(float)) => Given::Float(float),
        Some(toml::Value::Boolean(flag)) => Given::Bool(flag),
        Some(toml::Value::Array(items)) => {
            let texts = items.iter().filter_map(|item| item.as_str());
            Given::List(texts.map(str::to_owned).collect())
        }
        _ => Given::Text(text.trim_matches('"').to_owned()),
    }
}

/// The setup of a policy that is compiled in, from its manifest (what `export!` calls `MANIFEST`).
///
/// # Errors
/// All that was given wrongly.
pub fn native_setup(manifest: &str, settings: &Settings, seed: u64) -> Result<Vec<u8>, Refusal> {
    let manifest = Manifest::parse(manifest.as_bytes())?;
    let parameters = manifest.set(settings)?;
    Ok(write_setup(manifest.kinds, seed, &parameters.values))
}

#[cfg(test)]
mod tests {
    use super::*;
    use larder_abi::Setup;

    #[test]
    fn texts_are_read_as_what_they_look_like() {
        for (text, read) in [
            ("10", Given::Int(10)),
            ("-1.5", Given::Float(-1.5)),
            ("true", Given::Bool(true)),
            ("4KiB", Given::Text("4KiB".into())),
            ("\"10\"", Given::Text("10".into())),
            ("[\"a\", \"b\"]", Given::List(vec!["a".into(), "b".into()])),
        ] {
            assert_eq!(given(text), read, "{text}");
        }
    }

    #[test]
    fn a_native_policy_is_set_and_refuses_as_one_from_a_file() {
        let manifest = r#"{"name":"a","kinds":["eviction"],"parameters":[
            {"name":"part","type":"int","min":1,"max":9,"default":3}]}"#;
        let set = |text: &str| {
            let texts = [("part".to_owned(), text.to_owned())];
            native_setup(manifest, &Settings::from_texts(&texts), 7)
        };
        let setup = set("5").unwrap();
        assert_eq!(Setup::new(&setup).seed(), 7);
        assert_ne!(setup, set("6").unwrap());
        let why = set("10").unwrap_err().0;
        assert!(why.contains("'part' is 10"), "{why}");
    }
}
