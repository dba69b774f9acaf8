//! Who was heard when (hashed), and how much was said. Written in batches.

use sqlx::Row;

use super::{Operation, Store, StoreError};

/// What one guild's people did since the last batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) guild: String,
    /// Hashed.
    pub(crate) person: String,
    pub(crate) last: i64,
    pub(crate) messages: i64,
}

const HOUR_MS: i64 = 3_600_000;

impl Store {
    /// Adds a batch, all of it or nothing. It is sorted, and goes table by table, so that two replicas
    /// never wait for each other in a circle.
    pub(crate) async fn add_activity(&self, batch: &[Heard]) -> Result<(), StoreError> {
        let begin = if self.sqlite {
            "BEGIN IMMEDIATE"
        } else {
            "BEGIN"
        };
        let written = async {
            let mut transaction = self.pool.begin_with(begin).await?;
            for heard in batch {
                sqlx::query(
                    "INSERT INTO seen (guild, person, last) VALUES ($1, $2, $3) \
                     ON CONFLICT (guild, person) DO UPDATE SET last = \
                     CASE WHEN excluded.last > seen.last THEN excluded.last ELSE seen.last END",
                )
                .bind(&heard.guild)
                .bind(&heard.person)
                .bind(heard.last)
                .execute(&mut *transaction)
                .await?;
            }
            for heard in batch {
                sqlx::query(
                    "INSERT INTO said (guild, hour, messages) VALUES ($1, $2, $3) \
                     ON CONFLICT (guild, hour) DO UPDATE SET messages = said.messages + excluded.messages",
                )
                .bind(&heard.guild)
                .bind(heard.last - heard.last.rem_euclid(HOUR_MS))
                .bind(heard.messages)
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await
        };
        self.run(Operation::Activity, written).await
    }

    /// How many people were heard since then, in a guild or (`None`) anywhere.
    pub(crate) async fn active(&self, guild: Option<&str>, since: i64) -> Result<i64, StoreError> {
        let row = match guild {
            Some(guild) => sqlx::query("SELECT COUNT(*) FROM seen WHERE last > $1 AND guild = $2")
                .bind(since)
                .bind(guild),
            None => {
                sqlx::query("SELECT COUNT(DISTINCT person) FROM seen WHERE last > $1").bind(since)
            }
        };
        let row = self
            .run(Operation::Activity, row.fetch_one(&self.pool))
            .await?;
        Ok(row.try_get(0)?)
    }

    /// How many messages a guild had in the hours that began since then.
    pub(crate) async fn messages(&self, guild: &str, since: i64) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "SELECT CAST(COALESCE(SUM(messages), 0) AS BIGINT) FROM said WHERE guild = $1 AND hour >= $2",
        )
        .bind(guild)
        .bind(since)
        .fetch_one(&self.pool);
        Ok(self.run(Operation::Activity, row).await?.try_get(0)?)
    }

    /// Forgets what is older.
    pub(crate) async fn prune_activity(&self, before: i64) -> Result<(), StoreError> {
        for statement in [
            "DELETE FROM seen WHERE last < $1",
            "DELETE FROM said WHERE hour < $1",
        ] {
            let gone = sqlx::query(statement).bind(before).execute(&self.pool);
            self.run(Operation::Activity, gone).await?;
        }
        Ok(())
    }
}
