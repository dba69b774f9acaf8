//! What was said unasked to sessions of the page and of `POST /chat`, which no one can call: they come and ask.

use sqlx::Row;

use super::{Operation, Store, StoreError};

/// At most so many are given at once, the latest ones.
const MOST: i64 = 50;

/// Something that a session has been told.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) text: String,
    /// When, in Unix milliseconds.
    pub(crate) at: i64,
}

impl Store {
    /// Puts it in; an id that is there already stays as it is.
    pub(crate) async fn put_in_inbox(&self, session: &str, item: &Item) -> Result<(), StoreError> {
        let put = sqlx::query(
            "INSERT INTO inbox (id, session, text, at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(&item.id)
        .bind(session)
        .bind(&item.text)
        .bind(item.at)
        .execute(&self.pool);
        self.run(Operation::Inbox, put).await.map(drop)
    }

    /// The latest, in order.
    pub(crate) async fn inbox(&self, session: &str) -> Result<Vec<Item>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, text, at FROM inbox WHERE session = $1 AND text <> '' ORDER BY at DESC, id DESC LIMIT $2",
        )
        .bind(session)
        .bind(MOST)
        .fetch_all(&self.pool);
        let rows = self.run(Operation::Inbox, rows).await?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(Item {
                id: row.try_get(0)?,
                text: row.try_get(1)?,
                at: row.try_get(2)?,
            })
        };
        let items = rows.iter().rev().map(read);
        Ok(items.collect::<Result<_, sqlx::Error>>()?)
    }

    /// The session has seen it. Its id stays, so that it is not put in again.
    pub(crate) async fn take_from_inbox(&self, session: &str, id: &str) -> Result<(), StoreError> {
        let taken = sqlx::query("UPDATE inbox SET text = '' WHERE id = $1 AND session = $2")
            .bind(id)
            .bind(session)
            .execute(&self.pool);
        self.run(Operation::Inbox, taken).await.map(drop)
    }

    /// Forgets what is older.
    pub(crate) async fn prune_inbox(&self, before: i64) -> Result<(), StoreError> {
        let gone = sqlx::query("DELETE FROM inbox WHERE at < $1")
            .bind(before)
            .execute(&self.pool);
        self.run(Operation::Inbox, gone).await.map(drop)
    }
}
