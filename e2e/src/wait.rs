//! Waiting for something to become true, with a deadline and a reason when it does not.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Long enough to leave the machine to those we wait for, short enough to go unnoticed.
const POLL: Duration = Duration::from_millis(50);

/// Calls `attempt` until it gives a value, and says what was missing if `deadline` passes first.
///
/// An error of one attempt is not the end: it is kept, and told if it was the last word.
/// An attempt that hangs is cut off at the deadline.
pub async fn await_condition<T, F, A>(what: &str, deadline: Duration, mut attempt: F) -> Result<T>
where
    F: FnMut() -> A,
    A: Future<Output = Result<Option<T>>>,
{
    let start = Instant::now();
    let mut last = String::from("not yet");
    loop {
        let left = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(left, attempt()).await {
            Ok(Ok(Some(value))) => return Ok(value),
            Ok(Ok(None)) => "not yet".clone_into(&mut last),
            Ok(Err(error)) => last = format!("{error:#}"),
            Err(_) => last.push_str(" (and the last attempt gave no answer)"),
        }
        if start.elapsed() + POLL >= deadline {
            bail!("waited {deadline:?} for {what}: {last}");
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn gives_the_first_value() {
        let mut calls = 0;
        let value = await_condition("the third call", Duration::from_secs(5), || {
            calls += 1;
            let now = calls;
            async move { Ok((now == 3).then_some(now)) }
        })
        .await;
        assert_eq!(value.unwrap(), 3);
    }

    #[tokio::test]
    async fn tells_what_was_missing_and_the_last_error() {
        let error =
            await_condition::<(), _, _>("a miracle", Duration::from_millis(120), || async {
                bail!("none today")
            })
            .await
            .unwrap_err();
        assert_eq!(error.to_string(), "waited 120ms for a miracle: none today");
    }

    #[tokio::test]
    async fn a_hanging_attempt_ends_at_the_deadline() {
        let start = Instant::now();
        let result = await_condition::<(), _, _>("silence", Duration::from_millis(100), || {
            std::future::pending()
        })
        .await;
        assert!(result.is_err());
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
