//! The `[[tenant]]` tables: who shares the memory, and how.

use std::collections::BTreeMap;

use larder_engine::TENANT_BYTES_MIN;

use super::declared::SIZE_MAX;
use super::file::{Entry, TenantTable};
use super::kinds::EvictionName;
use super::kinds::{Kind, Size, quoted};
use super::reader::Reader;
use super::{ByteSize, Eviction, Tenant};

/// The tenant of whoever names none: always there, always the first.
pub(super) const DEFAULT: &str = "default";

/// Names stand in metrics, commands and paths.
const NAME_BYTES_MAX: usize = 64;
const NAME_ALLOWED: &str = "1 to 64 characters of a-z, 0-9, _ and -";

const MEMORY: Size = Size(ByteSize::new(TENANT_BYTES_MIN)..=SIZE_MAX);

const KEYS: [&str; 3] = ["name", "memory", "eviction"];

/// What one table says. A name is there, unless it was a problem; the memory may be left out of
/// the default tenant's.
struct Draft {
    name: Option<String>,
    memory: Option<ByteSize>,
    /// Where the memory stands, or would.
    line: usize,
    eviction: Eviction,
}

/// Reads the tenants of a server with that memory, and that eviction policy for those that name
/// none.
pub(super) fn read(reader: &mut Reader<'_>, memory: ByteSize, eviction: Eviction) -> Vec<Tenant> {
    let layers = reader.layers;
    let problems_before = reader.problems.len();
    let tables = &layers.file.tenants;
    let drafts: Vec<_> = tables
        .iter()
        .map(|table| draft(reader, table, eviction))
        .collect();
    refuse_double_names(reader, tables);
    let is_sound = reader.problems.len() == problems_before && reader.are_sound(&["memory"]);
    let rest = if is_sound {
        rest(reader, &drafts, memory)
    } else {
        memory
    };
    let mut tenants: Vec<_> = drafts
        .into_iter()
        .filter_map(
            |Draft {
                 name,
                 memory,
                 eviction,
                 ..
             }| {
                Some(Tenant {
                    name: name?,
                    memory: memory.unwrap_or(rest),
                    eviction,
                })
            },
        )
        .collect();
    match tenants.iter().position(|tenant| tenant.name == DEFAULT) {
        Some(at) => tenants[..=at].rotate_right(1),
        None => tenants.insert(
            0,
            Tenant {
                name: DEFAULT.to_owned(),
                memory: rest,
                eviction,
            },
        ),
    }
    tenants
}

fn draft(reader: &mut Reader<'_>, table: &TenantTable, eviction: Eviction) -> Draft {
    for Entry { key, line, .. } in &table.entries {
        if !KEYS.contains(&key.as_str()) {
            let message = format!("tenant.{key}: unknown key; allowed: {}", KEYS.join(", "));
            reader.note(*line, message);
        }
    }
    let name = take(reader, table, "name", NAME_ALLOWED, |text| {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let fits = (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_allowed);
        fits.then(|| text.to_owned())
    });
    let memory = take(reader, table, "memory", &MEMORY.allowed(), |text| {
        MEMORY.read(text)
    });
    let own = take(reader, table, "eviction", &EvictionName.allowed(), |text| {
        EvictionName.read(text)
    });
    let required = if entry(table, "name").is_none() {
        Some(("name", NAME_ALLOWED.to_owned()))
    } else if entry(table, "memory").is_none() && name.as_deref() != Some(DEFAULT) {
        Some(("memory", MEMORY.allowed()))
    } else {
        None
    };
    if let Some((key, allowed)) = required {
        reader.note(
            table.line,
            format!("tenant.{key}: missing; allowed: {allowed}"),
        );
    }
    let line = entry(table, "memory").map_or(table.line, |entry| entry.line);
    Draft {
        name,
        memory,
        line,
        eviction: own.unwrap_or(eviction),
    }
}

fn entry<'t>(table: &'t TenantTable, key: &str) -> Option<&'t Entry> {
    table.entries.iter().find(|entry| entry.key == key)
}

/// The value of `key`; `None` when it is not there, or not allowed, which is noted.
fn take<T>(
    reader: &mut Reader<'_>,
    table: &TenantTable,
    key: &str,
    allowed: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let Entry { line, found, .. } = entry(table, key)?;
    let value = found.text.as_deref().and_then(read);
    if value.is_none() {
        reader.note(
            *line,
            format!("tenant.{key}: found {}; allowed: {allowed}", found.shown),
        );
    }
    value
}

fn refuse_double_names(reader: &mut Reader<'_>, tables: &[TenantTable]) {
    let mut first_lines = BTreeMap::new();
    for Entry { line, found, .. } in tables.iter().filter_map(|table| entry(table, "name")) {
        let Some(name) = &found.text else { continue };
        let first = *first_lines.entry(name).or_insert(*line);
        if first != *line {
            let name = quoted(name);
            let message = format!(
                "tenant.name: found {name}, as on line {first}; allowed: a name no other tenant has"
            );
            reader.note(*line, message);
        }
    }
}

/// What the tenants that say how much they need leave for `default`, which may be one of them.
fn rest(reader: &mut Reader<'_>, drafts: &[Draft], memory: ByteSize) -> ByteSize {
    let mut sum_bytes = 0;
    for Draft {
        memory: share,
        line,
        ..
    } in drafts
    {
        let Some(share) = share else { continue };
        sum_bytes += share.bytes();
        if sum_bytes > memory.bytes() {
            let sum = ByteSize::new(sum_bytes);
            let message = format!(
                "tenant.memory: found {share}, which makes {sum} for the tenants so far; \
                 allowed: at most {memory}, the memory of all tenants together"
            );
            reader.note(*line, message);
            return memory;
        }
    }
    let rest = ByteSize::new(memory.bytes() - sum_bytes);
    let is_settled =
        |draft: &Draft| draft.name.as_deref() == Some(DEFAULT) && draft.memory.is_some();
    if rest.bytes() < TENANT_BYTES_MIN && !drafts.iter().any(is_settled) {
        let least = ByteSize::new(TENANT_BYTES_MIN);
        let line = drafts.last().map_or(0, |draft| draft.line);
        let message = format!(
            "tenant.memory: found {} for all tenants together, which leaves {rest} of {memory} for \
             tenant \"{DEFAULT}\"; allowed: what leaves it at least {least}",
            ByteSize::new(sum_bytes)
        );
        reader.note(line, message);
    }
    rest
}
