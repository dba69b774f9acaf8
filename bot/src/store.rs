//! What is remembered: `SQLite`, or `PostgreSQL` where there is more than one replica. One file per concern.
//!
//! Statements are written once for both (`$1` as placeholder, `BIGINT`, `TEXT`); times are Unix
//! milliseconds. `migrations/` is applied by one process at a time.
//!
//! # Guarantees
//!
//! - What a method has answered `Ok` for is on the disk: it survives a crash of bot or server.
//! - A database that does not answer is not waited for twice: until it answers again, whoever asks is
//!   told [`StoreError::Down`] at once. So a bot without its database still says `Pong`.
//! - One that is busy is waited for, and is not taken for gone while anybody is answered.

mod activity;
mod answers;
mod error;
mod health;
mod history;
mod inbox;
pub(crate) mod jobs;
mod metrics;
mod person;
mod reminders;
pub(crate) mod sessions;
mod settings;
mod stops;
#[cfg(test)]
mod tests;
mod threads;
mod usage;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, Executor};
use tokio::sync::OnceCell;
use tokio::time::{Instant, MissedTickBehavior};

pub(crate) use activity::Heard;
pub(crate) use error::StoreError;
use health::Health;
pub(crate) use history::Kept;
pub(crate) use inbox::Item;
pub(crate) use metrics::{Operation, StoreMetrics};
pub(crate) use reminders::{Added, Due, NewReminder};
pub(crate) use stops::Stop;
pub(crate) use usage::Full;

/// Connections to a server; `SQLite` has one writer anyway.
const CONNECTIONS: u32 = 8;
/// One operation, the wait for a connection included.
const OPERATION: Duration = Duration::from_secs(5);
/// How often the database is asked whether it is there.
const CHECK: Duration = Duration::from_secs(1);

/// WAL: readers do not wait for the writer, and a second process may open the file. FULL: what was
/// committed survives a power cut.
const SQLITE: &str =
    "PRAGMA busy_timeout = 4000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
/// A statement that nobody waits for any more shall not go on for ever.
const POSTGRES: &str =
    "SET statement_timeout = '5s'; SET idle_in_transaction_session_timeout = '10s'";

/// An older replica next to a newer one starts all the same: migrations only ever add.
fn migrations() -> Migrator {
    let mut migrations = sqlx::migrate!("./migrations");
    migrations.set_ignore_missing(true);
    migrations
}

/// The database.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    pool: AnyPool,
    sqlite: bool,
    health: Arc<Health>,
    /// What people are hashed with, once it was read.
    person_key: Arc<OnceCell<ring::hmac::Key>>,
}

impl Store {
    /// Opens `sqlite:FILE?mode=rwc`, `sqlite::memory:` or `postgres://…` and brings the tables up to date.
    ///
    /// A file that cannot be used and a server that refuses are errors. A server that is not there is
    /// none: [`Store::keep`] goes on trying.
    pub(crate) async fn open(
        url: &SecretString,
        metrics: StoreMetrics,
    ) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let url = url.expose_secret();
        let sqlite = url.starts_with("sqlite:");
        if !sqlite && !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
            return Err(StoreError::Url("it names no database".to_owned()));
        }
        let options =
            AnyConnectOptions::from_str(url).map_err(|error| StoreError::Url(error.to_string()))?;
        let prepare = if sqlite { SQLITE } else { POSTGRES };
        let pool = AnyPoolOptions::new()
            // in memory, each connection would be a database of its own
            .max_connections(if sqlite { 1 } else { CONNECTIONS })
            // who is gone while its connection is tried takes it along, and a database in memory with it
            .test_before_acquire(!sqlite)
            .idle_timeout(None)
            .max_lifetime(None)
            .acquire_timeout(OPERATION)
            .after_connect(move |connection: &mut AnyConnection, _| {
                Box::pin(async move { connection.execute(prepare).await.map(drop) })
            })
            .connect_lazy_with(options);
        let store = Self {
            pool,
            sqlite,
            health: Arc::new(Health::new(sqlite, metrics)),
            person_key: Arc::default(),
        };
        match store.first().await {
            Ok(()) => store.health.set(true),
            Err(error) if error.is_outage() => {
                tracing::warn!(%error, "the store does not answer; what needs it says so until it does");
            }
            Err(error) => return Err(error),
        }
        Ok(store)
    }

    async fn first(&self) -> Result<(), StoreError> {
        let connected = tokio::time::timeout(self.health.patience, self.pool.acquire()).await;
        let connected = connected
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))
            .map(drop);
        match connected.map_err(|error| (error::refusal(&error), error)) {
            Ok(()) => {}
            Err((Some(refused), _)) => return Err(refused),
            Err((None, error)) if self.sqlite => return Err(StoreError::File(error.to_string())),
            Err((None, error)) => return Err(error.into()),
        }
        match self.migrate().await {
            Err(error) if self.sqlite => Err(StoreError::File(error.to_string())),
            result => result,
        }
    }

    /// `PostgreSQL` is locked by the migrator itself; `SQLite` by a transaction that writes from its beginning on.
    async fn migrate(&self) -> Result<(), StoreError> {
        if !self.sqlite {
            let mut connection = self.pool.acquire().await?;
            // the lock is the connection's: in the pool it would outlive a migration that ends half way
            connection.close_on_drop();
            return Ok(migrations()
                .run_direct(None, &mut *connection, false)
                .await?);
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        migrations()
            .run_direct(None, &mut *transaction, false)
            .await?;
        Ok(transaction.commit().await?)
    }

    /// Looks after the database for ever: sees that it is gone, and that it is back.
    pub(crate) async fn keep(self) {
        let mut ticks = tokio::time::interval(CHECK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut migrated = self.is_up();
        loop {
            ticks.tick().await;
            let asked = async {
                if !migrated {
                    self.migrate().await?;
                }
                sqlx::query("SELECT 1").execute(&self.pool).await?;
                Ok(())
            };
            let patience = if migrated {
                self.health.patience
            } else {
                OPERATION
            };
            let result = self.measured(Operation::Ping, patience, asked).await;
            migrated |= result.is_ok();
            if !matches!(result, Err(StoreError::Busy)) {
                self.health.set(result.is_ok());
            }
        }
    }

    /// Whether the database answered when it was last asked.
    pub(crate) fn is_up(&self) -> bool {
        self.health.is_up()
    }

    /// Every statement goes through here: within a time limit, counted, and not at all while the
    /// database is down. What was not answered in time may have been done nevertheless.
    pub(crate) async fn run<T>(
        &self,
        operation: Operation,
        work: impl Future<Output = Result<T, sqlx::Error>>,
    ) -> Result<T, StoreError> {
        if !self.is_up() {
            self.health.metrics.failed(operation);
            return Err(StoreError::Down);
        }
        let work = async { Ok(work.await?) };
        let result = self.measured(operation, self.health.patience, work).await;
        if result.as_ref().is_err_and(StoreError::is_outage) {
            self.health.set(false);
        }
        result
    }

    async fn measured<T>(
        &self,
        operation: Operation,
        patience: Duration,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let metrics = &self.health.metrics;
        let begin = Instant::now();
        let result = self.health.in_time(patience, work).await;
        metrics.took(operation, begin.elapsed());
        if let Err(error) = &result {
            metrics.failed(operation);
            tracing::warn!(operation = operation.name(), %error, "store");
        }
        result
    }
}

/// Now, as the store writes it.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// A duration, as the store writes it.
pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
impl Store {
    /// As if the database answered, or did not.
    pub(crate) fn pretend(&self, up: bool) {
        self.health.set(up);
    }

    /// As if the database hung, until what this gives is dropped; of one in memory.
    pub(crate) async fn hang(&self) -> sqlx::pool::PoolConnection<sqlx::Any> {
        self.pool.acquire().await.unwrap()
    }

    /// For tests of other parts: nobody looks at its metrics.
    pub(crate) async fn of(url: &str) -> Result<Self, StoreError> {
        let mut registry = prometheus_client::registry::Registry::default();
        let url = SecretString::from(url.to_owned());
        Self::open(&url, StoreMetrics::new(&mut registry)).await
    }
}
