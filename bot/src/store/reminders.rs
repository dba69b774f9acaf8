//! Reminders: set once, claimed by one process at a time, tried until a door says that it has delivered.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Operation, Store, StoreError};
use crate::deliver::Delivery;
use crate::message::{Door, Place};

/// What someone wants to be told, and when.
pub(crate) struct NewReminder<'a> {
    /// Of the message that asked: asking twice with one id sets one reminder.
    pub(crate) id: &'a str,
    pub(crate) door: Door,
    pub(crate) place: &'a Place,
    pub(crate) person: &'a str,
    pub(crate) text: &'a str,
    pub(crate) due: i64,
}

/// What became of a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    Kept,
    /// The person has as many as one may have.
    TooMany,
}

/// One that is to be delivered now, by whoever claimed it.
pub(crate) struct Due {
    pub(crate) delivery: Delivery,
    /// The tries so far, this one included; it also tells this claim from a later one.
    pub(crate) tries: i64,
}

impl Store {
    /// Keeps a reminder, unless the person has `most` of them.
    pub(crate) async fn add_reminder(
        &self,
        new: &NewReminder<'_>,
        most: i64,
    ) -> Result<Added, StoreError> {
        let kept = sqlx::query(
            "INSERT INTO reminders \
               (id, door, guild, channel, thread, person, text, due, next_try, tries, ended) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0 \
             WHERE (SELECT COUNT(*) FROM reminders WHERE door = $10 AND person = $11 AND ended = 0) < $12 \
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(new.id)
        .bind(new.door.name())
        .bind(new.place.guild.as_deref().unwrap_or_default())
        .bind(&new.place.channel)
        .bind(new.place.thread.as_deref().unwrap_or_default())
        .bind(new.person)
        .bind(new.text)
        .bind(new.due)
        .bind(new.due)
        .bind(new.door.name())
        .bind(new.person)
        .bind(most)
        .execute(&self.pool);
        let kept = self.run(Operation::Reminders, kept).await?;
        if kept.rows_affected() > 0 {
            return Ok(Added::Kept);
        }
        let known = sqlx::query("SELECT 1 FROM reminders WHERE id = $1")
            .bind(new.id)
            .fetch_all(&self.pool);
        let known = self.run(Operation::Reminders, known).await?;
        Ok(if known.is_empty() {
            Added::TooMany
        } else {
            Added::Kept
        })
    }

    /// When each of a person's reminders is due, and what it says; the next one first.
    pub(crate) async fn reminders_of(
        &self,
        door: Door,
        person: &str,
    ) -> Result<Vec<(i64, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT due, text FROM reminders WHERE door = $1 AND person = $2 AND ended = 0 \
             ORDER BY due, id",
        )
        .bind(door.name())
        .bind(person)
        .fetch_all(&self.pool);
        let rows = self.run(Operation::Reminders, rows).await?;
        let read = |row: &AnyRow| Ok((row.try_get(0)?, row.try_get(1)?));
        Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
    }

    /// Lets go of all of a person's reminders, and says how many there were.
    pub(crate) async fn clear_reminders(
        &self,
        door: Door,
        person: &str,
        now: i64,
    ) -> Result<u64, StoreError> {
        let gone = sqlx::query(
            "UPDATE reminders SET ended = $1 WHERE door = $2 AND person = $3 AND ended = 0",
        )
        .bind(now)
        .bind(door.name())
        .bind(person)
        .execute(&self.pool);
        Ok(self.run(Operation::Reminders, gone).await?.rows_affected())
    }

    /// Takes up to `most` that are due, until `until`: nobody else gets them before. Those of a guild
    /// where the bot is stopped wait for its start.
    pub(crate) async fn claim_reminders(
        &self,
        door: Door,
        now: i64,
        until: i64,
        most: i64,
    ) -> Result<Vec<Due>, StoreError> {
        // the second look at next_try is for PostgreSQL: of two who find the same row, the later one
        // waits for the earlier and then judges the row as that one left it
        let rows = sqlx::query(
            "UPDATE reminders SET next_try = $1, tries = tries + 1 \
             WHERE next_try <= $2 AND ended = 0 AND id IN \
               (SELECT id FROM reminders r WHERE r.door = $3 AND r.ended = 0 AND r.next_try <= $4 \
                AND NOT EXISTS (SELECT 1 FROM stops s WHERE s.guild = '' OR s.guild = r.guild) \
                ORDER BY r.next_try LIMIT $5) \
             RETURNING id, guild, channel, thread, person, text, tries",
        )
        .bind(until)
        .bind(now)
        .bind(door.name())
        .bind(now)
        .bind(most)
        .fetch_all(&self.pool);
        let rows = self.run(Operation::Reminders, rows).await?;
        let read = |row: &AnyRow| due(row, door);
        Ok(rows.iter().map(read).collect::<Result<_, sqlx::Error>>()?)
    }

    /// It has arrived, or never will.
    pub(crate) async fn end_reminder(&self, id: &str, now: i64) -> Result<(), StoreError> {
        let ended = sqlx::query("UPDATE reminders SET ended = $1 WHERE id = $2 AND ended = 0")
            .bind(now)
            .bind(id)
            .execute(&self.pool);
        self.run(Operation::Reminders, ended).await.map(drop)
    }

    /// It has not arrived: to be tried again at `at`, unless somebody else has claimed it since.
    pub(crate) async fn retry_reminder(&self, due: &Due, at: i64) -> Result<(), StoreError> {
        let put_back = sqlx::query(
            "UPDATE reminders SET next_try = $1 WHERE id = $2 AND tries = $3 AND ended = 0",
        )
        .bind(at)
        .bind(&due.delivery.id)
        .bind(due.tries)
        .execute(&self.pool);
        self.run(Operation::Reminders, put_back).await.map(drop)
    }

    /// How many are still to be delivered.
    pub(crate) async fn reminders_to_do(&self) -> Result<i64, StoreError> {
        let row =
            sqlx::query("SELECT COUNT(*) FROM reminders WHERE ended = 0").fetch_one(&self.pool);
        Ok(self.run(Operation::Reminders, row).await?.try_get(0)?)
    }

    /// Forgets those that ended before. Until then a message that comes again sets no second one.
    pub(crate) async fn prune_reminders(&self, before: i64) -> Result<(), StoreError> {
        let gone = sqlx::query("DELETE FROM reminders WHERE ended > 0 AND ended < $1")
            .bind(before)
            .execute(&self.pool);
        self.run(Operation::Reminders, gone).await.map(drop)
    }
}

fn due(row: &AnyRow, door: Door) -> Result<Due, sqlx::Error> {
    let text = |column: usize| row.try_get::<String, _>(column);
    let some = |column: usize| Ok::<_, sqlx::Error>(Some(text(column)?).filter(|t| !t.is_empty()));
    let delivery = Delivery {
        id: text(0)?,
        door,
        place: Place {
            guild: some(1)?,
            channel: text(2)?,
            thread: some(3)?,
        },
        to: text(4)?,
        text: text(5)?,
    };
    let tries = row.try_get(6)?;
    Ok(Due { delivery, tries })
}
