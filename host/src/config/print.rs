//! `print-config`: the effective settings as a file that would give them again.

use super::kinds::quoted;
use super::tenants::DEFAULT;
use super::users::NO_PASSWORD;
use super::{Loaded, Store, Tenant, User, writes};
use super::{hooks, loaders};

/// Writes the effective settings as TOML, each with where it came from.
pub fn print(loaded: &Loaded) -> String {
    let mut lines = vec!["# The effective settings, each with where it came from.".to_owned()];
    let mut table = "";
    for setting in &loaded.settings {
        let (own, key) = setting.key.split_once('.').unwrap_or(("", setting.key));
        if own != table {
            lines.push(format!("\n[{own}]"));
            table = own;
        }
        lines.push(format!(
            "{key} = {} # {}",
            setting.literal,
            setting.origin.word()
        ));
        let filter = quoted(&loaded.config.log.filter);
        if setting.key == "log.level" && setting.literal != filter {
            lines.push(format!(
                "# in its place, from the environment: LARDER_LOG={filter}"
            ));
        }
    }
    if loaded.tenants_listed {
        let store = &loaded.config.store;
        lines.extend(store.tenants.iter().map(|tenant| table_of(tenant, store)));
    }
    lines.extend(loaded.config.store.users.iter().map(table_of_user));
    lines.extend(loaded.config.store.loaders.iter().map(loaders::table_of));
    lines.extend(loaded.config.store.hooks.iter().map(hooks::table_of));
    lines.push(String::new());
    lines.join("\n")
}

/// The share of the default tenant is left out where it is what the others leave, so that the file
/// stays right when the memory is changed.
fn table_of(tenant: &Tenant, store: &Store) -> String {
    let Tenant {
        name,
        memory,
        eviction,
        ops_per_second_max,
        connections_max,
        writes,
    } = tenant;
    let sum_bytes: u64 = store
        .tenants
        .iter()
        .map(|tenant| tenant.memory.bytes())
        .sum();
    let takes_rest = name == DEFAULT && sum_bytes == store.memory.bytes();
    let comment = if takes_rest {
        "# what the others leave: "
    } else {
        ""
    };
    let limits = [
        ("max_ops_s", ops_per_second_max),
        ("max_connections", connections_max),
    ];
    let limits = limits
        .into_iter()
        .filter_map(|(key, limit)| limit.map(|limit| format!("\n{key} = {limit}")));
    format!(
        "\n[[tenant]] # file\nname = \"{name}\"\n{comment}memory = \"{memory}\"\neviction = \"{}\"{}{}",
        eviction.name(),
        limits.collect::<String>(),
        writes::lines(writes)
    )
}

fn table_of_user(user: &User) -> String {
    let passwords: Vec<_> = user.passwords.iter().map(|hash| quoted(hash)).collect();
    let passwords = match &passwords[..] {
        [] => quoted(NO_PASSWORD),
        several => format!("[{}]", several.join(", ")),
    };
    let User {
        name,
        tenant,
        is_admin,
        rules,
        ..
    } = user;
    let rules = rules.as_ref();
    let rules = rules.map(|rules| format!("\nrules = {}", quoted(rules)));
    format!(
        "\n[[user]] # file\nname = \"{name}\"\npassword = {passwords}\ntenant = \"{tenant}\"\n\
         admin = {is_admin}{}",
        rules.unwrap_or_default()
    )
}
