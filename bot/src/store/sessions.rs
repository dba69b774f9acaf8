//! Sessions with Discord's gateway: up to where each was heard, and whether somebody still holds it.

use sqlx::Row;

use super::{Operation, Store, StoreError};

/// Which part of Discord a session hears: another one would be resumed with what it is not for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) shard: u32,
    pub(crate) shards: u32,
    /// Bits.
    pub(crate) intents: u64,
}

/// A session, and up to where it is finished with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bookmark {
    /// The id of the bot's user: nobody else can resume it.
    pub(crate) bot: String,
    /// Empty where it was lost.
    pub(crate) session: String,
    pub(crate) resume_url: String,
    /// Whatever came up to here needs not be said again.
    pub(crate) sequence: u64,
}

/// A session as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeptSession {
    pub(crate) holder: String,
    /// Unix milliseconds; after that its holder is gone.
    pub(crate) alive_until: i64,
    pub(crate) mark: Bookmark,
}

impl Store {
    /// Writes down how far a session is.
    pub(crate) async fn keep_session(
        &self,
        holder: &str,
        part: Part,
        mark: &Bookmark,
        alive_until: i64,
    ) -> Result<(), StoreError> {
        let kept = sqlx::query(
            "INSERT INTO discord_sessions (holder, shard, shards, intents, bot, session, resume_url, sequence, alive_until) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) \
             ON CONFLICT (holder, shard) DO UPDATE SET shards = excluded.shards, intents = excluded.intents, \
             bot = excluded.bot, session = excluded.session, resume_url = excluded.resume_url, \
             sequence = excluded.sequence, alive_until = excluded.alive_until",
        )
        .bind(holder)
        .bind(i64::from(part.shard))
        .bind(i64::from(part.shards))
        .bind(number(part.intents))
        .bind(&mark.bot)
        .bind(&mark.session)
        .bind(&mark.resume_url)
        .bind(number(mark.sequence))
        .bind(alive_until)
        .execute(&self.pool);
        self.run(Operation::Discord, kept).await.map(drop)
    }

    /// Says until when this process is alive.
    pub(crate) async fn hold_sessions(
        &self,
        holder: &str,
        alive_until: i64,
    ) -> Result<(), StoreError> {
        let held = sqlx::query("UPDATE discord_sessions SET alive_until = $2 WHERE holder = $1")
            .bind(holder)
            .bind(alive_until)
            .execute(&self.pool);
        self.run(Operation::Discord, held).await.map(drop)
    }

    /// The sessions of a part whose holders were alive after that.
    pub(crate) async fn kept_sessions(
        &self,
        part: Part,
        after: i64,
    ) -> Result<Vec<KeptSession>, StoreError> {
        let rows = sqlx::query(
            "SELECT holder, alive_until, bot, session, resume_url, sequence FROM discord_sessions \
             WHERE shard = $1 AND shards = $2 AND intents = $3 AND session <> '' AND alive_until > $4",
        )
        .bind(i64::from(part.shard))
        .bind(i64::from(part.shards))
        .bind(number(part.intents))
        .bind(after)
        .fetch_all(&self.pool);
        let rows = self.run(Operation::Discord, rows).await?;
        let read = |row: &sqlx::any::AnyRow| {
            let sequence: i64 = row.try_get(5)?;
            Ok(KeptSession {
                holder: row.try_get(0)?,
                alive_until: row.try_get(1)?,
                mark: Bookmark {
                    bot: row.try_get(2)?,
                    session: row.try_get(3)?,
                    resume_url: row.try_get(4)?,
                    sequence: u64::try_from(sequence).unwrap_or_default(),
                },
            })
        };
        Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Takes over a session from a process that is gone; false where another was quicker, or it is not gone.
    pub(crate) async fn take_session(
        &self,
        from: &str,
        shard: u32,
        holder: &str,
        now: i64,
        alive_until: i64,
    ) -> Result<bool, StoreError> {
        let taken = sqlx::query(
            "UPDATE discord_sessions SET holder = $3, alive_until = $5 \
             WHERE holder = $1 AND shard = $2 AND alive_until <= $4",
        )
        .bind(from)
        .bind(i64::from(shard))
        .bind(holder)
        .bind(now)
        .bind(alive_until)
        .execute(&self.pool);
        let taken = self.run(Operation::Discord, taken).await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Forgets the sessions whose holders are gone since before that.
    pub(crate) async fn forget_sessions(&self, before: i64) -> Result<(), StoreError> {
        let gone = sqlx::query("DELETE FROM discord_sessions WHERE alive_until < $1")
            .bind(before)
            .execute(&self.pool);
        self.run(Operation::Discord, gone).await.map(drop)
    }
}

/// As a database holds it; neither sequences nor intents are that large.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
