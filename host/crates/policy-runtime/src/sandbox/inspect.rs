//! A look through a file without compiling it, so that what is no policy is refused cheaply.

use larder_abi::{MANIFEST_BYTES_MAX, MANIFEST_SECTION, export, import};
use wasmtime::wasmparser::{
    self, ExternalKind, FunctionBody, ImportSectionReader, MemorySectionReader, Operator, Parser,
    Payload,
};

use super::{Limits, Refusal};

const MAGIC: &[u8] = b"\0asm";
const MODULE_HEADER: &[u8] = b"\0asm\x01\0\0\0";
const PAGE_BYTES: u64 = 64 * 1024;

/// Functions of a module, each of which may cost an instance some bytes outside of its memory.
const FUNCTIONS_MAX: usize = 1 << 16;
/// Bytes of one function: compiling a huge one takes many times its size in time and memory.
const FUNCTION_BYTES_MAX: usize = 128 * 1024;
/// Blocks within blocks of a function: the time to compile them grows with the square of their depth.
const NESTING_MAX: usize = 1_000;
/// Global variables of a module, which are outside of its memory too.
const GLOBALS_MAX: usize = 1 << 12;
/// Forbidden imports that are named; more would help nobody.
const NAMED_MAX: usize = 5;

/// What was seen so far.
#[derive(Default)]
struct Seen<'a> {
    custom_section_bytes: usize,
    manifest: Option<&'a [u8]>,
    forbidden: Vec<String>,
    /// The version of the contract that it was made for.
    version: Option<&'a str>,
    has_memory: bool,
}

/// Looks through a file. Returns its manifest.
///
/// # Errors
/// Why it is not taken.
pub(super) fn inspect<'a>(module: &'a [u8], limits: &Limits) -> Result<&'a [u8], Refusal> {
    check_head(module, limits)?;
    let mut seen = Seen::default();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| damaged(&error))?;
        seen.look_at(payload, limits)?;
    }
    seen.conclude()
}

fn damaged(error: &wasmparser::Error) -> Refusal {
    Refusal(format!("it is damaged or cut short: {error}"))
}

fn check_head(module: &[u8], limits: &Limits) -> Result<(), Refusal> {
    let bytes = module.len();
    if bytes > limits.module_bytes_max {
        return Err(Refusal(format!(
            "it has {bytes} bytes, and {} are allowed",
            limits.module_bytes_max
        )));
    }
    if module.starts_with(MODULE_HEADER) {
        return Ok(());
    }
    let why = if bytes == 0 {
        "it is empty".to_owned()
    } else if MODULE_HEADER.starts_with(module) {
        format!("it is cut short: it has only {bytes} bytes")
    } else if module.starts_with(MAGIC) {
        "it is WebAssembly, but no core module of version 1, which policies are; components are not \
         taken"
            .to_owned()
    } else {
        "it is not WebAssembly".to_owned()
    };
    Err(Refusal(why))
}

impl<'a> Seen<'a> {
    fn look_at(&mut self, payload: Payload<'a>, limits: &Limits) -> Result<(), Refusal> {
        match payload {
            Payload::CustomSection(section) => {
                self.custom_section(section.name(), section.data(), limits)
            }
            Payload::ImportSection(imports) => self.imports(imports).map_err(|e| damaged(&e)),
            Payload::MemorySection(memories) => memory(memories, limits),
            Payload::FunctionSection(functions) => {
                at_most("functions", functions.count() as usize, FUNCTIONS_MAX)
            }
            Payload::CodeSectionEntry(function) => {
                let bytes = function.as_bytes().len();
                at_most("bytes in one function", bytes, FUNCTION_BYTES_MAX)?;
                let depth = nesting(&function).map_err(|error| damaged(&error))?;
                at_most("blocks one within the other", depth, NESTING_MAX)
            }
            Payload::GlobalSection(globals) => {
                at_most("globals", globals.count() as usize, GLOBALS_MAX)
            }
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export.map_err(|error| damaged(&error))?;
                    self.export(export.name, export.kind);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn custom_section(
        &mut self,
        name: &str,
        data: &'a [u8],
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.custom_section_bytes += name.len() + data.len();
        if self.custom_section_bytes > limits.custom_section_bytes_max {
            return Err(Refusal(format!(
                "its custom sections take more than {} bytes; strip it of debugging information",
                limits.custom_section_bytes_max
            )));
        }
        if name != MANIFEST_SECTION {
            return Ok(());
        }
        if data.len() > MANIFEST_BYTES_MAX {
            return Err(Refusal(format!(
                "its manifest has {} bytes, and {MANIFEST_BYTES_MAX} are allowed",
                data.len()
            )));
        }
        match self.manifest.replace(data) {
            None => Ok(()),
            Some(_) => Err(Refusal("it has more than one manifest".to_owned())),
        }
    }

    fn imports(&mut self, imports: ImportSectionReader<'a>) -> wasmparser::Result<()> {
        for import in imports.into_imports() {
            let import = import?;
            if (import.module, import.name) != (import::MODULE, import::LOG) {
                let name = format!("{}.{}", shorten(import.module), shorten(import.name));
                self.forbidden.push(name);
            }
        }
        Ok(())
    }

    fn export(&mut self, name: &'a str, kind: ExternalKind) {
        if name == export::MEMORY && kind == ExternalKind::Memory {
            self.has_memory = true;
        }
        if let Some(version) = name.strip_prefix(export::MARKER_PREFIX)
            && (self.version.is_none() || name == export::MARKER)
        {
            self.version = Some(version);
        }
    }

    fn conclude(self) -> Result<&'a [u8], Refusal> {
        let ours = export::MARKER.strip_prefix(export::MARKER_PREFIX);
        let why = if self.version.is_none() {
            format!(
                "it exports no {}, so it is no policy of Larder: is there an export! in src/lib.rs?",
                export::MARKER
            )
        } else if self.version != ours {
            format!(
                "it was built for version {} of the contract ({}{0}), and this server speaks \
                 version {}; build it with an SDK of that version",
                shorten(self.version.unwrap_or("")),
                export::MARKER_PREFIX,
                ours.unwrap_or(""),
            )
        } else if !self.forbidden.is_empty() {
            forbidden(&self.forbidden)
        } else if !self.has_memory {
            format!("it does not export its memory as {}", export::MEMORY)
        } else if let Some(manifest) = self.manifest {
            return Ok(manifest);
        } else {
            format!("it has no manifest: there is no custom section {MANIFEST_SECTION}")
        };
        Err(Refusal(why))
    }
}

fn forbidden(names: &[String]) -> String {
    let named = names[..names.len().min(NAMED_MAX)].join(", ");
    let more = match names.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let hint = match names.iter().any(|name| name.starts_with("wasi")) {
        true => "; build it for wasm32-unknown-unknown, where there is no WASI",
        false => "",
    };
    let allowed = format!("{}.{}", import::MODULE, import::LOG);
    format!("it imports {named}{more}, and policies may import {allowed} only{hint}")
}

fn memory(memories: MemorySectionReader<'_>, limits: &Limits) -> Result<(), Refusal> {
    for memory in memories {
        let memory = memory.map_err(|error| damaged(&error))?;
        if memory.memory64 || memory.shared {
            return Err(Refusal(
                "its memory is 64-bit or shared, and policies have plain 32-bit memory".to_owned(),
            ));
        }
        let bytes = memory.initial.saturating_mul(PAGE_BYTES);
        if bytes > limits.memory_bytes_max as u64 {
            return Err(Refusal(format!(
                "it wants {bytes} bytes of memory from the start, and {} are allowed; the \
                 limits.memory of its side-car can raise that",
                limits.memory_bytes_max
            )));
        }
    }
    Ok(())
}

/// How deep the blocks of a function are nested.
fn nesting(function: &FunctionBody<'_>) -> wasmparser::Result<usize> {
    let (mut depth, mut deepest) = (0usize, 0);
    for operator in function.get_operators_reader()? {
        match operator? {
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => depth += 1,
            Operator::End => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    Ok(deepest)
}

fn at_most(what: &str, count: usize, max: usize) -> Result<(), Refusal> {
    match count <= max {
        true => Ok(()),
        false => Err(Refusal(format!(
            "it has {count} {what}, and {max} are allowed"
        ))),
    }
}

/// A name as it can be printed: guests choose theirs freely.
fn shorten(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
}
