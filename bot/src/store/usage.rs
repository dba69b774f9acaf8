//! What API keys have asked for. Replicas share the count, so it only ever changes by statements that add.

use sqlx::Row;

use super::{Operation, Store, StoreError};
use crate::ai::{Hour, Quota, Usage, Used, Window};

/// Two months and a bit: hours and months that are over are of no use to anybody.
const KEPT_MS: i64 = 63 * 24 * 3_600_000;

/// Adds one request, unless that would be more than the bounds; nothing is read before, so that two replicas
/// cannot both take the last one.
const RESERVE: &str = "INSERT INTO ai_usage (key_name, period, starts, requests, completed, tokens) \
    VALUES ($1, $2, $3, 1, 0, $4) \
    ON CONFLICT (key_name, period, starts) DO UPDATE \
    SET requests = ai_usage.requests + 1, tokens = ai_usage.tokens + $4 \
    WHERE ai_usage.requests < $5 AND ai_usage.tokens + $4 <= $6";

const REQUESTS: &str =
    "SELECT requests FROM ai_usage WHERE key_name = $1 AND period = $2 AND starts = $3";

const SETTLE: &str = "UPDATE ai_usage SET completed = completed + 1, tokens = tokens + $4 \
    WHERE key_name = $1 AND period = $2 AND starts = $3";

/// What was settled stays, whoever asks for it back.
const RELEASE: &str = "UPDATE ai_usage SET requests = requests - 1, tokens = tokens - $4 \
    WHERE key_name = $1 AND period = $2 AND starts = $3 AND requests > completed";

/// A quota that does not hold one more request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Full {
    pub(crate) window: Window,
    /// Whether no request at all is left. Where it is the tokens that do not suffice, a smaller request may still
    /// fit, and what is reserved for others may come back.
    pub(crate) spent: bool,
}

impl Store {
    /// Counts a request in, before it is sent, with the most tokens that it can cost. Where a quota does not
    /// hold it, nothing is counted.
    pub(crate) async fn reserve_usage(
        &self,
        key: &str,
        quota: &Quota,
        tokens: u64,
        now: i64,
    ) -> Result<Result<(), Full>, StoreError> {
        let work = async {
            let mut transaction = self.pool.begin().await?;
            for window in Window::ALL {
                let bound = quota.of(window);
                // the first request of a window inserts, without a look at the bounds
                let fits =
                    bound.requests != Some(0) && bound.tokens.is_none_or(|most| tokens <= most);
                let reserved = fits
                    && sqlx::query(RESERVE)
                        .bind(key)
                        .bind(window.name())
                        .bind(window.start(now, quota.length))
                        .bind(integer(tokens))
                        .bind(bound.requests.map_or(i64::MAX, integer))
                        .bind(bound.tokens.map_or(i64::MAX, integer))
                        .execute(&mut *transaction)
                        .await?
                        .rows_affected()
                        > 0;
                if !reserved {
                    let requests: Option<i64> = sqlx::query_scalar(REQUESTS)
                        .bind(key)
                        .bind(window.name())
                        .bind(window.start(now, quota.length))
                        .fetch_optional(&mut *transaction)
                        .await?;
                    transaction.rollback().await?;
                    let used = count(requests.unwrap_or(0));
                    let spent = bound.requests.is_some_and(|most| used >= most);
                    return Ok(Err(Full { window, spent }));
                }
            }
            transaction.commit().await?;
            Ok(Ok(()))
        };
        self.run(Operation::Usage, work).await
    }

    /// Counts a request out that was counted in at `reserved_at`: its true number of tokens takes the place of
    /// the reserved one.
    pub(crate) async fn settle_usage(
        &self,
        key: &str,
        hour: Hour,
        reserved_at: i64,
        reserved: u64,
        tokens: u64,
    ) -> Result<(), StoreError> {
        let work = async {
            for window in Window::ALL {
                sqlx::query(SETTLE)
                    .bind(key)
                    .bind(window.name())
                    .bind(window.start(reserved_at, hour))
                    .bind(integer(tokens) - integer(reserved))
                    .execute(&self.pool)
                    .await?;
            }
            Ok(())
        };
        self.run(Operation::Usage, work).await
    }

    /// Takes back a request that was counted in at `reserved_at` and that certainly was not sent.
    pub(crate) async fn release_usage(
        &self,
        key: &str,
        hour: Hour,
        reserved_at: i64,
        reserved: u64,
    ) -> Result<(), StoreError> {
        let work = async {
            // both windows or none, or the next look would find them at odds
            let mut transaction = self.pool.begin().await?;
            for window in Window::ALL {
                sqlx::query(RELEASE)
                    .bind(key)
                    .bind(window.name())
                    .bind(window.start(reserved_at, hour))
                    .bind(integer(reserved))
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(())
        };
        self.run(Operation::Usage, work).await
    }

    /// What a key has asked for in the windows that hold `now`.
    pub(crate) async fn usage(&self, key: &str, hour: Hour, now: i64) -> Result<Usage, StoreError> {
        let mut usage = Usage::default();
        for window in Window::ALL {
            let row = sqlx::query(
                "SELECT requests, tokens FROM ai_usage WHERE key_name = $1 AND period = $2 AND starts = $3",
            )
            .bind(key)
            .bind(window.name())
            .bind(window.start(now, hour))
            .fetch_optional(&self.pool);
            let row = self.run(Operation::Usage, row).await?;
            let Some(row) = row else { continue };
            let used = Used {
                requests: count(row.try_get(0)?),
                tokens: count(row.try_get(1)?),
            };
            match window {
                Window::Hour => usage.hour = used,
                Window::Month => usage.month = used,
            }
        }
        Ok(usage)
    }

    /// Forgets windows that are long over.
    pub(crate) async fn prune_usage(&self, now: i64) -> Result<(), StoreError> {
        let gone = sqlx::query("DELETE FROM ai_usage WHERE starts < $1")
            .bind(now - KEPT_MS)
            .execute(&self.pool);
        self.run(Operation::Usage, gone).await.map(drop)
    }
}

fn integer(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ai::Bound;

    const NOW: i64 = 1_795_253_400_000;

    const fn full(window: Window, spent: bool) -> Result<(), Full> {
        Err(Full { window, spent })
    }
    const SPENT_HOUR: Result<(), Full> = full(Window::Hour, true);
    const SPENT_MONTH: Result<(), Full> = full(Window::Month, true);
    const TOO_LITTLE: Result<(), Full> = full(Window::Hour, false);

    fn quota(hour: u64, month: u64, tokens: u64) -> Quota {
        Quota {
            hour: Bound {
                requests: Some(hour),
                tokens: Some(tokens),
            },
            month: Bound {
                requests: Some(month),
                tokens: None,
            },
            ..Quota::default()
        }
    }

    #[tokio::test]
    async fn no_more_is_reserved_than_the_quota_holds() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let quota = quota(2, 3, 1000);
        let mut now = NOW;
        for expected in [Ok(()), Ok(()), SPENT_HOUR] {
            assert_eq!(
                store.reserve_usage("a", &quota, 10, now).await.unwrap(),
                expected
            );
        }
        // another key has a quota of its own, and another hour is another window
        assert_eq!(
            store.reserve_usage("b", &quota, 10, now).await.unwrap(),
            Ok(())
        );
        now += 3_600_000;
        for expected in [Ok(()), SPENT_MONTH] {
            assert_eq!(
                store.reserve_usage("a", &quota, 10, now).await.unwrap(),
                expected
            );
        }
        // what was not granted is not counted, in neither window
        let usage = store.usage("a", Hour::default(), now).await.unwrap();
        assert_eq!((usage.hour.requests, usage.month.requests), (1, 3));
        now += 40 * 24 * 3_600_000;
        assert_eq!(
            store.reserve_usage("a", &quota, 10, now).await.unwrap(),
            Ok(())
        );
        store.prune_usage(now + KEPT_MS + 1).await.unwrap();
        assert_eq!(
            store.usage("a", Hour::default(), now).await.unwrap(),
            Usage::default()
        );
    }

    #[tokio::test]
    async fn tokens_are_reserved_and_then_settled() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let quota = quota(99, 99, 1000);
        let reserve = async |tokens| store.reserve_usage("a", &quota, tokens, NOW).await.unwrap();
        assert_eq!(reserve(1001).await, TOO_LITTLE);
        assert_eq!(reserve(700).await, Ok(()));
        assert_eq!(reserve(301).await, TOO_LITTLE);
        store
            .settle_usage("a", Hour::default(), NOW, 700, 120)
            .await
            .unwrap();
        assert_eq!(reserve(301).await, Ok(()));
        let usage = store.usage("a", Hour::default(), NOW).await.unwrap();
        assert_eq!((usage.hour.tokens, usage.month.requests), (421, 2));
    }

    #[tokio::test]
    async fn what_was_not_sent_is_given_back() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let quota = quota(1, 99, 1000);
        let hour = Hour::default();
        let reserve = async |at| store.reserve_usage("a", &quota, 10, at).await.unwrap();
        assert_eq!(reserve(NOW).await, Ok(()));
        assert_eq!(reserve(NOW).await, SPENT_HOUR);
        // by then the hour may have turned; it goes back to its own
        let later = NOW + 3_600_000;
        assert_eq!(reserve(later).await, Ok(()));
        store.release_usage("a", hour, NOW, 10).await.unwrap();
        assert_eq!(
            store.usage("a", hour, NOW).await.unwrap().hour,
            Used::default()
        );
        let usage = store.usage("a", hour, later).await.unwrap();
        assert_eq!((usage.hour.requests, usage.month.requests), (1, 1));
        assert_eq!((usage.hour.tokens, usage.month.tokens), (10, 10));
        assert_eq!(reserve(NOW).await, Ok(()));
        // an answer is never taken back, and nothing falls below 0
        store.settle_usage("a", hour, NOW, 10, 3).await.unwrap();
        for _ in 0..3 {
            store.release_usage("a", hour, NOW, 10).await.unwrap();
        }
        let usage = store.usage("a", hour, NOW).await.unwrap();
        assert_eq!((usage.hour.requests, usage.hour.tokens), (1, 3));
    }

    #[tokio::test]
    async fn many_at_once_and_after_a_restart_share_one_count() {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", dir.path().join("bot.db").display());
        let quota = quota(25, 99, 1_000_000);
        let mut granted = 0;
        for _ in 0..2 {
            let (one, other) = (
                Store::of(&url).await.unwrap(),
                Store::of(&url).await.unwrap(),
            );
            let asks = (0..40).map(|n| {
                let store = if n % 2 == 0 { &one } else { &other };
                store.reserve_usage("a", &quota, 1, NOW)
            });
            let answers = futures::future::join_all(asks).await;
            granted += answers
                .into_iter()
                .filter(|a| *a.as_ref().unwrap() == Ok(()))
                .count();
            assert_eq!(
                one.usage("a", Hour::default(), NOW)
                    .await
                    .unwrap()
                    .hour
                    .requests,
                25
            );
        }
        assert_eq!(granted, 25);
    }
}
