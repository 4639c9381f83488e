//! Whether a compiled policy exports what its kinds need, with the types of the contract.

use larder_abi::{Kinds, export};
use wasmtime::{ExternType, FuncType, Module};

use super::Refusal;

/// All functions of the contract take one i32; this is what they return.
const RESULTS: [(&str, &str); 8] = [
    (export::BUFFER, "(i32)"),
    (export::INIT, "(i32)"),
    (export::EVENTS, "()"),
    (export::VICTIMS, "(i64)"),
    (export::SHOULD_CACHE, "(i32)"),
    (export::TTL, "(i64)"),
    (export::PRIORITY, "(i32)"),
    (export::SECURITY, "(i32)"),
];

/// Checks the functions that a policy of these kinds exports.
///
/// # Errors
/// The first one that is missing or of another type.
pub(super) fn check(module: &Module, kinds: Kinds) -> Result<(), Refusal> {
    require(module, export::BUFFER, "every policy")?;
    require(module, export::INIT, "every policy")?;
    for kind in kinds.iter() {
        for name in kind.exports() {
            let whom = format!(
                "a policy of the kind {} that its manifest names",
                kind.name()
            );
            require(module, name, &whom)?;
        }
    }
    Ok(())
}

fn require(module: &Module, name: &str, whom: &str) -> Result<(), Refusal> {
    let wanted = RESULTS
        .iter()
        .find(|(known, _)| *known == name)
        .map_or_else(String::new, |(_, results)| format!("(i32) -> {results}"));
    let found = match module.get_export(name) {
        None => {
            return Err(Refusal(format!(
                "it does not export {name}, which {whom} has to; its type is {wanted}"
            )));
        }
        Some(ExternType::Func(found)) => show(&found),
        Some(_) => "no function".to_owned(),
    };
    if found == wanted {
        return Ok(());
    }
    Err(Refusal(format!(
        "its export {name} is {found}, where the contract has {wanted}"
    )))
}

fn show(function: &FuncType) -> String {
    let list = |types: Vec<String>| format!("({})", types.join(", "));
    let parameters = function.params().map(|each| each.to_string()).collect();
    let results = function.results().map(|each| each.to_string()).collect();
    format!("{} -> {}", list(parameters), list(results))
}
