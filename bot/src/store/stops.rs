//! Where moderators have stopped the bot; the guild `""` is the bot as a whole.

use std::collections::BTreeMap;

use sqlx::Row;

use super::{Operation, Store, StoreError};

/// A moderator has stopped the bot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// Who, hashed; empty where the store did not answer and nobody could be hashed.
    pub(crate) person: String,
    pub(crate) at: i64,
    /// Why, in the moderator's words, or nothing.
    pub(crate) reason: String,
}

impl Store {
    pub(crate) async fn stops(&self) -> Result<BTreeMap<String, Stop>, StoreError> {
        let rows = sqlx::query("SELECT guild, person, at, reason FROM stops").fetch_all(&self.pool);
        let rows = self.run(Operation::Stops, rows).await?;
        let read = |row: &sqlx::any::AnyRow| {
            let stop = Stop {
                person: row.try_get(1)?,
                at: row.try_get(2)?,
                reason: row.try_get(3)?,
            };
            Ok((row.try_get(0)?, stop))
        };
        Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Stops or, with `None`, starts. The first stop stands until the start.
    pub(crate) async fn set_stop(
        &self,
        guild: &str,
        stop: Option<&Stop>,
    ) -> Result<(), StoreError> {
        let written = match stop {
            Some(stop) => sqlx::query(
                "INSERT INTO stops (guild, person, at, reason) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (guild) DO NOTHING",
            )
            .bind(guild)
            .bind(&stop.person)
            .bind(stop.at)
            .bind(&stop.reason),
            None => sqlx::query("DELETE FROM stops WHERE guild = $1").bind(guild),
        };
        let written = written.execute(&self.pool);
        self.run(Operation::Stops, written).await.map(drop)
    }
}
