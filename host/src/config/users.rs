//! The `[[user]]` tables: who may sign in, and what they may do.

use larder_server::{check_password_hash, check_rules};

use super::file::{Found, USER};
use super::kinds::{Kind, Switch};
use super::listed::{Listed, NAME_ALLOWED, refuse_double_names};
use super::reader::Reader;
use super::tenants::{DEFAULT, take_tenant};
use super::{Tenant, User};

const KEYS: [&str; 5] = ["name", "password", "tenant", "admin", "rules"];

/// The word for a user whom any password lets in.
pub(super) const NO_PASSWORD: &str = "none";
const PASSWORD_ALLOWED: &str = "what `larder hash-password` prints, an array of several, or \"none\" \
    for a user who needs no password";
const RULES_ALLOWED: &str =
    "rules as ACL SETUSER takes them, such as \"+@read ~cache:* &*\", without passwords";

/// Reads the users of a server with these tenants.
pub(super) fn read(reader: &mut Reader<'_>, tenants: &[Tenant]) -> Vec<User> {
    let layers = reader.layers;
    let listed = layers.file.users.iter();
    let listed: Vec<_> = listed.map(|table| Listed { list: USER, table }).collect();
    let users = listed
        .iter()
        .filter_map(|user| read_one(reader, user, tenants))
        .collect();
    refuse_double_names(reader, &listed);
    users
}

fn read_one(reader: &mut Reader<'_>, listed: &Listed<'_>, tenants: &[Tenant]) -> Option<User> {
    listed.refuse_unknown(reader, &KEYS);
    let name = listed.take_name(reader);
    let passwords = listed.take_found(reader, "password", PASSWORD_ALLOWED, passwords);
    for (key, allowed) in [("name", NAME_ALLOWED), ("password", PASSWORD_ALLOWED)] {
        if listed.entry(key).is_none() {
            listed.require(reader, key, allowed);
        }
    }
    for hash in passwords.iter().flatten() {
        // What was found is not told: it may be a password.
        if let Err(why) = check_password_hash(hash) {
            let message = format!("user.password: {why}; allowed: {PASSWORD_ALLOWED}");
            reader.note(listed.line_of("password"), message);
        }
    }
    let tenant = take_tenant(reader, listed, tenants);
    let is_admin = listed.take(reader, "admin", &Switch.allowed(), |text| Switch.read(text));
    let rules = listed.take_found(reader, "rules", RULES_ALLOWED, texts);
    let rules = rules.map(|rules| rules.join(" "));
    if let Some(Err(why)) = rules.as_deref().map(check) {
        let message = format!("user.rules: {why}; allowed: {RULES_ALLOWED}");
        reader.note(listed.line_of("rules"), message);
    }
    Some(User {
        name: name?,
        passwords: passwords?,
        tenant: tenant.unwrap_or_else(|| DEFAULT.to_owned()),
        is_admin: is_admin.unwrap_or(false),
        rules,
    })
}

/// One text, or several.
fn texts(found: &Found) -> Option<Vec<String>> {
    let one = found.text.as_ref().map(|text| vec![text.clone()]);
    one.or_else(|| found.texts.clone())
}

fn passwords(found: &Found) -> Option<Vec<String>> {
    let texts = texts(found)?;
    if texts == [NO_PASSWORD] {
        return Some(Vec::new());
    }
    Some(texts).filter(|texts| !texts.is_empty())
}

/// Passwords have a key of their own, so that nobody thinks they are hashed when they are not.
fn check(rules: &str) -> Result<(), String> {
    let is_about_passwords = |rule: &&str| {
        rule.starts_with(['>', '<', '#', '!']) || ["nopass", "resetpass"].contains(rule)
    };
    match rules.split_ascii_whitespace().find(is_about_passwords) {
        Some(_) => Err("found a password, or a rule about passwords".to_owned()),
        None => check_rules(rules),
    }
}
