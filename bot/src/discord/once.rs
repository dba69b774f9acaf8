//! What was heard is answered once, by whichever process: each claims it in the store.
//!
//! Without a store, this process's own memory has to do: what it has heard before never comes here.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::insist::NONCE_WINDOW;
use super::sessions::LEASE;
use crate::store::jobs::Claim;
use crate::store::{Store, millis, now_ms};

/// An answer does not wait longer for a store that is slow.
const PATIENCE: Duration = Duration::from_secs(1);
/// What has ended so many processes is not begun once more.
const ATTEMPTS: i64 = 3;
/// Longer than any answer takes.
const LOST: Duration = Duration::from_mins(6);

/// What this process has to do with something that it has heard.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    First,
    /// A process that is gone has begun it; `late` if what it posted may be more than its nonce protects.
    Again {
        late: bool,
    },
    /// Whoever began it has ended.
    Deadly,
    /// It is answered.
    Over,
    /// Another process is at it, and this one is told to stop.
    Left,
}

/// Claims what is heard.
pub(super) struct Once {
    pub(super) store: Store,
    /// This process.
    pub(super) holder: String,
    pub(super) stop: CancellationToken,
}

impl Once {
    /// Whether it is this process's to answer. While another one that lives is at it, that is not known:
    /// it may still die.
    pub(super) async fn turn(&self, id: &str) -> Turn {
        let begin = Instant::now();
        loop {
            let now = now_ms();
            let id = key(id);
            let claim = self.store.claim_job(&id, &self.holder, now);
            match timeout(PATIENCE, claim).await {
                Ok(Ok(Claim::Mine { attempt, begun_at })) => return turn(attempt, now - begun_at),
                Ok(Ok(Claim::Done)) => return Turn::Over,
                Ok(Ok(Claim::Held)) if begin.elapsed() > LOST => return Turn::Over,
                Ok(Ok(Claim::Held)) => {}
                // answered twice is better than not at all
                Ok(Err(_)) | Err(_) => return Turn::First,
            }
            tokio::select! {
                () = self.stop.cancelled() => return Turn::Left,
                () = sleep(LEASE) => {}
            }
        }
    }

    /// It is answered. If that cannot be written, it may be answered again after a crash, and is not else.
    pub(super) async fn done(&self, id: &str) {
        let _ = self.store.finish_job(&key(id), "").await; // the store says so in its metrics
    }
}

/// Apart from the jobs that workers have of the same message.
fn key(id: &str) -> String {
    format!("discord/{id}")
}

fn turn(attempt: i64, age: i64) -> Turn {
    if attempt <= 1 {
        Turn::First
    } else if attempt > ATTEMPTS {
        Turn::Deadly
    } else {
        Turn::Again {
            late: age > millis(NONCE_WINDOW),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_again_may_be_too_late_for_its_nonce_or_deadly() {
        let window = millis(NONCE_WINDOW);
        assert_eq!(turn(1, 0), Turn::First);
        assert_eq!(turn(2, window), Turn::Again { late: false });
        assert_eq!(turn(3, window + 1), Turn::Again { late: true });
        assert_eq!(turn(4, 0), Turn::Deadly);
    }

    fn once(store: &Store, holder: &str) -> Once {
        Once {
            store: store.clone(),
            holder: holder.to_owned(),
            stop: CancellationToken::new(),
        }
    }

    #[tokio::test]
    async fn a_dead_process_leaves_its_messages_to_the_next() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let (first, second) = (once(&store, "first"), once(&store, "second"));
        assert_eq!(first.turn("1").await, Turn::First);
        // no session is held by the first, so it is dead
        assert_eq!(second.turn("1").await, Turn::Again { late: false });
        second.done("1").await;
        assert_eq!(first.turn("1").await, Turn::Over);
    }

    #[tokio::test]
    async fn without_a_store_everything_is_answered() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        store.pretend(false);
        let once = once(&store, "first");
        assert_eq!(once.turn("1").await, Turn::First);
        once.done("1").await;
        assert_eq!(once.turn("1").await, Turn::First);
    }
}
