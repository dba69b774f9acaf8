//! What moderators have set, per guild; the guild `""` is the bot as a whole.

use sqlx::Row;

use super::{Operation, Store, StoreError};

impl Store {
    pub(crate) async fn setting(
        &self,
        guild: &str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT value FROM settings WHERE guild = $1 AND name = $2")
            .bind(guild)
            .bind(name)
            .fetch_optional(&self.pool);
        let row = self.run(Operation::Settings, row).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    pub(crate) async fn set_setting(
        &self,
        guild: &str,
        name: &str,
        value: &str,
    ) -> Result<(), StoreError> {
        let written = sqlx::query(
            "INSERT INTO settings (guild, name, value) VALUES ($1, $2, $3) \
             ON CONFLICT (guild, name) DO UPDATE SET value = excluded.value",
        )
        .bind(guild)
        .bind(name)
        .bind(value)
        .execute(&self.pool);
        self.run(Operation::Settings, written).await.map(drop)
    }

    /// Back to what holds where nothing is set.
    pub(crate) async fn unset_setting(&self, guild: &str, name: &str) -> Result<(), StoreError> {
        let gone = sqlx::query("DELETE FROM settings WHERE guild = $1 AND name = $2")
            .bind(guild)
            .bind(name)
            .execute(&self.pool);
        self.run(Operation::Settings, gone).await.map(drop)
    }

    /// The value as it is, or else this one from now on; whoever asks at the same time gets the same.
    pub(crate) async fn setting_or_insert(
        &self,
        guild: &str,
        name: &str,
        value: &str,
    ) -> Result<String, StoreError> {
        let written = sqlx::query(
            "INSERT INTO settings (guild, name, value) VALUES ($1, $2, $3) \
             ON CONFLICT (guild, name) DO NOTHING",
        )
        .bind(guild)
        .bind(name)
        .bind(value)
        .execute(&self.pool);
        self.run(Operation::Settings, written).await?;
        let kept = self.setting(guild, name).await?;
        Ok(kept.ok_or(sqlx::Error::RowNotFound)?)
    }
}
