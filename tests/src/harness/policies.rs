//! Policies to drop into a server's folder, and what the server says of them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use larder_resp::Value;

use super::client::Client;
use super::patience::eventually;
use super::program::target;
use super::server::Server;

/// The file of one of the repository's policies.
///
/// # Panics
/// When it cannot be built.
#[track_caller]
pub fn policy(name: &str) -> PathBuf {
    let file = built().join(format!("{name}.wasm"));
    assert!(file.is_file(), "there is no policy {}", file.display());
    file
}

/// The folder of the policies that belong to a sample configuration, with their side-cars.
///
/// # Panics
/// Likewise.
#[track_caller]
pub fn policies_of(sample: &str) -> PathBuf {
    let folder = built().join(sample);
    assert!(folder.is_dir(), "there is no folder {}", folder.display());
    folder
}

#[track_caller]
fn built() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(build)
}

fn build() -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = target();
    let mut command = Command::new(cargo);
    command
        .args(["run", "--quiet", "--package", "xtask", "--target-dir"])
        .arg(&target)
        .args(["--", "policies"])
        .env("CARGO_TARGET_DIR", &target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .stdin(Stdio::null());
    let output = command.output().expect("cargo can be started");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}\n{said}");
    target.join("policies")
}

/// WebAssembly in a file of this name in the folder of a server's policies: moved there, so that it
/// is never there in part.
///
/// # Panics
/// When it cannot be written.
#[track_caller]
pub fn drop_policy(folder: &Path, name: &str, wasm: &[u8]) {
    fs::create_dir_all(folder).expect("the folder can be made");
    let hidden = folder.join(format!(".{name}.part"));
    fs::write(&hidden, wasm).expect("the policy can be written");
    fs::rename(&hidden, folder.join(name)).expect("the policy can be moved");
}

/// A row of POLICY LIST.
pub type Row = BTreeMap<String, String>;

impl Server {
    /// The folder that it watches, where it was started with `--data` of its own.
    pub fn policies(&self) -> PathBuf {
        self.folder().join("data/policies.d")
    }

    /// What POLICY LIST says, by name.
    ///
    /// # Panics
    /// When it is no list.
    #[track_caller]
    pub fn policy_rows(&self) -> BTreeMap<String, Row> {
        let rows = match self.client().call(&["POLICY", "LIST"]) {
            Value::Array(rows) => rows,
            other => panic!("POLICY LIST was answered with {other:?}"),
        };
        let rows = rows.iter().map(row);
        rows.map(|row| (row["name"].clone(), row)).collect()
    }

    /// Waits until a policy is in a state, and returns its row.
    ///
    /// # Panics
    /// When that does not come.
    #[track_caller]
    pub fn await_policy(&self, name: &str, state: &str) -> Row {
        let mut last = String::new();
        let found = super::patience::within(super::patience::PATIENCE, || {
            let rows = self.policy_rows();
            last = format!("{rows:?}");
            rows.get(name).filter(|row| row["state"] == state).cloned()
        });
        match found {
            Some(row) => row,
            None => panic!("{name} is not {state}: {last}\n{}", self.process().stderr()),
        }
    }

    /// Waits until a policy is not listed any more.
    ///
    /// # Panics
    /// When it stays.
    #[track_caller]
    pub fn await_no_policy(&self, name: &str) {
        eventually(&format!("{name} is gone"), || {
            (!self.policy_rows().contains_key(name)).then_some(())
        });
    }

    /// A field of POLICY INFO.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn policy_info(&self, name: &str, field: &str) -> String {
        let info = row(&self.client().call(&["POLICY", "INFO", name]));
        match info.get(field) {
            Some(value) => value.clone(),
            None => panic!("no {field} in {info:?}"),
        }
    }
}

/// The names and values of a map, which RESP2 makes an array.
#[track_caller]
fn row(value: &Value) -> Row {
    let Value::Array(items) = value else {
        panic!("no map: {value:?}");
    };
    let text = |value: &Value| match value {
        Value::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("no string: {other:?}"),
    };
    items
        .chunks_exact(2)
        .map(|pair| (text(&pair[0]), text(&pair[1])))
        .collect()
}

/// What a client reads of a key's decisions and standing.
///
/// # Panics
/// When CACHE.EXPLAIN gives no map.
#[track_caller]
pub fn explain(client: &mut Client, key: &str) -> BTreeMap<String, Value> {
    let Value::Array(items) = client.call(&["CACHE.EXPLAIN", key]) else {
        panic!("CACHE.EXPLAIN gives no map");
    };
    let name = |value: &Value| match value {
        Value::Bulk(Some(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => panic!("no name: {other:?}"),
    };
    items
        .chunks_exact(2)
        .map(|pair| (name(&pair[0]), pair[1].clone()))
        .collect()
}
