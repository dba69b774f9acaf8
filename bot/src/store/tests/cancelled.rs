//! Who asks may go away at any moment, as a page that is reloaded does: nothing is lost by it, and
//! nothing half done.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use crate::store::*;

const PEOPLE: i64 = 3;
const TRIES: usize = 60;
/// More than a batch of so many people waits.
const WAITS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_in_memory_survives_who_goes_away() {
    going_away(Store::of("sqlite::memory:").await.unwrap()).await;
}

/// Reads and writes whose caller leaves at the first wait, at the second, and so on.
pub(super) async fn going_away(store: Store) {
    store.set_setting("", "x", "kept").await.unwrap();
    let (mut left, mut heard) = (0, 0);
    for n in 0..TRIES {
        let wait = n % WAITS;
        left += usize::from(!leave_at(wait, store.setting("", "x")).await);
        let kept = store.setting("", "x").await.unwrap();
        assert_eq!(kept.as_deref(), Some("kept"), "read, wait {wait}");

        left += usize::from(!leave_at(wait, store.add_activity(&people(n))).await);
        let now = store.active(None, 0).await.unwrap();
        // a server may be writing still what nobody waits for any more
        let whole = now >= heard && now % PEOPLE == 0;
        assert!(whole, "write, wait {wait}: {now} after {heard}");
        heard = now;
    }
    assert!(left > 0, "nobody ever went away");
}

/// Drops the work at the wait of that number; true if there are not so many.
async fn leave_at(wait: usize, work: impl Future<Output = Result<impl Sized, StoreError>>) -> bool {
    let mut work = pin!(work);
    let mut seen = 0;
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(done.map(|_| true).unwrap()),
        Poll::Pending if seen == wait => Poll::Ready(false),
        Poll::Pending => {
            seen += 1;
            Poll::Pending
        }
    })
    .await
}

fn people(batch: usize) -> Vec<Heard> {
    (0..PEOPLE)
        .map(|n| Heard {
            guild: String::new(),
            person: format!("{batch}-{n}"),
            last: 1,
            messages: 1,
        })
        .collect()
}
