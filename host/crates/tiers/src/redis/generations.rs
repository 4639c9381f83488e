//! Which generation of a tenant's entries counts. Clearing raises it, so that what was there is found no more at once, and
//! is removed afterwards.

use std::collections::HashMap;
use std::sync::Arc;

use larder_engine::DATABASES;
use larder_engine::tier::TierError;
use parking_lot::RwLock;
use redis::{RedisResult, Value, cmd};

use super::lane::Lane;
use super::names::Names;
use super::script::{Call, GENERATIONS};
use super::standing::Standing;

/// The field for all databases.
const ALL: &str = "*";

/// The greatest of which scripts know the next.
const NUMBER_MAX: u64 = 1 << 53;

fn number_in(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A tenant's generations, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Known {
    all: u64,
    dbs: [u64; DATABASES as usize],
}

impl Known {
    fn of(&self, db: u8) -> u64 {
        let own = self.dbs.get(usize::from(db)).copied();
        self.all.max(own.unwrap_or(0))
    }

    /// Takes what the script answers.
    fn take(&mut self, answer: Value) -> RedisResult<()> {
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = redis::from_redis_value(answer)?;
        for (field, number) in pairs {
            let place = match number_in(&field) {
                Some(db) => usize::try_from(db).ok().and_then(|db| self.dbs.get_mut(db)),
                None => Some(&mut self.all).filter(|_| field == ALL.as_bytes()),
            };
            // Whoever asks by the script next has what is no number removed.
            let number = number_in(&number).filter(|number| *number <= NUMBER_MAX);
            if let Some((place, number)) = place.zip(number) {
                *place = number.max(*place);
            }
        }
        Ok(())
    }

    /// What the script is told of it.
    fn pairs(&self) -> Vec<Vec<u8>> {
        let fields = self.dbs.iter().enumerate();
        let fields = fields.map(|(db, number)| (db.to_string(), *number));
        let all = (ALL.to_owned(), self.all);
        let told = fields.chain([all]).filter(|(_, number)| *number > 0);
        told.flat_map(|(field, number)| [field.into_bytes(), number.to_string().into_bytes()])
            .collect()
    }
}

/// See the module.
#[derive(Default)]
pub(super) struct Generations {
    known: RwLock<HashMap<Arc<str>, Known>>,
}

impl Generations {
    /// The generation of a database, if it is known.
    pub(super) fn known(&self, tenant: &str, db: u8) -> Option<u64> {
        self.known.read().get(tenant).map(|known| known.of(db))
    }

    /// The tenants of which something is known.
    pub(super) fn tenants(&self) -> Vec<Arc<str>> {
        self.known.read().keys().cloned().collect()
    }

    /// The generation of a database; asks for it where it is not known.
    pub(super) async fn of(
        &self,
        asking: &Asking<'_>,
        tenant: &Arc<str>,
        db: u8,
    ) -> Result<u64, TierError> {
        if let Some(known) = self.known(tenant, db) {
            return Ok(known);
        }
        self.ask(asking, std::slice::from_ref(tenant), String::new())
            .await?;
        Ok(self.known(tenant, db).unwrap_or(0))
    }

    /// Asks for what others have raised, and restores what Redis has lost; whether it is there, where nothing is known.
    pub(super) async fn refresh(&self, asking: &Asking<'_>) -> Result<(), TierError> {
        let tenants = self.tenants();
        match tenants.is_empty() {
            true => asking.lane.send(&[cmd("PING")], 0).await.map(drop),
            false => self.ask(asking, &tenants, String::new()).await,
        }
    }

    /// Raises the generation of a database, or of all.
    pub(super) async fn raise(
        &self,
        asking: &Asking<'_>,
        tenant: &Arc<str>,
        db: Option<u8>,
    ) -> Result<(), TierError> {
        let field = db.map_or_else(|| ALL.to_owned(), |db| db.to_string());
        self.ask(asking, std::slice::from_ref(tenant), field).await
    }

    /// Takes what Redis holds of a tenant's.
    pub(super) fn learn(&self, tenant: &Arc<str>, held: Value) -> RedisResult<()> {
        let mut known = self.known.write();
        known.entry(Arc::clone(tenant)).or_default().take(held)
    }

    async fn ask(
        &self,
        asking: &Asking<'_>,
        tenants: &[Arc<str>],
        raise: String,
    ) -> Result<(), TierError> {
        let call = |tenant: &Arc<str>| {
            let known = self.known.read();
            let pairs = known.get(tenant).map(Known::pairs).unwrap_or_default();
            Call {
                script: &GENERATIONS,
                name: asking.names.generations(tenant).into_bytes(),
                more: Vec::new(),
                args: [vec![raise.clone().into_bytes()], pairs].concat(),
            }
        };
        let calls: Vec<_> = tenants.iter().map(call).collect();
        let answers = asking.lane.call(&calls, &[], None).await?;
        let mut known = self.known.write();
        for (tenant, answer) in tenants.iter().zip(answers) {
            let mut of = known.get(tenant).cloned().unwrap_or_default();
            let taken = answer.and_then(|answer| of.take(answer));
            taken.map_err(|error| TierError::Unavailable(asking.standing.refusal(&error)))?;
            known.insert(Arc::clone(tenant), of);
        }
        Ok(())
    }
}

/// What asking takes.
pub(super) struct Asking<'a> {
    pub(super) lane: &'a Lane,
    pub(super) names: &'a Names,
    pub(super) standing: &'a Standing,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(pairs: &[(&str, &str)]) -> Value {
        let texts = pairs.iter().flat_map(|(field, number)| [field, number]);
        Value::Array(
            texts
                .map(|text| Value::BulkString(text.as_bytes().to_vec()))
                .collect(),
        )
    }

    #[test]
    fn the_highest_that_concerns_a_database_counts_and_none_goes_back() {
        let mut known = Known::default();
        known
            .take(answer(&[
                ("*", "100"),
                ("3", "120"),
                ("x", "999"),
                ("16", "999"),
                ("15", "1e300"),
                ("15", "99999999999999999999999"),
                ("*", "9007199254740993"),
            ]))
            .unwrap();
        assert_eq!([known.of(0), known.of(3), known.of(15)], [100, 120, 100]);
        known.take(answer(&[("*", "90"), ("3", "130")])).unwrap();
        assert_eq!([known.of(0), known.of(3)], [100, 130]);
        known.take(answer(&[("*", "200")])).unwrap();
        assert_eq!([known.of(0), known.of(3)], [200, 200]);
        let pairs: Vec<_> = known
            .pairs()
            .into_iter()
            .map(|text| String::from_utf8(text).unwrap())
            .collect();
        assert_eq!(pairs, ["3", "130", "*", "200"]);
        assert!(known.take(Value::Int(1)).is_err());
    }
}
