//! What a server makes of a policy that was put into a folder.

use std::path::Path;

use anyhow::{bail, ensure};
use larder_policy_runtime::REFUSED_AND_STAYS;

use super::remote::{self, Row};
use crate::server::Server;

/// What was put where, and who is asked what became of it.
pub(super) struct Deployed<'a> {
    pub(super) name: &'a str,
    /// SHA-256 of the module, hexadecimal.
    pub(super) digest: &'a str,
    pub(super) folder: &'a Path,
    pub(super) server: &'a Server,
}

impl Deployed<'_> {
    /// Has the server look at its folder, and says what it made of the policy.
    ///
    /// # Errors
    /// When it was refused, or the server does not say.
    pub(super) fn outcome(&self) -> anyhow::Result<String> {
        let Ok(socket) = self.server.addr.connect() else {
            return Ok(format!(
                "no server answers at {}, so whether one takes it is not known",
                self.server
            ));
        };
        let mut socket = self.server.greet(socket)?;
        let row = remote::look(&mut socket, self.server, self.name)?;
        self.judge(row.as_ref())
    }

    fn judge(&self, row: Option<&Row>) -> anyhow::Result<String> {
        let Self {
            name,
            folder,
            server,
            ..
        } = self;
        let folder = folder.display();
        let elsewhere = |what: &str| {
            format!(
                "the server at {server} has {what}, so it watches another folder than {folder}; name \
                 the one that does with --addr, or its folder with --policies"
            )
        };
        let Some(row) = row else {
            return Ok(elsewhere(&format!("no policy {name}")));
        };
        let enable = format!("larder policy enable {name} --addr {server}");
        let why = row.get("why");
        ensure!(
            row.get("state") != "refused",
            "{name} lies in {folder}, but was refused: {why}"
        );
        if let Some((_, why)) = why.split_once(REFUSED_AND_STAYS) {
            bail!(
                "{name} lies in {folder}, but was refused, and an earlier version stays in force: \
                 {why}"
            );
        }
        if row.get("digest") != self.digest {
            return Ok(elsewhere(&format!("another {name}")));
        }
        let why = why.replace(&format!("POLICY ENABLE {name}"), &enable);
        Ok(match row.get("state") {
            "active" => {
                let tenant = match row.get("tenant") {
                    "*" => "all tenants".to_owned(),
                    tenant => format!("tenant {tenant}"),
                };
                format!("{name} is in force ({}, {tenant})", row.get("kinds"))
            }
            "candidate" => {
                format!("{name} is not in force: it {why}; {enable} puts it in charge")
            }
            state => format!("{name} is not in force, but {state}: {why}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(fields: &[(&str, &str)]) -> Result<String, String> {
        let deployed = Deployed {
            name: "a",
            digest: "d1",
            folder: Path::new("dir"),
            server: &Server::plain(crate::address::Address::Tcp("h:1".into())),
        };
        let row = (!fields.is_empty()).then(|| Row::new(fields));
        deployed.judge(row.as_ref()).map_err(|e| format!("{e:#}"))
    }

    #[test]
    fn what_became_of_it_is_said_and_how_to_change_that() {
        let enable = "larder policy enable a --addr h:1";
        for (fields, said) in [
            (
                [("state", "active"), ("kinds", "ttl"), ("tenant", "shop")],
                "a is in force (ttl, tenant shop)",
            ),
            (
                [
                    ("state", "active"),
                    ("kinds", "ttl,priority"),
                    ("tenant", "*"),
                ],
                "a is in force (ttl,priority, all tenants)",
            ),
            (
                [
                    ("state", "candidate"),
                    ("why", "stands by: b rules"),
                    ("", ""),
                ],
                &format!("a is not in force: it stands by: b rules; {enable} puts it in charge"),
            ),
            (
                [
                    ("state", "disabled"),
                    ("why", "so; POLICY ENABLE a helps"),
                    ("", ""),
                ],
                &format!("a is not in force, but disabled: so; {enable} helps"),
            ),
        ] {
            let fields: Vec<_> = fields.into_iter().chain([("digest", "d1")]).collect();
            assert_eq!(judge(&fields).as_deref(), Ok(said));
        }
    }

    #[test]
    fn a_refusal_is_an_error_whatever_rules_meanwhile() {
        let why = format!("rules; {REFUSED_AND_STAYS}a.toml:1: wrong");
        for fields in [
            vec![("state", "refused"), ("why", "a.toml:1: wrong")],
            vec![("state", "active"), ("why", &why), ("digest", "d1")],
        ] {
            let said = judge(&fields).unwrap_err();
            assert!(said.starts_with("a lies in dir, but was refused"), "{said}");
            assert!(said.ends_with(": a.toml:1: wrong"), "{said}");
        }
    }

    #[test]
    fn a_server_that_watches_another_folder_is_found_out() {
        for (fields, said) in [
            (
                &[][..],
                "the server at h:1 has no policy a, so it watches another",
            ),
            (
                &[("state", "active"), ("digest", "d2")],
                "the server at h:1 has another a, so it watches another",
            ),
        ] {
            assert!(judge(fields).unwrap().starts_with(said), "{fields:?}");
        }
    }
}
