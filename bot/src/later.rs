//! What is written down after an answer is there, and must not hold it up.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A database that works takes less. An answer does not wait longer for one that does not.
const PATIENCE: Duration = Duration::from_millis(300);

/// Waits a moment for what was begun, so that whoever asks next finds it done; beyond that it goes on by itself.
pub(crate) async fn soon(begun: JoinHandle<()>, deadline: Instant) {
    let until = deadline.min(Instant::now() + PATIENCE);
    // a panic in there has been reported
    let _ = tokio::time::timeout_at(until, begun).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_takes_longer_goes_on_by_itself() {
        for (left, waits) in [(9_000, 300), (120, 120), (0, 0)] {
            let (done, finished) = tokio::sync::oneshot::channel();
            let begun = tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(5)).await;
                let _ = done.send(());
            });
            let at = Instant::now();
            soon(begun, at + Duration::from_millis(left)).await;
            assert_eq!(at.elapsed().as_millis(), waits);
            finished.await.unwrap();
        }
        let at = Instant::now();
        soon(tokio::spawn(async {}), at + Duration::from_secs(9)).await;
        assert_eq!(at.elapsed(), Duration::ZERO);
    }
}
