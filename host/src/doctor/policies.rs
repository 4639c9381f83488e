//! The folder of policies: who may write to it decides what the server does, and what lies in it has
//! to be what a server takes.

use std::fs;
use std::path::{Path, PathBuf};

use super::data::closed;
use super::machine::Unreadable;
use super::{Judged, Verdict};
use crate::config::Config;

pub(super) fn check(config: &Config) -> Judged {
    let folder = &config.folders.policies;
    let shown = folder.display();
    if !folder.exists() {
        return Ok(Verdict::fine(format!(
            "{shown} is not there yet, and is made at the start"
        )));
    }
    if let Some(wrong) = closed(folder, folder, "policies")? {
        return Ok(wrong);
    }
    let modules = modules(folder)?;
    for module in &modules {
        if let Err(why) = larder_policy_runtime::check(module, &module.with_extension("toml")) {
            return Ok(Verdict::wrong(
                format!("{} would be refused: {why}", module.display()),
                format!("larder policy check {}", module.display()),
            ));
        }
    }
    Ok(Verdict::fine(match modules.len() {
        0 => format!("{shown} is empty"),
        1 => format!("{shown} holds a policy that a server takes"),
        count => format!("{shown} holds {count} policies, all of which a server takes"),
    }))
}

/// The modules that a server would look at, in order.
fn modules(folder: &Path) -> Result<Vec<PathBuf>, Unreadable> {
    let unreadable = |error| Unreadable::new(folder, error);
    let mut modules = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name.ends_with(b".wasm") && !name.starts_with(b".") {
            modules.push(path);
        }
    }
    modules.sort();
    Ok(modules)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::testing::{assert_fine, assert_wrong, config};
    use super::*;

    #[test]
    fn what_a_server_would_refuse_is_named() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("policies.d");
        let config = config(&[("policies", folder.to_str().unwrap())]);
        assert_fine(check(&config), "not there yet");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(".half.wasm"), "").unwrap();
        assert_fine(check(&config), "is empty");
        fs::write(folder.join("10-a.wasm"), "no module").unwrap();
        assert_wrong(
            check(&config),
            "10-a.wasm would be refused",
            "larder policy check",
        );
        fs::remove_file(folder.join("10-a.wasm")).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o757)).unwrap();
        assert_wrong(check(&config), "every user may write", "chmod o-w");
    }
}
