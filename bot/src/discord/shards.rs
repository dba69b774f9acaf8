//! A shard that ends by an error of ours is begun anew: who is on Discord shall not be gone from a part of it.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::FutureExt as _;
use prometheus_client::metrics::counter::Counter;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::DiscordError;

/// And up to as much again by chance, as with each wait: Discord does not see all shards back in one moment.
const LONGEST: Duration = Duration::from_mins(1);
/// Whoever has held out for so long begins with the shortest wait again.
const STEADY: Duration = Duration::from_mins(10);

/// Runs a shard until `stop`, or until an error that is final. Should it end otherwise, or panic, it is run again
/// after a while, which is counted.
pub(super) async fn keep<F>(
    shard: u32,
    restarts: &Counter,
    stop: &CancellationToken,
    run: impl Fn() -> F,
) -> Result<(), DiscordError>
where
    F: Future<Output = Result<(), DiscordError>>,
{
    let mut waits = waits();
    loop {
        let began = Instant::now();
        // what a shard leaves behind is whole: counters, and mutexes that nobody minds being poisoned
        let ended = AssertUnwindSafe(async { run().await }).catch_unwind().await;
        let panicked = ended.is_err();
        if let Ok(Err(last)) = ended {
            return Err(last);
        }
        if stop.is_cancelled() {
            return Ok(());
        }
        if began.elapsed() >= STEADY {
            waits = self::waits();
        }
        let wait = waits.next().unwrap_or(LONGEST);
        restarts.inc();
        tracing::error!(
            shard,
            panicked,
            ?wait,
            "a shard has ended; it is begun anew"
        );
        if stop.run_until_cancelled(sleep(wait)).await.is_none() {
            return Ok(());
        }
    }
}

fn waits() -> impl Iterator<Item = Duration> {
    ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(LONGEST)
        .with_jitter()
        .without_max_times()
        .build()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// What a shard comes to, and after how long.
    #[derive(Clone, Copy)]
    enum End {
        Panics,
        ByItself,
        Final,
        Told,
    }

    /// Runs a shard that ends so, one end after the other; gives when each run began, and how it ended.
    async fn kept(ends: &[(Duration, End)]) -> (Vec<Instant>, u64, Result<(), DiscordError>) {
        let (stop, restarts) = (CancellationToken::new(), Counter::default());
        let begun = RefCell::new(Vec::new());
        let run = || async {
            let (after, end) = ends[begun.borrow().len()];
            begun.borrow_mut().push(Instant::now());
            sleep(after).await;
            match end {
                End::Panics => panic!("an error of ours"),
                End::ByItself => {}
                End::Final => return Err(DiscordError::Token),
                End::Told => stop.cancel(),
            }
            Ok(())
        };
        let result = keep(0, &restarts, &stop, run).await;
        (begun.into_inner(), restarts.get(), result)
    }

    #[tokio::test(start_paused = true)]
    async fn a_shard_that_ends_is_begun_anew_after_longer_and_longer_waits() {
        let mut ends = [(SECOND, End::Panics); 12];
        ends[3].1 = End::ByItself;
        ends[11].1 = End::Told;
        let (begun, restarts, result) = kept(&ends).await;
        assert!(result.is_ok());
        assert_eq!(restarts, 11);
        // each ran for a second
        let apart: Vec<_> = begun.windows(2).map(|two| two[1] - two[0]).collect();
        assert!(apart[0] >= 2 * SECOND && apart[0] < 4 * SECOND, "{apart:?}");
        assert!(apart[6] > 30 * SECOND, "{apart:?}");
        let longest = 2 * LONGEST + 2 * SECOND;
        assert!(apart.iter().all(|&apart| apart <= longest), "{apart:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_held_out_is_back_soon() {
        let mut ends = [(SECOND, End::Panics); 10];
        ends[8].0 = STEADY;
        ends[9].1 = End::Told;
        let (begun, ..) = kept(&ends).await;
        assert!(begun[9] - begun[8] < STEADY + 3 * SECOND, "{begun:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_final_ends_it_and_whoever_is_told_waits_no_longer() {
        let (begun, restarts, result) = kept(&[(SECOND, End::Final)]).await;
        assert!(matches!(result, Err(DiscordError::Token)));
        assert_eq!((begun.len(), restarts), (1, 0));

        let (stop, restarts) = (CancellationToken::new(), Counter::default());
        let start = Instant::now();
        let told = async {
            sleep(SECOND / 2).await;
            stop.cancel();
        };
        let kept = keep(0, &restarts, &stop, || async { Ok(()) });
        let (result, ()) = tokio::join!(kept, told);
        assert!(result.is_ok());
        assert_eq!(start.elapsed(), SECOND / 2);
    }
}
