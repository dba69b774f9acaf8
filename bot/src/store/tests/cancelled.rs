//! Who asks may go away at any moment, as a page that is reloaded does: nothing is lost by it, and
//! nothing half done.

use super::postgres::{Postgres, opened};
use crate::leaving::leave_at;
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
        left += usize::from(left_at(wait, store.setting("", "x")).await);
        let kept = store.setting("", "x").await.unwrap();
        assert_eq!(kept.as_deref(), Some("kept"), "read, wait {wait}");

        left += usize::from(left_at(wait, store.add_activity(&people(n))).await);
        let now = store.active(None, 0).await.unwrap();
        // a server may be writing still what nobody waits for any more
        let whole = now >= heard && now % PEOPLE == 0;
        assert!(whole, "write, wait {wait}: {now} after {heard}");
        heard = now;
    }
    assert!(left > 0, "nobody ever went away");
}

/// It is left where it waits for a table that somebody else has locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_migration_that_is_left_half_way_keeps_no_other_process_from_its_own() {
    let server = Postgres::start();
    let url = server.database("bot").await;
    let one = opened(&url).await.unwrap();
    let two = opened(&url).await.unwrap();
    let mut other = two.pool.begin().await.unwrap();
    let lock = "LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE";
    other.execute(lock).await.unwrap();
    let left = tokio::time::timeout(Duration::from_secs(1), one.migrate()).await;
    assert!(left.is_err(), "there was nothing to wait for");
    other.rollback().await.unwrap();
    two.migrate().await.unwrap();
}

/// Whether it was left at the wait of that number; else it is done.
async fn left_at(wait: usize, work: impl Future<Output = Result<impl Sized, StoreError>>) -> bool {
    let left = leave_at(wait, Box::pin(work)).await;
    left.map(Result::unwrap).is_none()
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
