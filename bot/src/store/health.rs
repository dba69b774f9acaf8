//! Whether the database is there. A busy one is.
//!
//! Who waits in vain cannot tell a long queue from a database that is gone: both are silence. So a silence
//! counts only where nobody at all has had an answer in the same time.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{OPERATION, StoreError, StoreMetrics};

/// A server that answers nobody for so long is gone.
const SILENCE: Duration = Duration::from_secs(2);

/// What was last known.
#[derive(Debug)]
pub(super) struct Health {
    up: AtomicBool,
    /// How many answers there were, refusals included.
    answers: AtomicU64,
    pub(super) patience: Duration,
    pub(super) metrics: StoreMetrics,
}

impl Health {
    pub(super) fn new(sqlite: bool, metrics: StoreMetrics) -> Self {
        Self {
            up: AtomicBool::new(false),
            answers: AtomicU64::new(0),
            // one process has the file, and whoever waits, waits for the others or for a slow disk
            patience: if sqlite { OPERATION } else { SILENCE },
            metrics,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    pub(super) fn set(&self, up: bool) {
        if self.up.swap(up, Ordering::Relaxed) != up {
            tracing::info!(up, "store");
        }
        self.metrics.up(up);
    }

    /// Waits for so long while nobody is answered; while others are, until the time limit.
    pub(super) async fn in_time<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let before = self.answers();
        let in_vain = async {
            tokio::time::sleep(patience).await;
            if self.answers() == before {
                return StoreError::Timeout(patience);
            }
            tokio::time::sleep(OPERATION.saturating_sub(patience)).await;
            StoreError::Timeout(OPERATION)
        };
        let result = tokio::select! {
            biased;
            result = work => result,
            error = in_vain => Err(error),
        };
        self.judge(before, result)
    }

    fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    /// What came of a wait that began when there were so many answers.
    fn judge<T>(&self, before: u64, result: Result<T, StoreError>) -> Result<T, StoreError> {
        match result {
            Err(error) if error.is_silence() && self.answers() != before => Err(StoreError::Busy),
            Err(error) if error.is_outage() => Err(error),
            answered => {
                self.answers.fetch_add(1, Ordering::Relaxed);
                answered
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn a_silence_is_an_outage_unless_others_have_had_an_answer_meanwhile() {
        let health = Health::new(true, StoreMetrics::new(&mut Registry::default()));
        let silence = || Err::<(), _>(StoreError::Sql(sqlx::Error::PoolTimedOut));
        let (early, before) = (health.answers(), health.answers());
        assert!(health.judge(before, silence()).unwrap_err().is_outage());
        health.judge(before, Ok(())).unwrap();
        let busy = health.judge(early, silence()).unwrap_err();
        assert!(
            matches!(busy, StoreError::Busy) && !busy.is_outage(),
            "{busy}"
        );
        // that others are told of the queue is no answer of the database
        let late = health.answers();
        assert!(health.judge(late, silence()).unwrap_err().is_outage());
        // a refusal is one
        let refusal = StoreError::Sql(sqlx::Error::RowNotFound);
        health.judge(late, Err::<(), _>(refusal)).unwrap_err();
        assert!(!health.judge(late, silence()).unwrap_err().is_outage());
        // a connection that breaks says what it says
        let broken = StoreError::Sql(sqlx::Error::WorkerCrashed);
        assert!(
            health
                .judge(early, Err::<(), _>(broken))
                .unwrap_err()
                .is_outage()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_nobody_is_given_up_sooner_than_a_busy_one() {
        let health = Health::new(false, StoreMetrics::new(&mut Registry::default()));
        let never = || std::future::pending::<Result<(), StoreError>>();
        let begin = tokio::time::Instant::now();
        let error = health.in_time(health.patience, never()).await.unwrap_err();
        assert!(error.is_outage(), "{error}");
        assert_eq!(begin.elapsed(), SILENCE);
        let begin = tokio::time::Instant::now();
        let others = async {
            tokio::time::sleep(SILENCE / 2).await;
            health.in_time(health.patience, async { Ok(()) }).await
        };
        let (waited, other) = tokio::join!(health.in_time(health.patience, never()), others);
        assert!(matches!(waited, Err(StoreError::Busy)), "{waited:?}");
        assert_eq!(begin.elapsed(), OPERATION);
        other.unwrap();
    }
}
