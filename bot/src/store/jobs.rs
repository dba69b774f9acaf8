//! Jobs that came to a worker: begun, and done with which answer, once per message.
//!
//! Who is at a job, the queue knows. A door without one claims it in its own name: see [`Store::claim_job`].

use sqlx::Row;

use super::{Operation, Store, StoreError};

/// What is known about a job when a worker takes it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// It is to be done; this is the n-th attempt, and those before it have ended without a word.
    Attempt(i64),
    /// It has been done, with this answer.
    Done(String),
}

/// Whose a job is that no queue watches over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Whoever asks is to do it; it is the n-th attempt, and the first one was then.
    Mine { attempt: i64, begun_at: i64 },
    /// Somebody is at it who is alive.
    Held,
    /// It has been done.
    Done,
}

impl Store {
    /// Claims a job unless it is done, or a process that is alive is at it: one that holds a session with
    /// Discord.
    pub(crate) async fn claim_job(
        &self,
        id: &str,
        holder: &str,
        now: i64,
    ) -> Result<Claim, StoreError> {
        let sql = "INSERT INTO jobs (id, attempts, begun_at, holder) VALUES ($1, 1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET attempts = jobs.attempts + 1, holder = excluded.holder \
             WHERE jobs.reply IS NULL AND NOT EXISTS (SELECT 1 FROM discord_sessions \
             WHERE discord_sessions.holder = jobs.holder AND discord_sessions.alive_until > $2) \
             RETURNING attempts, begun_at";
        let row = sqlx::query(sql).bind(id).bind(now).bind(holder);
        let row = row.fetch_optional(&self.pool);
        if let Some(row) = self.run(Operation::Jobs, row).await? {
            return Ok(Claim::Mine {
                attempt: row.try_get("attempts")?,
                begun_at: row.try_get("begun_at")?,
            });
        }
        let done = self.job_reply(id).await?.is_some();
        Ok(if done { Claim::Done } else { Claim::Held })
    }

    /// A worker begins a job.
    pub(crate) async fn begin_job(&self, id: &str, now: i64) -> Result<Begun, StoreError> {
        let sql = "INSERT INTO jobs (id, attempts, begun_at) VALUES ($1, 1, $2) \
             ON CONFLICT (id) DO UPDATE SET attempts = jobs.attempts + 1 RETURNING attempts, reply";
        let row = sqlx::query(sql).bind(id).bind(now).fetch_one(&self.pool);
        let row = self.run(Operation::Jobs, row).await?;
        let reply: Option<String> = row.try_get("reply")?;
        Ok(match reply {
            Some(reply) => Begun::Done(reply),
            None => Begun::Attempt(row.try_get("attempts")?),
        })
    }

    /// A worker has done a job. Gives the answer that holds: of two workers that did the same job, since
    /// one was taken for dead, the first one's.
    pub(crate) async fn finish_job(&self, id: &str, reply: &str) -> Result<String, StoreError> {
        let sql = "UPDATE jobs SET reply = COALESCE(reply, $2) WHERE id = $1 RETURNING reply";
        let row = sqlx::query(sql).bind(id).bind(reply);
        let row = row.fetch_optional(&self.pool);
        match self.run(Operation::Jobs, row).await? {
            Some(row) => Ok(row.try_get("reply")?),
            // forgotten meanwhile: then nobody remembers another answer either
            None => Ok(reply.to_owned()),
        }
    }

    /// A worker hands a job back, which is no death: it does not count as an attempt.
    pub(crate) async fn return_job(&self, id: &str) -> Result<(), StoreError> {
        let sql = "UPDATE jobs SET attempts = attempts - 1 WHERE id = $1 AND attempts > 0";
        let returned = sqlx::query(sql).bind(id).execute(&self.pool);
        self.run(Operation::Jobs, returned).await.map(drop)
    }

    /// What was answered, once the job is done.
    pub(crate) async fn job_reply(&self, id: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT reply FROM jobs WHERE id = $1 AND reply IS NOT NULL";
        let row = sqlx::query(sql).bind(id).fetch_optional(&self.pool);
        let row = self.run(Operation::Jobs, row).await?;
        Ok(row.map(|row| row.try_get("reply")).transpose()?)
    }

    /// Forgets the jobs that were begun before that: the queue does not hold them any more.
    pub(crate) async fn forget_jobs(&self, before: i64) -> Result<u64, StoreError> {
        let gone = sqlx::query("DELETE FROM jobs WHERE begun_at < $1")
            .bind(before)
            .execute(&self.pool);
        Ok(self.run(Operation::Jobs, gone).await?.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_job_is_done_once_and_begun_as_often_as_its_workers_die() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        for attempt in 1..=3 {
            let begun = store.begin_job("m", 10).await.unwrap();
            assert_eq!(begun, Begun::Attempt(attempt));
        }
        store.return_job("m").await.unwrap();
        let begun = store.begin_job("m", 10).await.unwrap();
        assert_eq!(begun, Begun::Attempt(3), "handed back is not dead");
        assert_eq!(store.job_reply("m").await.unwrap(), None);
        assert_eq!(store.finish_job("m", "first").await.unwrap(), "first");
        assert_eq!(store.job_reply("m").await.unwrap().unwrap(), "first");
        assert_eq!(store.finish_job("m", "second").await.unwrap(), "first");
        let begun = store.begin_job("m", 20).await.unwrap();
        assert_eq!(begun, Begun::Done("first".to_owned()));
        assert_eq!(
            store.begin_job("n", 20).await.unwrap(),
            Begun::Attempt(1),
            "another message is another job"
        );
    }

    #[tokio::test]
    async fn what_is_old_is_forgotten() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        for (id, at) in [("old", 10), ("new", 20)] {
            store.begin_job(id, at).await.unwrap();
            store.finish_job(id, "done").await.unwrap();
        }
        assert_eq!(store.forget_jobs(20).await.unwrap(), 1);
        assert_eq!(store.begin_job("old", 30).await.unwrap(), Begun::Attempt(1));
        let new = store.begin_job("new", 30).await.unwrap();
        assert_eq!(new, Begun::Done("done".to_owned()));
    }
}
