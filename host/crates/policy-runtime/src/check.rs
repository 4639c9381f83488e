//! What a server would say to a file, without a server.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use larder_abi::Kinds;

use crate::folder::side_car::SideCar;
use crate::policy::Figures;
use crate::sandbox::{Refusal, Sandbox, SandboxConfig};

/// A policy that would be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// As its manifest says.
    pub name: String,
    /// As its manifest says.
    pub version: String,
    /// What it decides.
    pub kinds: Kinds,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// What can be set, as it is with the side-car.
    pub parameters: Vec<CheckedParameter>,
}

/// A parameter of a policy that would be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedParameter {
    /// Its name.
    pub name: String,
    /// What it is.
    pub value: String,
    /// What it is for, as its author says.
    pub about: String,
}

/// Checks the file of a policy with that side-car, if there is one, as a server does that has the
/// tenant which that names: everything but the residents that it would be told of.
///
/// # Errors
/// Why it would be refused.
pub fn check(file: &Path, side_car: &Path) -> Result<Checked, Refusal> {
    let sandbox = Sandbox::new(SandboxConfig::default())?;
    let module = read(file, sandbox.limits().module_bytes_max)?;
    let text = match fs::read_to_string(side_car) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        text => text.map_err(|error| Refusal(format!("{}: {error}", side_car.display())))?,
    };
    let shown = side_car.file_name().unwrap_or_default().to_string_lossy();
    let tenants = [Some("default".to_owned()), tenant(&text)];
    let tenants: Vec<_> = tenants.into_iter().flatten().collect();
    let side_car = SideCar::parse(&shown, &text, &tenants).map_err(Refusal)?;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let policy = sandbox.load(
        &stem,
        &module,
        &side_car.settings,
        Arc::<Figures>::default(),
    )?;
    side_car
        .check_kinds(&shown, policy.kinds())
        .map_err(Refusal)?;
    let manifest = policy.manifest();
    let parameters = manifest.parameters.iter().zip(policy.parameters());
    let parameters = parameters.map(|(declared, (name, value))| CheckedParameter {
        name: name.clone(),
        value: value.clone(),
        about: declared.about.clone(),
    });
    Ok(Checked {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        kinds: manifest.kinds,
        digest: policy.digest().to_owned(),
        parameters: parameters.collect(),
    })
}

fn read(file: &Path, bytes_max: usize) -> Result<Vec<u8>, Refusal> {
    let refused = |error: io::Error| Refusal(format!("{}: {error}", file.display()));
    let mut module = Vec::new();
    File::open(file)
        .map_err(refused)?
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut module)
        .map_err(refused)?;
    if module.len() > bytes_max {
        return Err(Refusal(format!(
            "{}: it has more than the {bytes_max} bytes that are allowed",
            file.display()
        )));
    }
    Ok(module)
}

/// The tenant that a side-car names: whether a server has it is not known here.
fn tenant(side_car: &str) -> Option<String> {
    let table: toml::Table = side_car.parse().ok()?;
    table.get("tenant")?.as_str().map(str::to_owned)
}
