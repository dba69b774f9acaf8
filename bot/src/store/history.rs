//! The last turns of each conversation.

use sqlx::Row;

use super::{Operation, Store, StoreError};
use crate::ai::Turn;

/// How much of a conversation is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kept {
    /// Messages, each with its answer; 0 keeps nothing.
    pub(crate) messages: u32,
    pub(crate) age_ms: i64,
}

const INSERT: &str = "INSERT INTO history (conversation, message, part, at, name, body) \
    VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (conversation, message, part) DO NOTHING";

impl Store {
    /// Keeps what was said and answered, once per message id, and forgets what is too old or too much.
    pub(crate) async fn remember(
        &self,
        conversation: &str,
        message: &str,
        said: [&Turn; 2],
        kept: Kept,
        now: i64,
    ) -> Result<(), StoreError> {
        if kept.messages == 0 {
            return Ok(());
        }
        let work = async {
            let mut transaction = self.pool.begin().await?;
            for (part, turn) in (0_i64..).zip(said) {
                sqlx::query(INSERT)
                    .bind(conversation)
                    .bind(message)
                    .bind(part)
                    .bind(now)
                    .bind(turn.from.as_deref().unwrap_or_default())
                    .bind(turn.text.as_str())
                    .execute(&mut *transaction)
                    .await?;
            }
            sqlx::query("DELETE FROM history WHERE at < $1")
                .bind(now.saturating_sub(kept.age_ms))
                .execute(&mut *transaction)
                .await?;
            sqlx::query(
            "DELETE FROM history WHERE conversation = $1 AND message NOT IN (SELECT message FROM history \
             WHERE conversation = $1 AND part = 0 ORDER BY at DESC, message DESC LIMIT $2)",
        )
        .bind(conversation)
        .bind(i64::from(kept.messages))
        .execute(&mut *transaction)
        .await?;
            transaction.commit().await?;
            Ok(())
        };
        self.run(Operation::History, work).await
    }

    /// The last turns, the oldest first.
    pub(crate) async fn history(
        &self,
        conversation: &str,
        kept: Kept,
        now: i64,
    ) -> Result<Vec<Turn>, StoreError> {
        let rows = sqlx::query(
            "SELECT part, name, body FROM history WHERE conversation = $1 AND at >= $2 \
             ORDER BY at DESC, message DESC, part DESC LIMIT $3",
        )
        .bind(conversation)
        .bind(now.saturating_sub(kept.age_ms))
        .bind(2 * i64::from(kept.messages))
        .fetch_all(&self.pool);
        let rows = self.run(Operation::History, rows).await?;
        let turns = rows.iter().rev().map(|row| {
            let (part, name): (i64, String) = (row.try_get(0)?, row.try_get(1)?);
            Ok(Turn {
                from: (part == 0).then_some(name),
                text: row.try_get(2)?,
            })
        });
        turns.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Kept = Kept {
        messages: 3,
        age_ms: 1000,
    };

    async fn say(store: &Store, place: &str, id: &str, at: i64) {
        let said = Turn {
            from: Some("Ann".to_owned()),
            text: id.to_owned(),
        };
        let answer = Turn {
            from: None,
            text: id.to_uppercase(),
        };
        store
            .remember(place, id, [&said, &answer], KEPT, at)
            .await
            .unwrap();
    }

    async fn texts(store: &Store, place: &str, now: i64) -> Vec<String> {
        let turns = store.history(place, KEPT, now).await.unwrap();
        turns.into_iter().map(|turn| turn.text).collect()
    }

    #[tokio::test]
    async fn the_last_turns_are_kept_in_order_and_once() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        for (at, id) in [(1, "a"), (2, "b"), (2, "b"), (3, "c"), (4, "d")] {
            say(&store, "here", id, at).await;
        }
        say(&store, "there", "z", 4).await;
        assert_eq!(
            texts(&store, "here", 4).await,
            ["b", "B", "c", "C", "d", "D"]
        );
        assert_eq!(texts(&store, "there", 4).await, ["z", "Z"]);
        let turns = store.history("there", KEPT, 4).await.unwrap();
        assert_eq!(
            (turns[0].from.as_deref(), &turns[1].from),
            (Some("Ann"), &None)
        );
    }

    #[tokio::test]
    async fn what_is_old_is_forgotten_everywhere() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        say(&store, "there", "old", 1).await;
        assert!(texts(&store, "there", 1002).await.is_empty());
        say(&store, "here", "new", 1002).await;
        assert!(texts(&store, "there", 1).await.is_empty());
        assert_eq!(texts(&store, "here", 1002).await, ["new", "NEW"]);
    }
}
