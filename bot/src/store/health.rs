//! Whether the database is there. A busy one is.
//!
//! Who waits in vain cannot tell a long queue from a database that is gone: both are silence. So a silence
//! counts only where nobody at all has had an answer for as long.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{OPERATION, StoreError, StoreMetrics};

/// A server that answers nobody for so long is gone.
const SILENCE: Duration = Duration::from_secs(2);

/// What was last known.
#[derive(Debug)]
pub(super) struct Health {
    up: AtomicBool,
    /// When anybody last had an answer, be it a refusal.
    answered: Mutex<Option<Instant>>,
    pub(super) patience: Duration,
    pub(super) metrics: StoreMetrics,
}

impl Health {
    pub(super) fn new(sqlite: bool, metrics: StoreMetrics) -> Self {
        Self {
            up: AtomicBool::new(false),
            answered: Mutex::default(),
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

    /// Waits until nobody has been answered for as long as `patience`, and at most until the time limit.
    pub(super) async fn in_time<T>(
        &self,
        patience: Duration,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let begin = Instant::now();
        let in_vain = async {
            let limit = begin + OPERATION;
            loop {
                let until = limit.min(self.silent_since(begin) + patience);
                if until <= Instant::now() {
                    return StoreError::Timeout(patience);
                }
                tokio::time::sleep_until(until).await;
            }
        };
        let result = tokio::select! {
            biased;
            result = work => result,
            error = in_vain => Err(error),
        };
        self.judge(begin, patience, result)
    }

    /// Since when somebody who began to wait then has seen nobody answered.
    fn silent_since(&self, begin: Instant) -> Instant {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.map_or(begin, |answered| answered.max(begin))
    }

    /// What came of a wait that began then.
    fn judge<T>(
        &self,
        begin: Instant,
        patience: Duration,
        result: Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = Instant::now();
        match result {
            Err(error) if error.is_silence() => {
                let since = self.silent_since(begin);
                let busy = since > begin && now < since + patience;
                Err(if busy { StoreError::Busy } else { error })
            }
            Err(error) if error.is_outage() => Err(error),
            answered => {
                *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                answered
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::registry::Registry;
    use tokio::time::{advance, sleep};

    use super::*;

    const MOMENT: Duration = Duration::from_millis(1);

    fn server() -> Health {
        Health::new(false, StoreMetrics::new(&mut Registry::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_an_outage_unless_others_have_had_an_answer_meanwhile() {
        let health = server();
        let silence = || Err::<(), _>(StoreError::Sql(sqlx::Error::PoolTimedOut));
        let judge = |begin, result| health.judge(begin, SILENCE, result);
        let begin = Instant::now();
        assert!(judge(begin, silence()).unwrap_err().is_outage());
        advance(MOMENT).await;
        judge(begin, Ok(())).unwrap();
        let busy = judge(begin, silence()).unwrap_err();
        assert!(
            matches!(busy, StoreError::Busy) && !busy.is_outage(),
            "{busy}"
        );
        // that others are told of the queue is no answer of the database
        let late = Instant::now();
        assert!(judge(late, silence()).unwrap_err().is_outage());
        // a refusal is one
        advance(MOMENT).await;
        let refusal = StoreError::Sql(sqlx::Error::RowNotFound);
        judge(late, Err(refusal)).unwrap_err();
        assert!(!judge(late, silence()).unwrap_err().is_outage());
        // a connection that breaks says what it says
        let broken = StoreError::Sql(sqlx::Error::WorkerCrashed);
        assert!(judge(begin, Err(broken)).unwrap_err().is_outage());
        // an answer of long ago says nothing
        advance(SILENCE).await;
        assert!(judge(begin, silence()).unwrap_err().is_outage());
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_answers_nobody_is_given_up_sooner_than_a_busy_one() {
        let health = server();
        let never = || health.in_time(SILENCE, std::future::pending::<Result<(), StoreError>>());
        let answered = || health.in_time(SILENCE, async { Ok(()) });
        let begin = Instant::now();
        let error = never().await.unwrap_err();
        assert!(error.is_outage(), "{error}");
        assert_eq!(begin.elapsed(), SILENCE);
        // the last answer came while this one waited
        let begin = Instant::now();
        let other = async {
            sleep(SILENCE / 2).await;
            answered().await
        };
        let (waited, other) = tokio::join!(never(), other);
        other.unwrap();
        assert!(waited.unwrap_err().is_outage());
        assert_eq!(begin.elapsed(), SILENCE + SILENCE / 2);
        // others go on being answered
        let begin = Instant::now();
        let others = async {
            loop {
                sleep(SILENCE / 2).await;
                answered().await.unwrap();
            }
        };
        let waited = tokio::select! {
            waited = never() => waited,
            () = others => unreachable!(),
        };
        assert!(matches!(waited, Err(StoreError::Busy)), "{waited:?}");
        assert_eq!(begin.elapsed(), OPERATION);
    }
}
