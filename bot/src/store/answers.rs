//! Answers of searches, kept for those who ask the same.

use ring::digest::{SHA256, digest};
use sqlx::Row;

use super::{Operation, Store, StoreError};
use crate::hex::hex;

impl Store {
    /// The answer to a question, if one was kept since `since`.
    pub(crate) async fn kept_answer(
        &self,
        question: &str,
        since: i64,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("SELECT answer FROM answers WHERE question = $1 AND at >= $2")
            .bind(fingerprint(question))
            .bind(since)
            .fetch_optional(&self.pool);
        let row = self.run(Operation::Answers, row).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// Keeps an answer, and forgets those from before `oldest`.
    pub(crate) async fn keep_answer(
        &self,
        question: &str,
        answer: &str,
        now: i64,
        oldest: i64,
    ) -> Result<(), StoreError> {
        let work = async {
            sqlx::query(
                "INSERT INTO answers (question, answer, at) VALUES ($1, $2, $3) \
             ON CONFLICT (question) DO UPDATE SET answer = $2, at = $3",
            )
            .bind(fingerprint(question))
            .bind(answer)
            .bind(now)
            .execute(&self.pool)
            .await?;
            sqlx::query("DELETE FROM answers WHERE at < $1")
                .bind(oldest)
                .execute(&self.pool)
                .await?;
            Ok(())
        };
        self.run(Operation::Answers, work).await
    }
}

/// Whoever asks the same in other case or with other space asks the same.
fn fingerprint(question: &str) -> String {
    let words: Vec<String> = question.split_whitespace().map(str::to_lowercase).collect();
    hex(digest(&SHA256, words.join(" ").as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_answer_is_kept_for_its_time() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let kept = async |question, since| store.kept_answer(question, since).await.unwrap();
        store
            .keep_answer("What is  a Pod?", "old", 5, 0)
            .await
            .unwrap();
        store
            .keep_answer("what is a pod?", "new", 10, 0)
            .await
            .unwrap();
        assert_eq!(kept(" WHAT is a pod?", 10).await.as_deref(), Some("new"));
        assert_eq!(kept("what is a pod?", 11).await, None);
        assert_eq!(kept("what is a node?", 0).await, None);
        store
            .keep_answer("what is a node?", "x", 99, 50)
            .await
            .unwrap();
        assert_eq!(kept("what is a pod?", 0).await, None);
    }
}
