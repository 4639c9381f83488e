//! The `[[tenant]]` tables: who shares the memory, and how.

use larder_engine::TENANT_BYTES_MIN;

use super::declared::SIZE_MAX;
use super::file::TENANT;
use super::kinds::{EvictionName, Kind, Size, Whole, quoted};
use super::listed::{Listed, NAME_ALLOWED, refuse_double_names};
use super::reader::Reader;
use super::{ByteSize, Eviction, Tenant, Writes, writes};

/// The tenant of whoever names none: always there, always the first.
pub(super) const DEFAULT: &str = "default";

const MEMORY: Size = Size(ByteSize::new(TENANT_BYTES_MIN)..=SIZE_MAX);

/// Requests a second and connections that may be allowed.
const OPS: Whole = Whole(1..=1_000_000_000);
const CONNECTIONS: Whole = Whole(1..=1_000_000);

const KEYS: [&str; 7] = [
    "name",
    "memory",
    "eviction",
    "max_ops_s",
    "max_connections",
    writes::POLICY,
    writes::KEYS,
];

/// What one table says. A name is there, unless it was a problem; the memory may be left out of
/// the default tenant's.
struct Draft {
    name: Option<String>,
    memory: Option<ByteSize>,
    /// Where the memory stands, or would.
    line: usize,
    eviction: Eviction,
    ops_per_second_max: Option<u64>,
    connections_max: Option<u64>,
    writes: Writes,
}

/// Reads the tenants of a server with that memory, and that eviction policy for those that name
/// none.
pub(super) fn read(reader: &mut Reader<'_>, memory: ByteSize, eviction: Eviction) -> Vec<Tenant> {
    let layers = reader.layers;
    let problems_before = reader.problems.len();
    let tables = &layers.file.tenants;
    let listed = tables.iter();
    let listed: Vec<_> = listed
        .map(|table| Listed {
            list: TENANT,
            table,
        })
        .collect();
    let drafts: Vec<_> = listed
        .iter()
        .map(|tenant| draft(reader, tenant, eviction))
        .collect();
    refuse_double_names(reader, &listed);
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
                 ops_per_second_max,
                 connections_max,
                 writes,
                 ..
             }| {
                Some(Tenant {
                    name: name?,
                    memory: memory.unwrap_or(rest),
                    eviction,
                    ops_per_second_max,
                    connections_max,
                    writes,
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
                ops_per_second_max: None,
                connections_max: None,
                writes: Writes::default(),
            },
        ),
    }
    tenants
}

fn draft(reader: &mut Reader<'_>, listed: &Listed<'_>, eviction: Eviction) -> Draft {
    listed.refuse_unknown(reader, &KEYS);
    let name = listed.take_name(reader);
    let memory = listed.take(reader, "memory", &MEMORY.allowed(), |text| {
        MEMORY.read(text)
    });
    let own = listed.take(reader, "eviction", &EvictionName.allowed(), |text| {
        EvictionName.read(text)
    });
    let mut number =
        |key, kind: &Whole| listed.take(reader, key, &kind.allowed(), |text| kind.read(text));
    let ops_per_second_max = number("max_ops_s", &OPS);
    let connections_max = number("max_connections", &CONNECTIONS);
    let writes = writes::take(reader, listed);
    if listed.entry("name").is_none() {
        listed.require(reader, "name", NAME_ALLOWED);
    } else if listed.entry("memory").is_none() && name.as_deref() != Some(DEFAULT) {
        listed.require(reader, "memory", &MEMORY.allowed());
    }
    Draft {
        name,
        memory,
        line: listed.line_of("memory"),
        eviction: own.unwrap_or(eviction),
        ops_per_second_max,
        connections_max,
        writes,
    }
}

/// The tenant that another table names; it has to be there.
pub(super) fn take_tenant(
    reader: &mut Reader<'_>,
    listed: &Listed<'_>,
    tenants: &[Tenant],
) -> Option<String> {
    let names: Vec<_> = tenants.iter().map(|tenant| quoted(&tenant.name)).collect();
    let allowed = format!("a tenant: {}", names.join(", "));
    listed.take(reader, "tenant", &allowed, |text| {
        let is_there = tenants.iter().any(|tenant| tenant.name == text);
        is_there.then(|| text.to_owned())
    })
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
