//! What is remembered: SQLite, or PostgreSQL where there is more than one replica. One file per concern.
//!
//! Statements are written once for both (`$1` as placeholder, `INTEGER`/`BIGINT`, `TEXT`); times are Unix
//! milliseconds. `migrations/` is applied at the start, by one process at a time.

use std::time::Duration;

use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;
use sqlx::migrate::MigrateError;

/// Connections to a server; SQLite has one writer anyway.
const CONNECTIONS: u32 = 8;
const ACQUIRE: Duration = Duration::from_secs(5);

/// Why nothing can be remembered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The database does not answer, or refuses.
    #[error("the store: {0}")]
    Sql(#[from] sqlx::Error),
    /// The tables cannot be brought up to date.
    #[error("the store's tables: {0}")]
    Migrate(#[from] MigrateError),
}

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: AnyPool,
}

impl Store {
    /// Connects and brings the tables up to date. `url` is `sqlite:FILE?mode=rwc`, `sqlite::memory:` or
    /// `postgres://…`.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let sqlite = url.starts_with("sqlite:");
        // in memory, each connection would be a database of its own
        let connections = if sqlite { 1 } else { CONNECTIONS };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .min_connections(u32::from(sqlite))
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(ACQUIRE)
            .connect(url)
            .await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Self { pool })
    }

    /// Whether the database answers.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_opens_in_memory_and_in_a_file_again_and_again() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.ping().await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
        for _ in 0..2 {
            Store::open(&url).await.unwrap().ping().await.unwrap();
        }
    }
}
