//! What operators ask for.

use tracing::info;

use super::super::offences::Offences;
use super::super::record::Why;
use super::{Loader, Member, Record};

impl Loader {
    /// See [`larder_engine::policies::Policies::enable`].
    pub(super) fn enable(&mut self, name: &str) -> Result<(), String> {
        let member = self.member(name)?;
        let complaint = member.complaint.clone().unwrap_or_default();
        let version = member
            .current
            .clone()
            .ok_or_else(|| format!("'{name}' was refused: {complaint}"))?;
        if !version.side_car.enabled {
            return Err(format!(
                "'{name}' is disabled by its side-car: set enabled = true in {name}.toml"
            ));
        }
        let mut next = member.clone();
        next.offences = Offences::default();
        self.change(name, next, |record| {
            record.forgive(name);
            if version.evicts() {
                record.pin(name);
            }
        })?;
        self.repair(name);
        info!(policy = name, "an operator enabled it");
        Ok(())
    }

    /// See [`larder_engine::policies::Policies::disable`].
    pub(super) fn disable(&mut self, name: &str) -> Result<(), String> {
        self.member(name)?;
        self.record.disable(name)?;
        let _ = self.enforce(None);
        info!(policy = name, "an operator disabled it");
        Ok(())
    }

    /// See [`larder_engine::policies::Policies::rollback`].
    pub(super) fn roll_back(&mut self, name: &str) -> Result<(), String> {
        let member = self.member(name)?;
        if self.record.is_disabled(name) {
            return Err(format!("'{name}' is disabled: POLICY ENABLE {name} first"));
        }
        let Some(previous) = member.previous.clone() else {
            return Err(format!(
                "there is no earlier version of '{name}' to go back to"
            ));
        };
        let mut next = member.clone();
        next.take(previous.clone());
        let file = next.file_id.clone();
        self.change(name, next, |record| {
            record.deploy(name, Why::Pinned, &previous.id);
            if file != previous.id {
                record.roll_back_from(name, &file);
            }
        })?;
        info!(
            policy = name,
            digest = previous.policy.digest(),
            "an operator rolled it back"
        );
        Ok(())
    }

    /// Changes a policy and the record. Where the outcome cannot be put in force, all is as before.
    fn change(
        &mut self,
        name: &str,
        next: Member,
        change: impl FnOnce(&mut Record),
    ) -> Result<(), String> {
        let record_before = self.record.clone();
        let member_before = self.members.insert(name.to_owned(), next);
        change(&mut self.record);
        let Err(why) = self.enforce(Some(name)) else {
            return Ok(());
        };
        self.record = record_before;
        if let Some(member) = member_before {
            self.members.insert(name.to_owned(), member);
        }
        let _ = self.enforce(None);
        Err(format!("'{name}' cannot be put in force: {why}"))
    }

    fn member(&self, name: &str) -> Result<&Member, String> {
        self.members.get(name).ok_or_else(|| {
            if self.natives.iter().any(|native| native.name() == name) {
                format!(
                    "'{name}' is part of this program: only policies of the folder can be changed"
                )
            } else {
                let folder = self.folder.path().display();
                format!("there is no policy '{name}' in {folder}")
            }
        })
    }
}
