//! Keys and tables of the file that nobody declared: a mistyped setting must not be passed over.

use std::collections::BTreeSet;

use super::file::{Entry, File, is_list};
use super::problem::Problem;
use super::reader::Setting;

/// One problem for each unknown key. An unknown table is one problem, whatever is in it.
pub(super) fn refuse(file: &File, settings: &[Setting]) -> Vec<Problem> {
    let known: Vec<_> = settings.iter().map(|setting| setting.key).collect();
    let sections: BTreeSet<_> = known.iter().filter_map(|key| section(key)).collect();
    let tables: Vec<_> = sections
        .iter()
        .map(|section| format!("[{section}]"))
        .collect();
    let tables = format!(
        "{}, [[tenant]], [[user]], [[loader]], [[hook]]",
        tables.join(", ")
    );
    let mut problems = Vec::new();
    let mut unknown_tables = BTreeSet::new();
    for (table, line) in &file.tables {
        if sections.contains(&**table) {
            continue;
        }
        unknown_tables.insert(&**table);
        if is_list(table) {
            let message =
                format!("[{table}]: found one table; allowed: [[{table}]], once a {table}");
            problems.push(file.problem(*line, message));
        } else if !known.contains(&&**table) {
            let message = format!("[{table}]: unknown table; allowed: {tables}");
            problems.push(file.problem(*line, message));
        }
    }
    for Entry { key, line, .. } in &file.entries {
        let is_in_unknown_table = section(key).is_some_and(|own| unknown_tables.contains(own));
        if known.contains(&&**key) || is_in_unknown_table {
            continue;
        }
        let own = section(key).filter(|own| sections.contains(own));
        let beside = known.iter().filter(|known| section(known) == own);
        let beside: Vec<_> = beside
            .map(|key| key.rsplit('.').next().unwrap_or(key))
            .collect();
        let beside = beside.join(", ");
        let message = match own {
            Some(own) => format!("{key}: unknown key; allowed in [{own}]: {beside}"),
            None => format!("{key}: unknown key; allowed: {beside}, {tables}"),
        };
        problems.push(file.problem(*line, message));
    }
    problems
}

/// The table that a dotted key is in.
fn section(key: &str) -> Option<&str> {
    key.split_once('.').map(|(section, _)| section)
}
