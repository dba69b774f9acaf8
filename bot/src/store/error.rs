//! Why nothing can be remembered, and what to do about it.

use std::time::Duration;

use sqlx::migrate::MigrateError;

/// How `--store` is written.
const USAGE: &str = "write --store=sqlite:FILE?mode=rwc, --store=sqlite::memory: or \
                     --store=postgres://USER:PASSWORD@HOST/DATABASE";

/// What goes wrong with the database. No variant holds the URL, which may have a password in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// It names no database that we speak to.
    #[error("--store: {0}; {USAGE}")]
    Url(String),
    /// The file cannot be used.
    #[error(
        "--store: the SQLite file cannot be opened or written to: {0}; give a file in a folder \
         that exists and that the bot may write to"
    )]
    File(String),
    /// The server is there and does not let us in.
    #[error(
        "--store: PostgreSQL refuses: {0}; see that user, password and database of the URL are right"
    )]
    Refused(String),
    /// The tables cannot be brought up to date.
    #[error("--store: the tables cannot be brought up to date: {0}")]
    Migrate(#[from] MigrateError),
    /// The database did not answer of late, so it was not asked.
    #[error("the store is down")]
    Down,
    /// Others are answered, and whoever waited had no turn in time.
    #[error("the store is busy")]
    Busy,
    /// It takes too long.
    #[error("the store did not answer within {0:?}")]
    Timeout(Duration),
    /// The database refuses, or is lost.
    #[error("the store: {0}")]
    Sql(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether the database as a whole is gone, and not one statement wrong.
    pub(super) fn is_outage(&self) -> bool {
        match self {
            Self::Down | Self::Timeout(_) => true,
            Self::Sql(error) | Self::Migrate(MigrateError::Execute(error)) => is_outage(error),
            Self::Url(_) | Self::File(_) | Self::Refused(_) | Self::Busy | Self::Migrate(_) => {
                false
            }
        }
    }

    /// Whether there was no word at all: the database is gone, or too many ask.
    pub(super) fn is_silence(&self) -> bool {
        matches!(
            self,
            Self::Timeout(_)
                | Self::Sql(sqlx::Error::PoolTimedOut)
                | Self::Migrate(MigrateError::Execute(sqlx::Error::PoolTimedOut))
        )
    }
}

fn is_outage(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // 08: the connection; 53: out of resources; 57P: shutting down, crashed, starting up; 25006: a
        // standby that is not the first yet
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            code.len() == 5
                && (code.starts_with("08")
                    || code.starts_with("53")
                    || code.starts_with("57P")
                    || code == "25006")
        }),
        _ => false,
    }
}

/// What opening a `PostgreSQL` says for good: another try would be refused as well.
pub(super) fn refusal(error: &sqlx::Error) -> Option<StoreError> {
    match error {
        sqlx::Error::Database(refused) => {
            let code = refused.code().unwrap_or_default();
            // 28: authentication; 3D000: no such database; 42501: no right to it
            let for_good = code.starts_with("28") || code == "3D000" || code == "42501";
            for_good.then(|| StoreError::Refused(refused.message().to_owned()))
        }
        sqlx::Error::Configuration(reason) => Some(StoreError::Url(reason.to_string())),
        _ => None,
    }
}
