//! Which thread of Discord belongs to whom. People are hashed.

use sqlx::Row;

use super::{Operation, Store, StoreError};

impl Store {
    /// The thread in which the bot talks with somebody in a channel.
    pub(crate) async fn thread(
        &self,
        channel: &str,
        person: &str,
    ) -> Result<Option<String>, StoreError> {
        let person = self.person(person).await?;
        let sql = "SELECT thread FROM discord_threads WHERE channel = $1 AND person = $2";
        let row = sqlx::query(sql).bind(channel).bind(person);
        let row = self
            .run(Operation::Discord, row.fetch_optional(&self.pool))
            .await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// They talk there now.
    pub(crate) async fn set_thread(
        &self,
        channel: &str,
        person: &str,
        thread: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let person = self.person(person).await?;
        let set = sqlx::query(
            "INSERT INTO discord_threads (channel, person, thread, used_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (channel, person) DO UPDATE SET thread = excluded.thread, used_at = excluded.used_at",
        )
        .bind(channel)
        .bind(person)
        .bind(thread)
        .bind(now)
        .execute(&self.pool);
        self.run(Operation::Discord, set).await.map(drop)
    }

    /// That thread is no more.
    pub(crate) async fn unset_thread(&self, channel: &str, person: &str) -> Result<(), StoreError> {
        let person = self.person(person).await?;
        let sql = "DELETE FROM discord_threads WHERE channel = $1 AND person = $2";
        let unset = sqlx::query(sql).bind(channel).bind(person);
        self.run(Operation::Discord, unset.execute(&self.pool))
            .await
            .map(drop)
    }

    /// Forgets the threads that were not talked in since before that.
    pub(crate) async fn forget_threads(&self, before: i64) -> Result<(), StoreError> {
        let gone = sqlx::query("DELETE FROM discord_threads WHERE used_at < $1")
            .bind(before)
            .execute(&self.pool);
        self.run(Operation::Discord, gone).await.map(drop)
    }
}
