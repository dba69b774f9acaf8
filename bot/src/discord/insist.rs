//! To try again while it is worth the trouble, and to count what may have happened twice.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use prometheus_client::metrics::counter::Counter;
use tokio::time::{Instant, sleep};

use super::api::ApiError;
use crate::outbound::CallError;

/// Discord knows a nonce for "a few minutes"; we count on two.
pub(super) const NONCE_WINDOW: Duration = Duration::from_mins(2);
/// For so long an answer is worth the trouble.
const WORTH: Duration = Duration::from_mins(5);
/// Where it is known when there will be room, nobody waits for much longer, and not all come at once.
const SPREAD: Duration = Duration::from_secs(2);

/// Tries again while it has not been done, is `worth` it, and Discord has not said no. What is sent again later
/// than `window` after a try that may have been heard is counted in `repeated`.
pub(super) async fn insist<F>(
    mut attempt: impl FnMut() -> F,
    worth: impl Fn() -> bool,
    window: Option<Duration>,
    repeated: &Counter,
) -> Result<(), ApiError>
where
    F: Future<Output = Result<(), ApiError>>,
{
    let first = Instant::now();
    let mut perhaps_heard = None;
    let mut waits = waits();
    loop {
        let began = Instant::now();
        let result = attempt().await;
        let Err(ApiError::Call(error)) = &result else {
            return result;
        };
        if may_have_been_heard(error) {
            perhaps_heard.get_or_insert(began);
        }
        let worth = first.elapsed() < WORTH && worth();
        let (true, Some(wait)) = (worth, waits.next()) else {
            return result;
        };
        let wait = asked_to_wait(error).map_or(wait, |known| known + wait.min(SPREAD));
        tracing::warn!(%error, ?wait, "an answer could not be posted; once more");
        sleep(wait).await;
        let late = |window| perhaps_heard.is_some_and(|at: Instant| at.elapsed() > window);
        if window.is_some_and(late) {
            repeated.inc();
        }
    }
}

fn waits() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(30))
        .with_jitter()
        .without_max_times() // it ends by what it is worth
        .build()
}

fn may_have_been_heard(error: &CallError) -> bool {
    match error {
        CallError::Deadline => true,
        CallError::Fault(fault) => !fault.unsent,
        _ => false,
    }
}

fn asked_to_wait(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Open { retry_in } | CallError::Limited { retry_in } => Some(*retry_in),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::Fault;

    /// Fails for so long with this, and gives how often it was tried and how many repeats were counted.
    async fn tried(fails_for: Duration, error: CallError) -> (u32, u64, bool) {
        let (start, repeated) = (Instant::now(), Counter::default());
        let mut tries = 0;
        let attempt = || {
            tries += 1;
            let error = error.clone();
            async move {
                if start.elapsed() < fails_for {
                    Err(ApiError::Call(error))
                } else {
                    Ok(())
                }
            }
        };
        let result = insist(attempt, || true, Some(NONCE_WINDOW), &repeated).await;
        (tries, repeated.get(), result.is_ok())
    }

    #[tokio::test(start_paused = true)]
    async fn within_the_nonces_window_nothing_is_counted() {
        let lost = CallError::Fault(Fault::transient("lost"));
        let (tries, repeated, done) = tried(Duration::from_secs(30), lost).await;
        assert!(done && tries > 3);
        assert_eq!(repeated, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_stand_there_twice_is_counted() {
        let lost = CallError::Fault(Fault::transient("lost"));
        let (_, repeated, done) = tried(Duration::from_secs(200), lost).await;
        assert!(done && repeated > 0, "{repeated}");
        // what was never sent cannot be there
        let open = CallError::Open {
            retry_in: Duration::from_secs(50),
        };
        let (_, repeated, done) = tried(Duration::from_secs(200), open).await;
        assert!(done);
        assert_eq!(repeated, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn it_ends() {
        let lost = CallError::Fault(Fault::transient("lost"));
        let start = Instant::now();
        let (_, _, done) = tried(Duration::from_hours(1), lost).await;
        assert!(!done && start.elapsed() < Duration::from_mins(7));
        let refused = || async {
            Err(ApiError::Refused {
                status: 403,
                code: 50_013,
            })
        };
        let result = insist(refused, || true, None, &Counter::default()).await;
        assert!(matches!(result, Err(ApiError::Refused { .. })));
    }
}
